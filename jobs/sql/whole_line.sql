-- All that waits in line, class by class: the numbers of its jobs and since when each waits (in
-- seconds of the epoch) as bytes, eight for each, because there can be very many. With each
-- class what its jobs' turn goes by: what its project uses and weighs, and all that there is.
-- Jobs that have no class yet are each one of their own.
WITH used AS (
    SELECT j.project_id, sum(a.cpu_millis)::bigint AS cpu_millis,
           sum(a.memory_mb)::bigint AS memory_mb, sum(a.gpus)::bigint AS gpus
    FROM jobs_attempt AS a JOIN jobs_job AS j ON j.id = a.job_id
    WHERE a.ended_at IS NULL
    GROUP BY j.project_id
), room AS (
    SELECT coalesce(sum(coalesce(cpu_millis, found_cpu_millis, 0)), 0)::bigint AS cpu_millis,
           coalesce(sum(coalesce(memory_mb, found_memory_mb, 0)), 0)::bigint AS memory_mb,
           coalesce(sum(coalesce(nullif(gpus, 0), found_gpus)), 0)::bigint AS gpus
    FROM providers_provider
    WHERE deleted_at IS NULL AND mode <> 'inactive'
), queued AS (
    SELECT w.id, c.project_id, c.priority, c.reason, (c.demand -> 'cpu_millis')::int AS cpu_millis,
           (c.demand -> 'memory_mb')::int AS memory_mb, (c.demand -> 'gpus')::int AS gpus,
           c.demand ->> 'provider' AS provider, c.demand ->> 'requires' AS requires, w.jobs, w.since
    FROM (SELECT queue_class_id AS id, string_agg(int8send(id), '') AS jobs,
                 string_agg(float8send(date_part('epoch', queued_at)), '') AS since
          FROM jobs_job
          WHERE state = 'pending' AND NOT held AND not_before IS NULL
            AND queue_class_id IS NOT NULL
          GROUP BY queue_class_id) AS w
    JOIN jobs_queueclass AS c ON c.id = w.id
    UNION ALL
    SELECT NULL, project_id, priority, 'queued', cpu_millis, memory_mb, gpus, '', '[]',
           int8send(id), float8send(date_part('epoch', queued_at))
    FROM jobs_job
    WHERE state = 'pending' AND NOT held AND not_before IS NULL AND queue_class_id IS NULL
)
SELECT q.project_id, p.weight, q.priority, q.reason, q.cpu_millis, q.memory_mb, q.gpus,
       coalesce(u.cpu_millis, 0), coalesce(u.memory_mb, 0), coalesce(u.gpus, 0),
       q.provider, q.requires, q.jobs, q.since,
       room.cpu_millis, room.memory_mb, room.gpus, date_part('epoch', now()), s.patience_seconds
FROM queued AS q
JOIN projects_project AS p ON p.id = q.project_id
LEFT JOIN used AS u ON u.project_id = q.project_id
CROSS JOIN room
CROSS JOIN projects_instancesettings AS s
