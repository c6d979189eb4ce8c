-- The last runs of each of these names in its project, newest first.
SELECT asked.project, asked.name, run.id, run.state, run.started_at, run.run_seconds
FROM unnest(%(projects)s::bigint[], %(names)s::text[]) AS asked(project, name)
CROSS JOIN LATERAL (
    SELECT id, state, started_at, run_seconds
    FROM jobs_job
    WHERE jobs_job.name = asked.name AND project_id = asked.project
    ORDER BY id DESC
    LIMIT %(most)s
) AS run
