-- Those leases that still stand at these terms, locked so that no takeover passes.
SELECT l.name, l.term FROM providers_lease l
JOIN unnest(%s::text[], %s::bigint[]) AS f (name, term) ON l.name = f.name AND l.term = f.term
ORDER BY l.name FOR KEY SHARE OF l
