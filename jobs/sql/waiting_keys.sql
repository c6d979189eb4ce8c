-- The concurrency keys (of these projects; null: of all) with which most jobs wait: how many, how
-- many run, since when the longest is in line, and the smallest limit that any of them sets.
SELECT p.slug, k.concurrency_key, k.waiting, k.running, l.oldest, l.most
FROM (
    SELECT project_id, concurrency_key, count(*) FILTER (WHERE state = 'pending') AS waiting,
           count(*) FILTER (WHERE state <> 'pending') AS running
    FROM jobs_job
    WHERE state IN ('pending', 'scheduled', 'running') AND concurrency_key <> ''
      AND (%(projects)s::bigint[] IS NULL OR project_id = ANY(%(projects)s))
    GROUP BY project_id, concurrency_key
    HAVING count(*) FILTER (WHERE state = 'pending') > 0
    ORDER BY waiting DESC, project_id, concurrency_key
    LIMIT %(most)s
) AS k
JOIN projects_project AS p ON p.id = k.project_id
LEFT JOIN LATERAL (
    SELECT min(w.oldest) AS oldest, min((c.demand #> '{key,limit}')::int) AS most
    FROM jobs_queueclass AS c
    CROSS JOIN LATERAL (
        SELECT min(queued_at) AS oldest FROM jobs_job
        WHERE state = 'pending' AND NOT held AND not_before IS NULL AND queue_class_id = c.id
    ) AS w
    WHERE c.project_id = k.project_id AND c.demand #>> '{key,name}' = k.concurrency_key
      AND EXISTS (SELECT FROM jobs_job
                  WHERE state = 'pending' AND project_id = k.project_id
                    AND concurrency_key = k.concurrency_key AND queue_class_id = c.id)
) AS l ON true
ORDER BY k.waiting DESC, k.project_id, k.concurrency_key
