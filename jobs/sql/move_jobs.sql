-- Jobs follow their latest attempts, which have ended: the rows are locked and were decided on by
-- the caller. How long a program ran is its engine's word. A job that is given back before its
-- program ran, and not by its own doing, waits on: it is as old as before. The limit of a wait
-- counts while it is in line, which one that backs off is not yet (due.sql).
UPDATE jobs_job AS j
SET state = m.state, reason = m.reason, reason_detail = m.detail, rev = j.rev + 1,
    exit_code = coalesce(m.exit_code, j.exit_code),
    charged = j.charged + m.charge,
    started_at = coalesce(a.started_at, j.started_at),
    finished_at = CASE WHEN m.ends THEN now() END,
    run_seconds = CASE WHEN m.ends AND a.started_at IS NOT NULL AND a.finished_at IS NOT NULL
                       THEN greatest(0, extract(epoch FROM a.finished_at - a.started_at)) END,
    queued_at = CASE WHEN m.state <> 'pending'
                       OR (j.state = 'scheduled' AND NOT m.ran_now AND m.charge = 0)
                     THEN j.queued_at ELSE now() END,
    queue_until = CASE WHEN m.state = 'pending' AND m.delay = 0
                       THEN now() + make_interval(secs => j.queue_timeout_seconds) END,
    not_before = CASE WHEN m.state = 'pending' AND m.delay > 0
                      THEN now() + make_interval(secs => m.delay) END,
    provider_id = CASE WHEN m.state = 'pending' THEN NULL ELSE j.provider_id END
FROM jsonb_to_recordset(%s::jsonb) AS m
    (id bigint, state text, reason text, detail jsonb, exit_code int, charge int,
     ran_now boolean, ends boolean, delay double precision), jobs_attempt AS a
WHERE j.id = m.id AND a.job_id = j.id AND a.number = j.attempt
RETURNING j.id, j.rev, j.project_id, m.ends
