-- 0025 django_migrations: which migrations have run
-- Afterwards every process, whatever its role, may check that the database is as new as its code: makemigrations,
-- showmigrations, runserver and createsuperuser do.
-- Needs: 0003_audit. Proved by: tests/rls/test_use_alone.py.

GRANT SELECT ON django_migrations TO app_tenant, app_platform, app_auditor;

INSERT INTO app.declared_grants (object, role_name, privileges, reason)
SELECT 'public.django_migrations', role_name, '{SELECT}', 'Shared: which migrations have run.'
FROM unnest(ARRAY['app_tenant', 'app_platform', 'app_auditor']) AS role_name
-- A project may have granted and declared it in a file of its own.
ON CONFLICT (object, role_name) DO NOTHING;
