-- Readings go to the end of their page; a page that is full, by a clock that stands, takes none.
INSERT INTO jobs_statpage AS p (attempt_id, page, body)
SELECT g.attempt, g.page, g.body
FROM unnest(%s::bigint[], %s::bigint[], %s::bytea[]) AS g (attempt, page, body)
ORDER BY g.attempt, g.page
ON CONFLICT (attempt_id, page) DO UPDATE SET body = p.body || excluded.body
WHERE octet_length(p.body) < %s
