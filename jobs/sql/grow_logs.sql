-- Logs grow only from where their writer left them; a second writer grows nothing. Rows
-- are locked by id, as the moves of attempts lock them: in any other order the two could
-- wait for each other.
WITH grown AS (
    SELECT * FROM jsonb_to_recordset(%s::jsonb) AS g
        (id bigint, was bigint, seq bigint, lines bigint, stdout bigint, stderr bigint,
         cursor jsonb, note text)
), mine AS (
    SELECT a.id FROM jobs_attempt a JOIN grown g ON a.id = g.id AND a.log_seq = g.was
    ORDER BY a.id FOR NO KEY UPDATE OF a
)
UPDATE jobs_attempt AS a
SET log_seq = g.seq, log_lines = g.lines, log_stdout_bytes = g.stdout,
    log_stderr_bytes = g.stderr, log_cursor = g.cursor,
    log_complete = CASE WHEN g.note IS NULL THEN a.log_complete ELSE false END,
    log_note = coalesce(g.note, a.log_note)
FROM grown g JOIN mine m ON m.id = g.id
WHERE a.id = g.id AND a.log_seq = g.was
RETURNING a.id
