-- Retries that are due stand in line again. A wait that began with the last attempt's end begins
-- now: backing off is not waiting. One that goes on from before that attempt is as old as it was.
UPDATE jobs_job AS j
SET not_before = NULL, reason = 'queued', reason_detail = '{}', rev = j.rev + 1,
    queued_at = CASE WHEN due.goes_on THEN j.queued_at ELSE now() END,
    queue_until = now() + make_interval(secs => j.queue_timeout_seconds)
FROM (
    SELECT id, EXISTS (SELECT FROM jobs_attempt AS a
                       WHERE a.job_id = w.id AND a.number = w.attempt
                         AND a.ended_at > w.queued_at) AS goes_on
    FROM jobs_job AS w
    WHERE state = 'pending' AND not_before IS NOT NULL AND not_before <= now()
    ORDER BY not_before LIMIT 5000 FOR NO KEY UPDATE SKIP LOCKED
) AS due
WHERE j.id = due.id
RETURNING j.id, j.rev, j.project_id
