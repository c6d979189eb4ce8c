-- What waits in line, class by class: the first of each, and whether there are more. The classes
-- are found by leaping along the index from one to the next, so that a long line costs no more
-- than a short one. Classes that were told a reason and in which nothing waits come along empty.
-- Of a concurrency key for which jobs give way to others all are read, up to `deepest` of a class:
-- which of them is the newest does not depend on how deep the others are read.
WITH RECURSIVE waiting (id) AS (
    (SELECT queue_class_id FROM jobs_job
     WHERE state = 'pending' AND NOT held AND not_before IS NULL AND queue_class_id IS NOT NULL
     ORDER BY queue_class_id LIMIT 1)
    UNION ALL
    SELECT (SELECT queue_class_id FROM jobs_job
            WHERE state = 'pending' AND NOT held AND not_before IS NULL
              AND queue_class_id > waiting.id
            ORDER BY queue_class_id LIMIT 1)
    FROM waiting WHERE waiting.id IS NOT NULL
), hasty AS (
    SELECT DISTINCT c.project_id, c.demand #>> '{key,name}' AS key
    FROM waiting AS w JOIN jobs_queueclass AS c ON c.id = w.id
    WHERE c.demand #>> '{key,on_overflow}' <> 'queue'
)
SELECT c.id, c.project_id, c.priority, c.demand::text, c.reason, c.reason_detail::text, h.jobs,
       h.since, coalesce(cardinality(h.jobs), 0) = d.depth
FROM (
    SELECT id FROM waiting WHERE id IS NOT NULL
    UNION SELECT id FROM jobs_queueclass WHERE reason <> 'queued'
) AS all_classes
JOIN jobs_queueclass AS c USING (id)
LEFT JOIN hasty ON (hasty.project_id, hasty.key) = (c.project_id, c.demand #>> '{key,name}')
CROSS JOIN LATERAL (
    SELECT greatest(%(depth)s, (%(deeper)s::jsonb ->> c.id::text)::int,
                    CASE WHEN hasty.key IS NOT NULL THEN %(deepest)s END) AS depth
) AS d
CROSS JOIN LATERAL (
    SELECT array_agg(id) AS jobs, array_agg(extract(epoch FROM queued_at)::float8) AS since
    FROM (SELECT id, queued_at FROM jobs_job
          WHERE state = 'pending' AND NOT held AND not_before IS NULL AND queue_class_id = c.id
          ORDER BY queued_at, id LIMIT d.depth) AS first
) AS h
ORDER BY c.id
