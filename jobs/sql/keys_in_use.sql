-- The jobs of concurrency keys that are placed or run, the oldest first, and those of them that
-- are told to stop.
SELECT project_id, concurrency_key, array_agg(id ORDER BY id),
       coalesce(array_agg(id) FILTER (WHERE cancel_requested_at IS NOT NULL), '{}')
FROM jobs_job
WHERE state IN ('pending', 'scheduled', 'running') AND concurrency_key <> ''
  AND state <> 'pending'
  AND (project_id, concurrency_key) IN (
      SELECT project, key FROM jsonb_to_recordset(%s::jsonb) AS k (project bigint, key text))
GROUP BY project_id, concurrency_key
