-- What of one project waits in line, class by class: how many, and the first of them.
SELECT c.id, c.project_id, c.priority, c.demand::text, n.waiting, h.jobs, h.since
FROM jobs_queueclass AS c
CROSS JOIN LATERAL (
    SELECT count(*) AS waiting FROM jobs_job
    WHERE state = 'pending' AND NOT held AND not_before IS NULL AND queue_class_id = c.id
) AS n
CROSS JOIN LATERAL (
    SELECT array_agg(id) AS jobs, array_agg(extract(epoch FROM queued_at)::float8) AS since
    FROM (SELECT id, queued_at FROM jobs_job
          WHERE state = 'pending' AND NOT held AND not_before IS NULL AND queue_class_id = c.id
          ORDER BY queued_at, id LIMIT %(depth)s) AS first
) AS h
WHERE c.project_id = %(project)s AND n.waiting > 0
ORDER BY c.priority DESC, c.id LIMIT %(most)s
