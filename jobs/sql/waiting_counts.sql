-- How many jobs of some projects (null: of all) wait for what, since when the longest, and what
-- they ask for together. Held and backed-off jobs are told as such, whatever else is stored.
SELECT CASE WHEN held THEN 'held' WHEN not_before > now() THEN 'backoff'
            WHEN reason IN ('held', 'backoff') THEN 'queued' ELSE reason END AS code,
       count(*), min(queued_at), sum(cpu_millis)::bigint, sum(memory_mb)::bigint
FROM jobs_job
WHERE state = 'pending' AND (%(projects)s::bigint[] IS NULL OR project_id = ANY(%(projects)s))
GROUP BY code
