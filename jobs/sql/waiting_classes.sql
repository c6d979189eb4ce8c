-- What waits, in classes of equal demand: how many there are, and the first of each. Held jobs
-- wait for a person, not for a provider. Grouping by text and in the queue's own order spares a
-- second sort, which was half of the time with 10,000 jobs.
SELECT cpu_millis, memory_mb, gpus, pinned, requires, count(*), (array_agg(id))[:%(first)s::int]
FROM (
    SELECT id, cpu_millis, memory_mb, gpus, coalesce(spec ->> 'provider', '') AS pinned,
           spec ->> 'requires' AS requires
    FROM jobs_job
    WHERE state = 'pending' AND NOT held
    ORDER BY priority DESC, id LIMIT %(most)s
) AS queue
GROUP BY 1, 2, 3, 4, 5
ORDER BY count(*) DESC
