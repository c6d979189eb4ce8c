-- What waits out of line, by priority: first what backs off (part 1), then what is held (2).
SELECT part, priority, id
FROM (
    (SELECT 1 AS part, priority, id
     FROM jobs_job
     WHERE state = 'pending' AND NOT held AND not_before IS NOT NULL AND 1 = ANY(%(parts)s)
       AND (%(projects)s::bigint[] IS NULL OR project_id = ANY(%(projects)s))
       AND (1, -priority, id) > (%(part)s::int, %(minus)s::int, %(id)s::bigint)
     ORDER BY priority DESC, id LIMIT %(most)s)
    UNION ALL
    (SELECT 2, priority, id
     FROM jobs_job
     WHERE state = 'pending' AND held AND 2 = ANY(%(parts)s)
       AND (%(projects)s::bigint[] IS NULL OR project_id = ANY(%(projects)s))
       AND (2, -priority, id) > (%(part)s::int, %(minus)s::int, %(id)s::bigint)
     ORDER BY priority DESC, id LIMIT %(most)s)
) AS aside
ORDER BY part, priority DESC, id
LIMIT %(most)s
