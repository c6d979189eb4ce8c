-- Pending jobs become scheduled, each only if it is still pending, free and wanted.
UPDATE jobs_job AS j
SET state = 'scheduled', reason = 'placed', reason_detail = p.detail, provider_id = p.provider,
    attempt = j.attempt + 1, not_before = NULL, rev = j.rev + 1
FROM jsonb_to_recordset(%s::jsonb) AS p (job bigint, provider bigint, detail jsonb)
WHERE j.id = p.job AND j.state = 'pending' AND NOT j.held AND j.cancel_requested_at IS NULL
RETURNING j.id, j.rev, j.project_id, p.provider, j.attempt, j.cpu_millis, j.memory_mb, j.gpus
