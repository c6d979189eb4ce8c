-- Why classes waited in stretches of time, cut to these; the latest of all that there is.
SELECT s.reason, s.reason_detail::text, greatest(s.since, t.since), least(s.until, t.until)
FROM jsonb_to_recordset(%(stretches)s::jsonb)
    AS t (waiting bigint, since timestamptz, until timestamptz)
CROSS JOIN LATERAL (
    SELECT reason, reason_detail, since, until FROM jobs_waitspan
    WHERE queue_class_id = t.waiting AND (t.until IS NULL OR since < t.until)
      AND (until IS NULL OR until > t.since)
    ORDER BY since DESC LIMIT %(most)s
) AS s
ORDER BY 3 DESC LIMIT %(most)s
