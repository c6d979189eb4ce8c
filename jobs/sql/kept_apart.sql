-- What the live jobs of each provider keep apart from.
SELECT DISTINCT a.provider_id, j.project_id, pair ->> 0, pair ->> 1
FROM jobs_attempt AS a
JOIN jobs_job AS j ON j.id = a.job_id
JOIN jobs_queueclass AS c ON c.id = j.queue_class_id
CROSS JOIN LATERAL jsonb_array_elements(c.demand -> 'apart') AS pair
WHERE a.phase IN ('creating', 'finishing', 'placed', 'pulling', 'running', 'starting')
