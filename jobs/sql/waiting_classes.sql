-- What waits for a provider, in classes of equal demand: how many there are. Held jobs wait for a
-- person; those before a retry will want a provider. The last column: how many of them wait for
-- something else than room, which is a retry or one of `besides`. Jobs in line are counted by
-- class, in the index, before any row of theirs is read.
SELECT cpu_millis, memory_mb, gpus, provider, requires, sum(number)::bigint,
       coalesce(sum(number) FILTER (WHERE held_up), 0)::bigint
FROM (
    SELECT (c.demand -> 'cpu_millis')::int AS cpu_millis, (c.demand -> 'memory_mb')::int AS memory_mb,
           (c.demand -> 'gpus')::int AS gpus, c.demand ->> 'provider' AS provider,
           c.demand ->> 'requires' AS requires, w.number,
           w.retries OR c.reason = ANY(%(besides)s) AS held_up
    FROM (SELECT queue_class_id AS id, count(*) AS number, false AS retries
          FROM jobs_job
          WHERE state = 'pending' AND NOT held AND not_before IS NULL
            AND queue_class_id IS NOT NULL
          GROUP BY queue_class_id
          UNION ALL
          SELECT queue_class_id, count(*), true
          FROM jobs_job
          WHERE state = 'pending' AND NOT held AND not_before IS NOT NULL
          GROUP BY queue_class_id) AS w
    JOIN jobs_queueclass AS c ON c.id = w.id
    UNION ALL
    SELECT cpu_millis, memory_mb, gpus, '', '[]', 1, false FROM jobs_job
    WHERE state = 'pending' AND NOT held AND queue_class_id IS NULL
) AS waiting
GROUP BY 1, 2, 3, 4, 5
ORDER BY 6 DESC
