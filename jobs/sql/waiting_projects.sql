-- The projects (of these; null: of all) in which most jobs wait, how many, and since when the
-- longest. Held jobs and those before a retry count, but do not tell since when.
SELECT project_id, sum(number)::bigint, min(oldest)
FROM (
    SELECT c.project_id, number, oldest
    FROM (SELECT queue_class_id AS id, count(*) AS number, min(queued_at) AS oldest
          FROM jobs_job
          WHERE state = 'pending' AND NOT held AND not_before IS NULL
            AND queue_class_id IS NOT NULL
          GROUP BY queue_class_id) AS w
    JOIN jobs_queueclass AS c ON c.id = w.id
    UNION ALL
    SELECT project_id, 1, queued_at FROM jobs_job
    WHERE state = 'pending' AND NOT held AND not_before IS NULL AND queue_class_id IS NULL
    UNION ALL
    SELECT project_id, 1, NULL FROM jobs_job WHERE state = 'pending' AND held
    UNION ALL
    SELECT project_id, 1, NULL FROM jobs_job
    WHERE state = 'pending' AND NOT held AND not_before IS NOT NULL
) AS counted
WHERE %(projects)s::bigint[] IS NULL OR project_id = ANY(%(projects)s)
GROUP BY project_id
ORDER BY sum(number) DESC, project_id
LIMIT %(most)s
