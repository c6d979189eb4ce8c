-- What waits for a provider, in classes of equal demand: how many there are. Held jobs wait for a
-- person; those before a retry will want a provider. Jobs in line are counted by class, in the
-- index, before any row of theirs is read.
SELECT cpu_millis, memory_mb, gpus, provider, requires, sum(number)::bigint
FROM (
    SELECT (c.demand -> 'cpu_millis')::int AS cpu_millis, (c.demand -> 'memory_mb')::int AS memory_mb,
           (c.demand -> 'gpus')::int AS gpus, c.demand ->> 'provider' AS provider,
           c.demand ->> 'requires' AS requires, w.number
    FROM (SELECT queue_class_id AS id, count(*) AS number
          FROM jobs_job
          WHERE state = 'pending' AND NOT held AND not_before IS NULL
            AND queue_class_id IS NOT NULL
          GROUP BY queue_class_id
          UNION ALL
          SELECT queue_class_id, count(*)
          FROM jobs_job
          WHERE state = 'pending' AND NOT held AND not_before IS NOT NULL
          GROUP BY queue_class_id) AS w
    JOIN jobs_queueclass AS c ON c.id = w.id
    UNION ALL
    SELECT cpu_millis, memory_mb, gpus, '', '[]', 1 FROM jobs_job
    WHERE state = 'pending' AND NOT held AND queue_class_id IS NULL
) AS waiting
GROUP BY 1, 2, 3, 4, 5
ORDER BY 6 DESC
