-- Logs grow only from where their writer left them; a second writer grows nothing.
UPDATE jobs_attempt AS a
SET log_seq = g.seq, log_lines = g.lines, log_stdout_bytes = g.stdout,
    log_stderr_bytes = g.stderr, log_cursor = g.cursor,
    log_complete = CASE WHEN g.note IS NULL THEN a.log_complete ELSE false END,
    log_note = coalesce(g.note, a.log_note)
FROM jsonb_to_recordset(%s::jsonb) AS g
    (id bigint, was bigint, seq bigint, lines bigint, stdout bigint, stderr bigint,
     cursor jsonb, note text)
WHERE a.id = g.id AND a.log_seq = g.was
RETURNING a.id
