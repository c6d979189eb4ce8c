-- Retries that are due stand in line again.
UPDATE jobs_job AS j
SET not_before = NULL, reason = 'queued', reason_detail = '{}', rev = j.rev + 1
FROM (
    SELECT id FROM jobs_job
    WHERE state = 'pending' AND not_before IS NOT NULL AND not_before <= now()
    ORDER BY not_before LIMIT 5000 FOR NO KEY UPDATE SKIP LOCKED
) AS due
WHERE j.id = due.id
RETURNING j.id, j.rev, j.project_id
