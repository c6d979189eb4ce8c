-- The newest reading of each attempt that runs on these providers: its page, its last record.
SELECT a.provider_id, a.id, s.page, s.record
FROM jobs_attempt a
CROSS JOIN LATERAL (
    SELECT page, substring(body FROM octet_length(body) - %(size)s + 1) AS record
    FROM jobs_statpage
    WHERE attempt_id = a.id AND page >= %(page)s
    ORDER BY page DESC LIMIT 1
) s
WHERE a.provider_id = ANY(%(providers)s) AND a.ended_at IS NULL
  AND a.phase IN ('running', 'finishing')
