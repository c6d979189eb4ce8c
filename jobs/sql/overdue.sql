-- The jobs that have waited too long for room, a key or a limit, the longest first: of each class
-- the first, because what is kept for such a job is kept for one of its class at most.
SELECT h.id, c.id, c.project_id, c.demand::text, c.reason, c.reason_detail ->> 'what'
FROM jobs_queueclass AS c
CROSS JOIN projects_instancesettings AS s
CROSS JOIN LATERAL (
    SELECT id, queued_at FROM jobs_job
    WHERE state = 'pending' AND NOT held AND not_before IS NULL AND queue_class_id = c.id
    ORDER BY queued_at, id LIMIT 1
) AS h
WHERE c.reason <> 'queued'
  AND c.reason IN ('apart', 'kept_free', 'kept_limit', 'key_limit', 'no_capacity', 'project_limit')
  AND h.queued_at <= now() - make_interval(secs => s.patience_seconds)
ORDER BY h.queued_at, h.id LIMIT %(most)s
