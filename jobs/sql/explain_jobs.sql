-- Why pending jobs wait, where that changed.
UPDATE jobs_job AS j
SET reason = w.reason, reason_detail = w.detail, rev = j.rev + 1,
    reason_since = CASE WHEN j.reason = w.reason THEN j.reason_since ELSE now() END
FROM jsonb_to_recordset(%s::jsonb) AS w (job bigint, reason text, detail jsonb)
WHERE j.id = w.job AND j.state = 'pending'
  AND (j.reason, j.reason_detail) IS DISTINCT FROM (w.reason, w.detail)
RETURNING j.id, j.rev, j.project_id
