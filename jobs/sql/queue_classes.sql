-- The classes that ask so; those that are there are kept from being deleted until the
-- transaction ends, those that are not are made. A twin that makes one at the same moment
-- hides it from both halves: ask again for what is missing.
WITH asked AS (
    SELECT project, priority, demand, sha256(convert_to(demand, 'UTF8')) AS digest
    FROM jsonb_to_recordset(%s::jsonb) AS a (project bigint, priority smallint, demand text)
), found AS (
    SELECT c.id, c.project_id, c.priority, c.digest
    FROM jobs_queueclass AS c JOIN asked AS a
      ON (c.project_id, c.priority, c.digest) = (a.project, a.priority, a.digest)
    FOR KEY SHARE OF c
), made AS (
    INSERT INTO jobs_queueclass (project_id, priority, digest, demand, reason, reason_detail, rev)
    SELECT project, priority, digest, demand::jsonb, 'queued', '{}', 1
    FROM asked AS a
    WHERE NOT EXISTS (
        SELECT 1 FROM found AS f
        WHERE (f.project_id, f.priority, f.digest) = (a.project, a.priority, a.digest))
    ORDER BY project, priority, digest
    ON CONFLICT DO NOTHING
    RETURNING id, project_id, priority, digest
)
SELECT * FROM found UNION ALL SELECT * FROM made
