-- What the last runs of each of these names in its project tell: of the completed ones how many
-- there are and how long they took (half of them, nearly all of them), and the newest of them.
SELECT asked.project, asked.name, count(run.took),
       percentile_cont(0.5) WITHIN GROUP (ORDER BY run.took),
       percentile_disc(0.95) WITHIN GROUP (ORDER BY run.took),
       max(run.id) FILTER (WHERE run.state = 'completed')
FROM unnest(%(projects)s::bigint[], %(names)s::text[]) AS asked(project, name)
CROSS JOIN LATERAL (
    SELECT id, state,
           CASE WHEN state = 'completed' THEN run_seconds END AS took
    FROM jobs_job
    WHERE jobs_job.name = asked.name AND project_id = asked.project
    ORDER BY id DESC
    LIMIT %(most)s
) AS run
GROUP BY asked.project, asked.name
