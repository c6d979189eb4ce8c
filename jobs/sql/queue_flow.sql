-- Jobs that came into the queue (submitted, or back from a provider) and that left it for one,
-- by stretch of time: the newest `most` moves since then, of some projects (null: of all).
SELECT floor(extract(epoch FROM at) / %(seconds)s)::bigint AS stretch,
       count(*) FILTER (WHERE type <> 'job.placed'), count(*) FILTER (WHERE type = 'job.placed')
FROM (
    SELECT at, type FROM projects_event
    WHERE type IN ('job.placed', 'job.requeued', 'job.retried', 'job.submitted')
      AND at >= %(since)s
      AND (%(projects)s::bigint[] IS NULL OR project_id = ANY(%(projects)s))
    ORDER BY at DESC LIMIT %(most)s
) AS moves
GROUP BY stretch
