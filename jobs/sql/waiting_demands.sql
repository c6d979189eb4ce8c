-- What the jobs ask for that no provider has room for, the most frequent demands first.
SELECT cpu_millis, memory_mb, gpus, coalesce(spec ->> 'provider', '') AS provider,
       coalesce(nullif(spec -> 'requires', 'null'), '[]') AS requires, count(*)
FROM jobs_job
WHERE state = 'pending' AND NOT held AND (not_before IS NULL OR not_before <= now())
  AND reason = 'no_capacity'
  AND (%(projects)s::bigint[] IS NULL OR project_id = ANY(%(projects)s))
GROUP BY cpu_millis, memory_mb, gpus, provider, requires
ORDER BY count(*) DESC, cpu_millis, memory_mb, gpus, provider, requires
LIMIT %(most)s
