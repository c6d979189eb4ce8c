-- New jobs wait from now on, and an event tells of each. One row: the ids in the order given, the
-- times that all of them have, and when the first of them has waited too long.
WITH made AS (
    INSERT INTO jobs_job
        (project_id, name, spec, secrets, labels, image, priority, cpu_millis, memory_mb, gpus,
         queue_timeout_seconds, concurrency_key, queue_class_id, state, reason, reason_detail,
         held, attempt, charged, rev, queue_until, cancel_requested_by, submitted_by_id,
         submitted_via, rerun_of_id, idempotency_key, idempotency_digest)
    SELECT n.project, n.name, n.spec, decode(n.secrets, 'hex'), n.labels, n.image, n.priority,
           n.cpu_millis, n.memory_mb, n.gpus, n.queue_timeout_seconds, n.concurrency_key,
           n.queue_class, 'pending', CASE WHEN n.held THEN 'held' ELSE 'queued' END, '{}',
           n.held, 0, 0, 1,
           CASE WHEN NOT n.held THEN statement_timestamp() + make_interval(secs => n.queue_timeout_seconds) END,
           '', n.submitted_by, %(via)s, n.rerun_of, n.idempotency_key,
           decode(n.idempotency_digest, 'hex')
    FROM jsonb_to_recordset(%(jobs)s::jsonb) AS n
        (nth int, project bigint, name text, spec jsonb, secrets text, labels jsonb, image text,
         priority smallint, cpu_millis int, memory_mb int, gpus int, queue_timeout_seconds int,
         concurrency_key text, queue_class bigint, held boolean, submitted_by int, rerun_of bigint,
         idempotency_key text, idempotency_digest text)
    ORDER BY n.nth
    RETURNING id, project_id, created_at, queued_at, queue_until
), told AS (
    INSERT INTO projects_event
        (subject_kind, subject_id, project_id, type, from_state, to_state, reason, detail,
         actor_kind, actor_id, actor_name, via, request_id)
    SELECT 'job', id, project_id, 'job.submitted', '', 'pending', '', '{}',
           %(kind)s, %(actor)s, %(name)s, %(via)s, %(request)s
    FROM made ORDER BY id
)
SELECT array_agg(id ORDER BY id), min(created_at), min(queued_at), min(queue_until) FROM made
