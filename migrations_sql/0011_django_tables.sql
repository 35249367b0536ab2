-- 0011 Django's own tables
-- Afterwards staff can use the admin on the platform connection; the serving role has no right on these tables.
-- Needs: the migrations of django.contrib.admin, auth, contenttypes and sessions. Proved by: tests/core/test_admin.py.

GRANT SELECT, INSERT, UPDATE, DELETE ON
    auth_group,
    auth_group_permissions,
    auth_permission,
    auth_user,
    auth_user_groups,
    auth_user_user_permissions,
    django_content_type,
    django_session
    TO app_platform;

-- The log of the admin grows and is never rewritten.
GRANT SELECT, INSERT ON django_admin_log TO app_platform;

GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO app_platform;

INSERT INTO app.declared_grants (object, role_name, privileges, reason)
SELECT 'public.' || name, 'app_platform'::name, '{SELECT,INSERT,UPDATE,DELETE}'::text[], 'Shared: staff of the platform, and what Django keeps for them.'
FROM unnest(ARRAY['auth_group', 'auth_group_permissions', 'auth_permission', 'auth_user', 'auth_user_groups',
                  'auth_user_user_permissions', 'django_content_type', 'django_session']) AS name
UNION ALL
SELECT 'public.django_admin_log', 'app_platform', '{SELECT,INSERT}', 'Shared: what staff did, append-only.';
