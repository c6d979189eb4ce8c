-- Which of these jobs have a label of their project with one of these values: those that others
-- keep apart from.
SELECT j.id, p.project, p.label, p.value
FROM jobs_job AS j
JOIN jsonb_to_recordset(%(pairs)s::jsonb) AS p (project bigint, label text, value text)
  ON p.project = j.project_id AND p.value = j.labels ->> p.label
WHERE j.id = ANY(%(jobs)s)
