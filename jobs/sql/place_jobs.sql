-- Pending jobs become scheduled, each only if it is still pending, free and wanted, and asks for
-- what the planner went by: one that was given another priority or provider in between is looked
-- at again. Each gets its attempt, and an event tells of it.
WITH placed AS (
    UPDATE jobs_job AS j
    SET state = 'scheduled', reason = 'placed', reason_detail = p.detail,
        provider_id = p.provider, attempt = j.attempt + 1, not_before = NULL, rev = j.rev + 1
    FROM jsonb_to_recordset(%s::jsonb) AS p
        (job bigint, provider bigint, waiting bigint, detail jsonb)
    WHERE j.id = p.job AND j.state = 'pending' AND NOT j.held AND j.cancel_requested_at IS NULL
      AND (p.waiting IS NULL OR j.queue_class_id = p.waiting)
    RETURNING j.id, j.rev, j.project_id, p.provider, p.detail, j.attempt, j.cpu_millis,
              j.memory_mb, j.gpus
), made AS (
    INSERT INTO jobs_attempt
        (job_id, number, uid, provider_id, term, cpu_millis, memory_mb, gpus, phase, outcome,
         reason, reason_detail, progress, log_note, log_seq, log_lines, log_stdout_bytes,
         log_stderr_bytes, log_archived_seq, log_archive)
    SELECT id, attempt, gen_random_uuid(), provider, 0, cpu_millis, memory_mb, gpus, 'placed', '',
           '', '{}', '{}', '', 0, 0, 0, 0, 0, '[]'
    FROM placed ORDER BY id
), told AS (
    INSERT INTO projects_event
        (subject_kind, subject_id, project_id, type, from_state, to_state, reason, detail,
         actor_kind, actor_name, via, request_id)
    SELECT 'job', id, project_id, 'job.placed', 'pending', 'scheduled', 'placed',
           detail || jsonb_build_object('attempt', attempt),
           'scheduler', 'scheduler', 'engine', ''
    FROM placed ORDER BY id
)
SELECT id, rev, project_id FROM placed
