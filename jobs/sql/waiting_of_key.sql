-- The jobs of a concurrency key that wait in line, the newest; the smallest limit that any of them
-- sets, and whether any of them is for the newest.
SELECT coalesce(array_agg(w.id), '{}'), min(w.most),
       coalesce(bool_or(w.overflow = 'cancel_running'), false)
FROM (
    SELECT j.id, (c.demand #> '{key,limit}')::int AS most,
           c.demand #>> '{key,on_overflow}' AS overflow
    FROM jobs_job AS j JOIN jobs_queueclass AS c ON c.id = j.queue_class_id
    WHERE j.state = 'pending' AND NOT j.held AND j.not_before IS NULL AND j.concurrency_key <> ''
      AND j.project_id = %(project)s AND j.concurrency_key = %(key)s
    ORDER BY j.id DESC LIMIT 10000
) AS w
