-- What stands against one more job of a project: how many wait, counted up to `most` (none where
-- that is null), and how old in seconds the nth newest is (none: there are fewer, or nobody asks).
SELECT (SELECT count(*) FROM (
            SELECT FROM jobs_job WHERE project_id = %(project)s AND state = 'pending'
            LIMIT coalesce(%(most)s::int, 0)) AS waiting),
       (SELECT extract(epoch FROM clock_timestamp() - created_at)::float8 FROM jobs_job
        WHERE project_id = %(project)s AND %(nth)s::int IS NOT NULL
        ORDER BY id DESC LIMIT 1 OFFSET coalesce(%(nth)s::int, 0))
