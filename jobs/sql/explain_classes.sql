-- Why the jobs of classes wait, where that changed: the span of the reason before is over, and
-- one of the new reason begins. `queued` is no reason to remember.
WITH changed AS (
    UPDATE jobs_queueclass AS c
    SET reason = w.reason, reason_detail = w.detail, rev = c.rev + 1,
        since = CASE WHEN c.reason = w.reason THEN c.since ELSE now() END
    FROM jsonb_to_recordset(%s::jsonb) AS w (waiting bigint, reason text, detail jsonb)
    WHERE c.id = w.waiting
      AND (c.reason, c.reason_detail) IS DISTINCT FROM (w.reason, w.detail)
    RETURNING c.id, c.project_id, c.reason, c.reason_detail
), over AS (
    UPDATE jobs_waitspan AS s SET until = now()
    FROM changed WHERE s.queue_class_id = changed.id AND s.until IS NULL
    RETURNING s.id
), begun AS (
    INSERT INTO jobs_waitspan (queue_class_id, reason, reason_detail)
    SELECT id, reason, reason_detail FROM changed
    -- counting them is what makes the spans before be over first: one at most is open
    WHERE reason <> 'queued' AND (SELECT count(*) FROM over) >= 0
    ORDER BY id
)
SELECT DISTINCT project_id FROM changed
