-- Reverts 0011 Django's own tables.
DELETE FROM app.declared_grants
WHERE object ^@ 'public.auth_' OR (object ^@ 'public.django_' AND object <> 'public.django_migrations');
REVOKE USAGE ON ALL SEQUENCES IN SCHEMA public FROM app_platform;
REVOKE ALL ON
    auth_group,
    auth_group_permissions,
    auth_permission,
    auth_user,
    auth_user_groups,
    auth_user_user_permissions,
    django_admin_log,
    django_content_type,
    django_session
    FROM app_platform;
