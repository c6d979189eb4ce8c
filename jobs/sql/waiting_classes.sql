-- What waits, in classes of equal demand: how many there are, and the first of each. Held jobs
-- wait for a person, not for a provider. Grouping by text and in the queue's own order spares a
-- second sort, which was half of the time with 10,000 jobs.
SELECT cpu_millis, memory_mb, gpus, pinned, requires, count(*), (array_agg(id))[:%(first)s::int]
FROM (
    SELECT j.id, j.cpu_millis, j.memory_mb, j.gpus,
           coalesce(c.demand ->> 'provider', j.spec ->> 'provider', '') AS pinned,
           coalesce(c.demand ->> 'requires', j.spec ->> 'requires') AS requires
    FROM jobs_job AS j LEFT JOIN jobs_queueclass AS c ON c.id = j.queue_class_id
    WHERE j.state = 'pending' AND NOT j.held
    ORDER BY j.priority DESC, j.id LIMIT %(most)s
) AS queue
GROUP BY 1, 2, 3, 4, 5
ORDER BY count(*) DESC
