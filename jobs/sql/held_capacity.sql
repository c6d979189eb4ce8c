-- What live attempts hold on each provider: limits are queries, never counters.
SELECT provider_id, sum(cpu_millis)::bigint, sum(memory_mb)::bigint, sum(gpus)::bigint, count(*)
FROM jobs_attempt WHERE phase <> 'ended' GROUP BY provider_id
