-- Where a job stands among those that may be placed now, in the planner's order.
SELECT count(*) FILTER (WHERE priority > %(priority)s OR (priority = %(priority)s AND id < %(id)s)),
       count(*), min(queued_at)
FROM jobs_job
WHERE state = 'pending' AND NOT held AND (not_before IS NULL OR not_before <= now())
