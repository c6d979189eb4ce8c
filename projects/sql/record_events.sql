-- Append events, all of one actor.
INSERT INTO projects_event
    (subject_kind, subject_id, project_id, type, from_state, to_state, reason, detail,
     actor_kind, actor_id, actor_name, via, request_id)
SELECT e.kind, e.id, e.project, e.type, e.source, e.target, e.reason, e.detail,
       %s, %s, %s, %s, %s
FROM jsonb_to_recordset(%s::jsonb) AS e
    (kind text, id bigint, project bigint, type text, source text, target text,
     reason text, detail jsonb)
