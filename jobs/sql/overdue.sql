-- The jobs that have waited too long and that no provider has room for, the longest first: of
-- each class the first, because a provider is kept free for one of it at most.
SELECT h.id, c.id, c.project_id, c.demand::text
FROM jobs_queueclass AS c
CROSS JOIN projects_instancesettings AS s
CROSS JOIN LATERAL (
    SELECT id, queued_at FROM jobs_job
    WHERE state = 'pending' AND NOT held AND not_before IS NULL AND queue_class_id = c.id
    ORDER BY queued_at, id LIMIT 1
) AS h
WHERE c.reason <> 'queued' AND c.reason IN ('apart', 'kept_free', 'no_capacity')
  AND h.queued_at <= now() - make_interval(secs => s.patience_seconds)
ORDER BY h.queued_at, h.id LIMIT %(most)s
