-- Jobs submitted in the last day, counted by hour and state, and the median wait of those whose
-- program began at the first try (in the row without an hour). The newest %(most)s are looked at.
SELECT hour, state, count(*), min(created_at),
       percentile_cont(0.5) WITHIN GROUP (ORDER BY waited)
FROM (
    SELECT state, created_at, date_trunc('hour', created_at, 'UTC') AS hour,
           CASE WHEN attempt = 1 THEN greatest(0, extract(epoch FROM started_at - created_at)) END
               AS waited
    FROM jobs_job
    WHERE created_at >= now() - interval '24 hours'
      AND (%(projects)s::bigint[] IS NULL OR project_id = ANY(%(projects)s::bigint[]))
      AND (%(by)s::bigint IS NULL OR submitted_by_id = %(by)s::bigint)
    ORDER BY created_at DESC
    LIMIT %(most)s
) AS looked_at
GROUP BY GROUPING SETS ((hour, state), ())
