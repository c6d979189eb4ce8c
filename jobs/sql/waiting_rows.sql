-- Jobs that wait, as they stand: those in the queue in the planner's order with their places in
-- it (part 0), then those that back off (1), then those that are held (2). What is null among
-- the conditions asks nothing.
WITH queue AS (
    SELECT id, row_number() OVER (ORDER BY priority DESC, id) AS place
    FROM jobs_job
    WHERE state = 'pending' AND NOT held AND (not_before IS NULL OR not_before <= now())
), waiting AS (
    SELECT id, priority, cpu_millis, memory_mb, gpus, spec,
           CASE WHEN held THEN 2 WHEN not_before > now() THEN 1 ELSE 0 END AS part,
           CASE WHEN held THEN 'held' WHEN not_before > now() THEN 'backoff'
                WHEN reason IN ('held', 'backoff') THEN 'queued' ELSE reason END AS code
    FROM jobs_job
    WHERE state = 'pending'
      AND (%(projects)s::bigint[] IS NULL OR project_id = ANY(%(projects)s))
      AND (%(only)s::bigint[] IS NULL OR id = ANY(%(only)s))
)
SELECT w.part, w.priority, w.id, q.place
FROM waiting AS w LEFT JOIN queue AS q USING (id)
WHERE (w.part, -w.priority, w.id) > (%(part)s::int, -%(priority)s::int, %(id)s::bigint)
  AND (%(codes)s::text[] IS NULL OR w.code = ANY(%(codes)s))
  AND (%(other_codes)s::text[] IS NULL OR w.code <> ALL(%(other_codes)s))
  AND (%(among)s::boolean IS NULL OR %(among)s = (
      (w.cpu_millis, w.memory_mb, w.gpus, coalesce(w.spec ->> 'provider', ''),
       coalesce(nullif(w.spec -> 'requires', 'null'), '[]'))
      IN (SELECT cpu_millis, memory_mb, gpus, provider, requires
          FROM jsonb_to_recordset(%(demands)s::jsonb)
              AS d (cpu_millis int, memory_mb int, gpus int, provider text, requires jsonb))))
ORDER BY w.part, w.priority DESC, w.id
LIMIT %(most)s
