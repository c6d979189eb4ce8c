-- Who bears a token, with the roles of its user: what every request of a script begins with.
SELECT t.id, t.last_used_at, u.id, u.username, u.is_superuser, u.is_staff,
       (SELECT coalesce(jsonb_object_agg(m.project_id, m.role), '{}')
        FROM projects_membership m WHERE m.user_id = u.id)
FROM projects_apitoken t
JOIN auth_user u ON u.id = t.user_id AND u.is_active
WHERE t.digest = %s AND t.revoked_at IS NULL AND (t.expires_at IS NULL OR t.expires_at > now())
