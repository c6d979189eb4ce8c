-- What live attempts hold on each provider and of each project: limits are queries, never
-- counters.
SELECT a.provider_id, j.project_id, sum(a.cpu_millis)::bigint, sum(a.memory_mb)::bigint,
       sum(a.gpus)::bigint, count(*)
FROM jobs_attempt AS a JOIN jobs_job AS j ON j.id = a.job_id
WHERE a.ended_at IS NULL
GROUP BY GROUPING SETS ((a.provider_id), (j.project_id))
