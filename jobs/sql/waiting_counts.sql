-- How many jobs of some projects (null: of all) wait for what, and since when the longest: by
-- project, reason and what each of them asks for. Those in line are counted by class, in the
-- index, before any row of theirs is read; held and backed-off ones are told as such, whatever
-- their class tells and whatever they ask for.
SELECT c.project_id, c.reason, (c.demand -> 'cpu_millis')::int AS cpu_millis,
       (c.demand -> 'memory_mb')::int AS memory_mb, (c.demand -> 'gpus')::int AS gpus,
       c.demand ->> 'provider' AS provider, c.demand ->> 'requires' AS requires,
       sum(number)::bigint, min(oldest)
FROM (SELECT queue_class_id AS id, count(*) AS number, min(queued_at) AS oldest
      FROM jobs_job
      WHERE state = 'pending' AND NOT held AND not_before IS NULL AND queue_class_id IS NOT NULL
      GROUP BY queue_class_id) AS w
JOIN jobs_queueclass AS c ON c.id = w.id
WHERE %(projects)s::bigint[] IS NULL OR c.project_id = ANY(%(projects)s)
GROUP BY 1, 2, 3, 4, 5, 6, 7
UNION ALL
SELECT project_id, 'queued', cpu_millis, memory_mb, gpus, '', '[]', count(*), min(queued_at)
FROM jobs_job
WHERE state = 'pending' AND NOT held AND not_before IS NULL AND queue_class_id IS NULL
  AND (%(projects)s::bigint[] IS NULL OR project_id = ANY(%(projects)s))
GROUP BY project_id, cpu_millis, memory_mb, gpus
UNION ALL
SELECT project_id, 'held', 0, 0, 0, '', '[]', count(*), min(queued_at)
FROM jobs_job
WHERE state = 'pending' AND held
  AND (%(projects)s::bigint[] IS NULL OR project_id = ANY(%(projects)s))
GROUP BY project_id
UNION ALL
SELECT project_id, 'backoff', 0, 0, 0, '', '[]', count(*), min(queued_at)
FROM jobs_job
WHERE state = 'pending' AND NOT held AND not_before IS NOT NULL
  AND (%(projects)s::bigint[] IS NULL OR project_id = ANY(%(projects)s))
GROUP BY project_id
