-- Reverts 0025 django_migrations: only the owner reads which migrations have run.
DELETE FROM app.declared_grants WHERE object = 'public.django_migrations';
REVOKE SELECT ON django_migrations FROM app_tenant, app_platform, app_auditor;
