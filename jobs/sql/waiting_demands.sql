-- What the jobs ask for that no provider has room for, the most frequent demands first.
SELECT (c.demand -> 'cpu_millis')::int AS cpu_millis, (c.demand -> 'memory_mb')::int AS memory_mb,
       (c.demand -> 'gpus')::int AS gpus, c.demand ->> 'provider' AS provider,
       c.demand ->> 'requires' AS requires, sum(number)::bigint
FROM (SELECT queue_class_id AS id, count(*) AS number
      FROM jobs_job
      WHERE state = 'pending' AND NOT held AND not_before IS NULL AND queue_class_id IS NOT NULL
      GROUP BY queue_class_id) AS w
JOIN jobs_queueclass AS c ON c.id = w.id
WHERE c.reason = 'no_capacity'
  AND (%(projects)s::bigint[] IS NULL OR c.project_id = ANY(%(projects)s))
GROUP BY 1, 2, 3, 4, 5
ORDER BY sum(number) DESC, 1, 2, 3, 4, 5
LIMIT %(most)s
