-- What live attempts hold on each provider and of each project: limits are queries, never
-- counters. The phases are named for the index of live attempts to be used.
SELECT a.provider_id, j.project_id, sum(a.cpu_millis)::bigint, sum(a.memory_mb)::bigint,
       sum(a.gpus)::bigint, count(*)
FROM jobs_attempt AS a JOIN jobs_job AS j ON j.id = a.job_id
WHERE a.phase IN ('creating', 'finishing', 'placed', 'pulling', 'running', 'starting')
GROUP BY GROUPING SETS ((a.provider_id), (j.project_id))
