-- Attempts take their next phase, fenced by their provider's lease, each only where it
-- still is in a phase that may lead there; their jobs get a new revision (and run, when
-- the attempt does), and events tell of it. One statement, because this is the engine's
-- most frequent write. A fact that a move does not bring keeps its stored value. How a
-- job goes on after an attempt's end is decided by the caller. A move without a phase is
-- of an attempt that stays where it is. The last column says why an ended one's log is not
-- whole, null where it is.
WITH moves AS (
    SELECT * FROM jsonb_to_recordset(%s::jsonb) AS m
        (id bigint, lease text, term bigint, expect jsonb, phase text, handle jsonb,
         started_at timestamptz, finished_at timestamptz, exit_code int, outcome text,
         reason text, detail jsonb, log_complete boolean, log_note text, fencing boolean)
), held AS (
    SELECT l.name, l.term FROM providers_lease l
    WHERE (l.name, l.term) IN (SELECT lease, term FROM moves)
    ORDER BY l.name FOR SHARE
), before AS (
    SELECT a.id, a.phase FROM jobs_attempt a
    JOIN moves m ON m.id = a.id
    JOIN held h ON h.name = m.lease AND h.term = m.term
    ORDER BY a.id FOR UPDATE OF a
), moved AS (
    UPDATE jobs_attempt AS a
    SET phase = coalesce(m.phase, a.phase),
        handle = coalesce(m.handle, a.handle),
        term = m.term,
        started_at = coalesce(m.started_at, a.started_at),
        finished_at = coalesce(m.finished_at, a.finished_at),
        exit_code = coalesce(m.exit_code, a.exit_code),
        outcome = coalesce(m.outcome, a.outcome),
        reason = coalesce(m.reason, a.reason),
        reason_detail = coalesce(m.detail, a.reason_detail),
        log_complete = CASE WHEN a.log_complete IS FALSE THEN false
                            ELSE coalesce(m.log_complete, a.log_complete) END,
        log_note = coalesce(m.log_note, a.log_note),
        not_seen_since = NULL,
        pulling_at = CASE WHEN m.phase = 'pulling' THEN now() ELSE a.pulling_at END,
        creating_at = CASE WHEN m.phase = 'creating' THEN now() ELSE a.creating_at END,
        starting_at = CASE WHEN m.phase = 'starting' THEN now() ELSE a.starting_at END,
        fencing_at = CASE WHEN m.fencing THEN now() ELSE a.fencing_at END,
        running_at = CASE WHEN m.phase = 'running' THEN now() ELSE a.running_at END,
        finishing_at = CASE WHEN m.phase = 'finishing' THEN now() ELSE a.finishing_at END,
        ended_at = CASE WHEN m.phase = 'ended' THEN now() ELSE a.ended_at END
    FROM moves m, before b
    WHERE a.id = m.id AND b.id = m.id AND m.expect ? b.phase
    RETURNING a.id, a.job_id, b.phase AS was, m.phase, m.reason, m.detail, m.started_at,
              CASE WHEN m.phase = 'ended' AND a.log_complete IS FALSE THEN a.log_note END AS gap
), followed AS (
    UPDATE jobs_job AS j
    SET rev = j.rev + 1,
        state = CASE WHEN v.phase = 'running' THEN 'running' ELSE j.state END,
        reason = CASE WHEN v.phase = 'running' THEN '' ELSE j.reason END,
        reason_detail = CASE WHEN v.phase = 'running' THEN '{}' ELSE j.reason_detail END,
        started_at = CASE WHEN v.phase = 'running' THEN coalesce(v.started_at, j.started_at)
                          ELSE j.started_at END
    FROM moved v
    WHERE j.id = v.job_id AND v.phase IS DISTINCT FROM 'ended'
      AND (v.phase IS DISTINCT FROM 'running' OR j.state = 'scheduled')
    RETURNING j.id, j.rev, j.project_id, v.phase
), told AS (
    INSERT INTO projects_event
        (subject_kind, subject_id, project_id, type, from_state, to_state, reason, detail,
         actor_kind, actor_name, via, request_id)
    SELECT 'job', e.job_id, e.project_id, e.type, e.source, e.target, e.reason, e.detail,
           'host', 'engine', 'engine', ''
    FROM (
        SELECT v.job_id, j.project_id, 'attempt.' || v.phase AS type, v.was AS source,
               v.phase AS target, coalesce(v.reason, '') AS reason,
               coalesce(v.detail, '{}') AS detail, 1 AS nth
        FROM moved v JOIN jobs_job j ON j.id = v.job_id WHERE v.phase IS NOT NULL
        UNION ALL
        SELECT f.id, f.project_id, 'job.started', 'scheduled', 'running', '', '{}', 2
        FROM followed f WHERE f.phase = 'running'
    ) AS e
    ORDER BY e.job_id, e.nth
)
SELECT m.id, h.name IS NOT NULL, v.was, f.rev, f.project_id, v.gap
FROM moves m
LEFT JOIN held h ON h.name = m.lease AND h.term = m.term
LEFT JOIN moved v ON v.id = m.id
LEFT JOIN followed f ON f.id = v.job_id
