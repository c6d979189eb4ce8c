-- Jobs that wait, as they stand: those in the queue in the planner's order with their places in
-- it (part 0), then those that back off (1), then those that are held (2). Places count all jobs;
-- what is asked of the rows, null asking nothing, comes after. One look at each waiting job.
SELECT part, priority, id, CASE WHEN part = 0 THEN place END
FROM (
    SELECT part, priority, id, project_id, code, wanted,
           row_number() OVER (PARTITION BY part ORDER BY priority DESC, id) AS place
    FROM (
        SELECT id, priority, project_id,
               CASE WHEN held THEN 2 WHEN not_before > now() THEN 1 ELSE 0 END AS part,
               CASE WHEN held THEN 'held' WHEN not_before > now() THEN 'backoff'
                    WHEN reason IN ('held', 'backoff') THEN 'queued' ELSE reason END AS code,
               %(among)s::boolean IS NULL OR %(among)s = (
                   (cpu_millis, memory_mb, gpus, coalesce(spec ->> 'provider', ''),
                    coalesce(nullif(spec -> 'requires', 'null'), '[]'))
                   IN (SELECT cpu_millis, memory_mb, gpus, provider, requires
                       FROM jsonb_to_recordset(%(demands)s::jsonb)
                           AS d (cpu_millis int, memory_mb int, gpus int, provider text,
                                 requires jsonb))) AS wanted
        FROM jobs_job
        WHERE state = 'pending'
    ) AS waiting
) AS placed
WHERE wanted
  AND (%(projects)s::bigint[] IS NULL OR project_id = ANY(%(projects)s))
  AND (%(only)s::bigint[] IS NULL OR id = ANY(%(only)s))
  AND (part, -priority, id) > (%(part)s::int, -%(priority)s::int, %(id)s::bigint)
  AND (%(codes)s::text[] IS NULL OR code = ANY(%(codes)s))
  AND (%(other_codes)s::text[] IS NULL OR code <> ALL(%(other_codes)s))
ORDER BY part, priority DESC, id
LIMIT %(most)s
