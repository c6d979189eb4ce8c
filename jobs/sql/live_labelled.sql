-- Which jobs run where that have a label of their project with one of these values: those that
-- others keep apart from.
SELECT a.provider_id, p.project, p.label, p.value, array_agg(j.id ORDER BY j.id)
FROM jobs_attempt AS a
JOIN jobs_job AS j ON j.id = a.job_id
JOIN jsonb_to_recordset(%s::jsonb) AS p (project bigint, label text, value text)
  ON p.project = j.project_id AND p.value = j.labels ->> p.label
WHERE a.ended_at IS NULL
GROUP BY 1, 2, 3, 4
