-- The queue in its order: what may be placed now, and what has waited past its limit.
SELECT id, cpu_millis, memory_mb, gpus, coalesce(spec ->> 'provider', ''), spec -> 'requires',
       queue_timeout_seconds IS NOT NULL
           AND queued_at + make_interval(secs => queue_timeout_seconds) <= now() AS expired
FROM jobs_job
WHERE state = 'pending' AND NOT held AND (not_before IS NULL OR not_before <= now())
ORDER BY priority DESC, id
