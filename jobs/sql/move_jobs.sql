-- Jobs follow their attempts: the rows are locked and were decided on by the caller.
UPDATE jobs_job AS j
SET state = m.state, reason = m.reason, reason_detail = m.detail, rev = j.rev + 1,
    exit_code = coalesce(m.exit_code, j.exit_code),
    charged = j.charged + m.charge,
    started_at = coalesce(m.started_at, j.started_at),
    finished_at = CASE WHEN m.ends THEN now() END,
    queued_at = CASE WHEN m.state = 'pending' THEN now() ELSE j.queued_at END,
    reason_since = CASE WHEN m.state = 'pending' THEN now() ELSE j.reason_since END,
    not_before = CASE WHEN m.state = 'pending' THEN now() + make_interval(secs => m.delay) END,
    provider_id = CASE WHEN m.state = 'pending' THEN NULL ELSE j.provider_id END
FROM jsonb_to_recordset(%s::jsonb) AS m
    (id bigint, state text, reason text, detail jsonb, exit_code int, charge int,
     started_at timestamptz, ends boolean, delay double precision)
WHERE j.id = m.id
RETURNING j.id, j.rev, j.project_id, m.ends
