-- The most that an attempt has used so far; mostly nothing changes. Its row is locked already.
UPDATE jobs_attempt AS a
SET cpu_peak_millis = greatest(a.cpu_peak_millis, g.cpu),
    memory_peak_at = CASE WHEN g.memory > coalesce(a.memory_peak_bytes, -1)
                          THEN g.at ELSE a.memory_peak_at END,
    memory_peak_bytes = greatest(a.memory_peak_bytes, g.memory)
FROM unnest(%s::bigint[], %s::bigint[], %s::bigint[], %s::timestamptz[])
    AS g (attempt, cpu, memory, at)
WHERE a.id = g.attempt
  AND (g.memory > coalesce(a.memory_peak_bytes, -1) OR g.cpu > coalesce(a.cpu_peak_millis, -1))
