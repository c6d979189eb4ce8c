-- Attempts take their next phase where they still are in one that may lead to it.
-- A fact that a move does not bring keeps its stored value.
WITH moves AS (
    SELECT * FROM jsonb_to_recordset(%s::jsonb) AS m
        (id bigint, expect jsonb, phase text, handle jsonb, started_at timestamptz,
         finished_at timestamptz, exit_code int, outcome text, reason text, detail jsonb,
         log_complete boolean, log_note text, term bigint)
), before AS (
    SELECT a.id, a.phase FROM jobs_attempt a JOIN moves m ON m.id = a.id
    ORDER BY a.id FOR UPDATE OF a
)
UPDATE jobs_attempt AS a
SET phase = m.phase,
    handle = coalesce(m.handle, a.handle),
    term = m.term,
    started_at = coalesce(m.started_at, a.started_at),
    finished_at = coalesce(m.finished_at, a.finished_at),
    exit_code = coalesce(m.exit_code, a.exit_code),
    outcome = coalesce(m.outcome, a.outcome),
    reason = coalesce(m.reason, a.reason),
    reason_detail = coalesce(m.detail, a.reason_detail),
    log_complete = coalesce(m.log_complete, a.log_complete),
    log_note = coalesce(m.log_note, a.log_note),
    not_seen_since = NULL,
    pulling_at = CASE WHEN m.phase = 'pulling' THEN now() ELSE a.pulling_at END,
    creating_at = CASE WHEN m.phase = 'creating' THEN now() ELSE a.creating_at END,
    starting_at = CASE WHEN m.phase = 'starting' THEN now() ELSE a.starting_at END,
    running_at = CASE WHEN m.phase = 'running' THEN now() ELSE a.running_at END,
    finishing_at = CASE WHEN m.phase = 'finishing' THEN now() ELSE a.finishing_at END,
    ended_at = CASE WHEN m.phase = 'ended' THEN now() ELSE a.ended_at END
FROM moves m, before b
WHERE a.id = m.id AND b.id = m.id AND m.expect ? b.phase
RETURNING a.id, b.phase
