-- Attempts take their next phases, fenced by their provider's lease, each only where it
-- still is in a phase that may lead there; their jobs get a new revision (and run, when
-- the attempt does), and events tell of each step. One statement, because this is the engine's
-- most frequent write. A fact that a move does not bring keeps its stored value, and a program's
-- start is what was told of it first: a container may be started again by another hand. Jobs of
-- attempts that end are left to the caller, who decides how they go on. A move without steps is
-- of an attempt that stays where it is. The last column says why an ended one's log is not
-- whole, null where it is.
WITH moves AS (
    SELECT * FROM jsonb_to_recordset(%s::jsonb) AS m
        (id bigint, lease text, term bigint, expect jsonb, phase text, steps jsonb, handle jsonb,
         started_at timestamptz, finished_at timestamptz, exit_code int, outcome text,
         reason text, detail jsonb, log_complete boolean, log_note text, fencing boolean)
), held AS (
    SELECT l.name, l.term FROM providers_lease l
    WHERE (l.name, l.term) IN (SELECT lease, term FROM moves)
    ORDER BY l.name FOR KEY SHARE
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
        started_at = coalesce(a.started_at, m.started_at),
        finished_at = coalesce(m.finished_at, a.finished_at),
        exit_code = coalesce(m.exit_code, a.exit_code),
        outcome = coalesce(m.outcome, a.outcome),
        reason = coalesce(m.reason, a.reason),
        reason_detail = coalesce(m.detail, a.reason_detail),
        log_complete = CASE WHEN a.log_complete IS FALSE THEN false
                            ELSE coalesce(m.log_complete, a.log_complete) END,
        log_note = coalesce(m.log_note, a.log_note),
        not_seen_since = NULL,
        pulling_at = CASE WHEN m.steps ? 'pulling' THEN now() ELSE a.pulling_at END,
        creating_at = CASE WHEN m.steps ? 'creating' THEN now() ELSE a.creating_at END,
        starting_at = CASE WHEN m.steps ? 'starting' THEN now() ELSE a.starting_at END,
        fencing_at = CASE WHEN m.fencing THEN now() ELSE a.fencing_at END,
        running_at = CASE WHEN m.steps ? 'running' THEN now() ELSE a.running_at END,
        finishing_at = CASE WHEN m.steps ? 'finishing' THEN now() ELSE a.finishing_at END,
        ended_at = CASE WHEN m.steps ? 'ended' THEN now() ELSE a.ended_at END
    FROM moves m, before b
    WHERE a.id = m.id AND b.id = m.id AND m.expect ? b.phase
    RETURNING a.id, a.job_id, b.phase AS was, m.phase, m.steps, m.reason, m.detail, m.started_at,
              CASE WHEN m.phase = 'ended' AND a.log_complete IS FALSE THEN a.log_note END AS gap
), followed AS (
    UPDATE jobs_job AS j
    SET rev = j.rev + 1,
        state = CASE WHEN v.steps ? 'running' THEN 'running' ELSE j.state END,
        reason = CASE WHEN v.steps ? 'running' THEN '' ELSE j.reason END,
        reason_detail = CASE WHEN v.steps ? 'running' THEN '{}' ELSE j.reason_detail END,
        started_at = CASE WHEN v.steps ? 'running' THEN coalesce(v.started_at, j.started_at)
                          ELSE j.started_at END
    FROM moved v
    WHERE j.id = v.job_id AND v.phase IS DISTINCT FROM 'ended'
      AND (NOT v.steps ? 'running' OR j.state = 'scheduled')
    RETURNING j.id, j.rev, j.project_id
), stepped AS (
    SELECT v.job_id, j.project_id, j.state, s.phase, s.nth,
           CASE WHEN s.nth = 1 THEN v.was ELSE v.steps ->> (s.nth::int - 2) END AS was,
           CASE WHEN s.phase = 'ended' THEN coalesce(v.reason, '') ELSE '' END AS reason,
           CASE WHEN s.phase = 'ended' THEN coalesce(v.detail, '{}') ELSE '{}' END AS detail
    FROM moved v
    JOIN jobs_job j ON j.id = v.job_id
    CROSS JOIN jsonb_array_elements_text(v.steps) WITH ORDINALITY AS s(phase, nth)
), told AS (
    INSERT INTO projects_event
        (subject_kind, subject_id, project_id, type, from_state, to_state, reason, detail,
         actor_kind, actor_name, via, request_id)
    SELECT 'job', e.job_id, e.project_id, e.type, e.source, e.target, e.reason, e.detail,
           'host', 'engine', 'engine', ''
    FROM (
        SELECT job_id, project_id, 'attempt.' || phase AS type, was AS source, phase AS target,
               reason, detail, nth, 1 AS after
        FROM stepped
        UNION ALL
        SELECT job_id, project_id, 'job.started', 'scheduled', 'running', '', '{}', nth, 2
        FROM stepped WHERE phase = 'running' AND state = 'scheduled'
    ) AS e
    ORDER BY e.job_id, e.nth, e.after
)
SELECT m.id, h.name IS NOT NULL, v.was, f.rev, f.project_id, v.gap
FROM moves m
LEFT JOIN held h ON h.name = m.lease AND h.term = m.term
LEFT JOIN moved v ON v.id = m.id
LEFT JOIN followed f ON f.id = v.job_id
