-- How many jobs of some projects (null: of all) wait for what, since when the longest, and what
-- they ask for together. Those in line are counted by class, in the index, before any row of
-- theirs is read; held and backed-off ones are told as such, whatever their class tells.
SELECT code, sum(number)::bigint, min(oldest), sum(cpu_millis)::bigint, sum(memory_mb)::bigint
FROM (
    SELECT c.reason AS code, number, oldest,
           number * (c.demand -> 'cpu_millis')::bigint AS cpu_millis,
           number * (c.demand -> 'memory_mb')::bigint AS memory_mb
    FROM (SELECT queue_class_id AS id, count(*) AS number, min(queued_at) AS oldest
          FROM jobs_job
          WHERE state = 'pending' AND NOT held AND not_before IS NULL
            AND queue_class_id IS NOT NULL
          GROUP BY queue_class_id) AS w
    JOIN jobs_queueclass AS c ON c.id = w.id
    WHERE %(projects)s::bigint[] IS NULL OR c.project_id = ANY(%(projects)s)
    UNION ALL
    SELECT 'queued', 1, queued_at, cpu_millis, memory_mb
    FROM jobs_job
    WHERE state = 'pending' AND NOT held AND not_before IS NULL AND queue_class_id IS NULL
      AND (%(projects)s::bigint[] IS NULL OR project_id = ANY(%(projects)s))
    UNION ALL
    SELECT 'held', count(*), min(queued_at), sum(cpu_millis), sum(memory_mb)
    FROM jobs_job
    WHERE state = 'pending' AND held
      AND (%(projects)s::bigint[] IS NULL OR project_id = ANY(%(projects)s))
    UNION ALL
    SELECT 'backoff', count(*), min(queued_at), sum(cpu_millis), sum(memory_mb)
    FROM jobs_job
    WHERE state = 'pending' AND NOT held AND not_before IS NOT NULL
      AND (%(projects)s::bigint[] IS NULL OR project_id = ANY(%(projects)s))
) AS counted
WHERE number > 0
GROUP BY code
