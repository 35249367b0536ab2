-- A witness of the isolation that is no part of it: pgTAP compares the catalog with what is written out here by hand.
-- It reads pg_catalog and nothing in the schema `app`, so a mistake of our own audit is not repeated in it.
-- Needs: a superuser, and the extension pgtap on the server (Debian: postgresql-<major>-pgtap). Leaves nothing behind.
-- By hand: psql -X -q -A -t -d <database> -f tests/witnesses/policies.pgtap.sql. Run by: tests/witnesses/test_pgtap.py.
BEGIN;
CREATE SCHEMA witness;
CREATE EXTENSION pgtap SCHEMA witness;
SET LOCAL search_path = witness, pg_catalog;

SELECT plan(754);

-- What there is, and nothing else.

CREATE TEMPORARY TABLE known (schema_name name, relation name, kind text) ON COMMIT DROP;
INSERT INTO known VALUES
    ('app', 'declared_exceptions', 'table'),
    ('app', 'declared_grants', 'table'),
    ('app', 'platform_audit', 'table'),
    ('app', 'platform_outcome', 'table'),
    ('app', 'expected_policies', 'view'),
    ('app', 'isolation_findings', 'view'),
    ('app', 'roles', 'view'),
    ('app', 'table_grants', 'view'),
    ('app', 'tenanted_tables', 'view'),
    ('public', 'auth_group', 'table'),
    ('public', 'auth_group_permissions', 'table'),
    ('public', 'auth_permission', 'table'),
    ('public', 'auth_user', 'table'),
    ('public', 'auth_user_groups', 'table'),
    ('public', 'auth_user_user_permissions', 'table'),
    ('public', 'mcp_tokens_apitoken', 'table'),
    ('public', 'mcp_ledger_auditevent', 'table'),
    ('public', 'mcp_ledger_callrecord', 'table'),
    ('public', 'core_customer', 'table'),
    ('public', 'core_export', 'table'),
    ('public', 'core_exportpart', 'table'),
    ('public', 'core_membership', 'table'),
    ('public', 'mcp_ledger_idempotencykey', 'table'),
    ('public', 'mcp_ledger_state', 'table'),
    ('public', 'core_payment', 'table'),
    ('public', 'core_productterm', 'table'),
    ('public', 'core_stockmovement', 'table'),
    ('public', 'core_tenantsettings', 'table'),
    ('public', 'core_order', 'table'),
    ('public', 'core_orderitem', 'table'),
    ('public', 'mcp_tokens_platformtoken', 'table'),
    ('public', 'mcp_sign_in_client', 'table'),
    ('public', 'mcp_sign_in_consent', 'table'),
    ('public', 'core_product', 'table'),
    ('public', 'core_tenant', 'table'),
    ('public', 'core_tenantuser', 'table'),
    ('public', 'django_admin_log', 'table'),
    ('public', 'django_content_type', 'table'),
    ('public', 'django_migrations', 'table'),
    ('public', 'django_session', 'table');

SELECT schemas_are(ARRAY['app', 'public', 'witness']);
SELECT extensions_are(ARRAY['pgtap', 'plpgsql']);
SELECT tables_are('app', ARRAY(SELECT relation FROM known WHERE schema_name = 'app' AND kind = 'table'));
SELECT tables_are('public', ARRAY(SELECT relation FROM known WHERE schema_name = 'public' AND kind = 'table'));
SELECT views_are('app', ARRAY(SELECT relation FROM known WHERE schema_name = 'app' AND kind = 'view'));
SELECT views_are('public', '{}'::name[]);
SELECT materialized_views_are('app', '{}'::name[]);
SELECT materialized_views_are('public', '{}'::name[]);
SELECT foreign_tables_are('app', '{}'::name[]);
SELECT foreign_tables_are('public', '{}'::name[]);
SELECT functions_are('public', '{}'::name[]);
SELECT functions_are('app', ARRAY[
    'await_writers', 'find_weaknesses', 'is_declared', 'keep_row_security', 'no_tenant', 'notify_change', 'open_platform', 'refuse_ddl', 'require_migrating',
    'require_platform', 'resolve_principal', 'tenant_or_null', 'unwatch_tenants', 'uuid7', 'watch_tenants']);

-- Row-level security, enabled and forced, on the tables that hold tenants' rows.

CREATE TEMPORARY TABLE tenanted (relation name, tenant_column name) ON COMMIT DROP;
INSERT INTO tenanted VALUES
    ('mcp_tokens_apitoken', 'tenant_id'),
    ('mcp_ledger_auditevent', 'tenant_id'),
    ('mcp_ledger_callrecord', 'tenant_id'),
    ('core_customer', 'tenant_id'),
    ('core_export', 'tenant_id'),
    ('core_exportpart', 'tenant_id'),
    ('core_membership', 'tenant_id'),
    ('mcp_ledger_idempotencykey', 'tenant_id'),
    ('mcp_ledger_state', 'tenant_id'),
    ('core_payment', 'tenant_id'),
    ('core_productterm', 'tenant_id'),
    ('core_stockmovement', 'tenant_id'),
    ('core_tenantsettings', 'tenant_id'),
    ('core_order', 'tenant_id'),
    ('core_orderitem', 'tenant_id'),
    ('core_product', 'tenant_id'),
    ('core_tenant', 'id'),
    ('core_tenantuser', 'tenant_id');

SELECT set_eq(
    $$ SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relrowsecurity AND relforcerowsecurity $$,
    $$ SELECT relation FROM tenanted $$,
    'row-level security is enabled and forced on every table of tenants');
SELECT is_empty(
    $$ SELECT attrelid::regclass FROM pg_attribute JOIN pg_class AS c ON c.oid = attrelid
       WHERE attname ~ 'tenant' AND NOT attisdropped AND relkind IN ('r', 'p', 'f', 'm') AND relpersistence <> 't'
         AND relname NOT IN (SELECT relation FROM tenanted) $$,
    'no other table has a column that names a tenant');
SELECT is_empty(
    $$ SELECT inhrelid::regclass FROM pg_inherits JOIN pg_class AS c ON c.oid = inhrelid WHERE relkind IN ('r', 'p', 'f') $$,
    'no table shows the rows of another');
SELECT col_not_null('public', relation, tenant_column, format('%s.%s is never null', relation, tenant_column)) FROM tenanted;
SELECT triggers_are('public', relation, ARRAY['notify_delete', 'notify_insert', 'notify_update'])
FROM (VALUES ('core_order'::name), ('core_product'), ('core_tenant'), ('core_tenantsettings')) AS t (relation);
SELECT triggers_are('public', relation, '{}'::name[], format('no trigger runs on %s', relation))
FROM tenanted WHERE relation NOT IN ('core_order', 'core_product', 'core_tenant', 'core_tenantsettings');
SELECT is_empty(
    $$ SELECT tgrelid::regclass, tgname FROM pg_trigger
       WHERE NOT tgisinternal AND (tgfoid <> 'app.notify_change()'::regprocedure OR tgtype & 3 <> 0 OR tgenabled <> 'O') $$,
    'a trigger sends notifications, after the statement, and does nothing else');
SELECT rules_are('public', relation, '{}'::name[], format('no rule rewrites statements on %s', relation)) FROM tenanted;

-- Policies: names, roles, commands, and both expressions.

SELECT policies_are('public', relation, ARRAY['owner_migration', 'platform_access', 'tenant_isolation'])
FROM tenanted WHERE relation NOT IN ('mcp_tokens_apitoken', 'core_membership', 'core_tenant', 'core_tenantsettings');
SELECT policies_are('public', 'mcp_tokens_apitoken', ARRAY['owner_migration', 'platform_access', 'tenant_isolation', 'token_lookup', 'token_use']);
SELECT policies_are('public', 'core_membership', ARRAY['owner_migration', 'platform_access', 'tenant_isolation', 'resolver_lookup']);
SELECT policies_are('public', 'core_tenant', ARRAY['owner_migration', 'platform_access', 'tenant_isolation', 'resolver_lookup']);
SELECT policies_are('public', 'core_tenantsettings', ARRAY['owner_migration', 'platform_access', 'resolver_lookup', 'tenant_isolation']);
SELECT is_empty(
    $$ SELECT polname, polrelid::regclass FROM pg_policy WHERE polrelid NOT IN (SELECT ('public.' || relation)::regclass FROM tenanted) $$,
    'no other table has a policy');

CREATE TEMPORARY TABLE policy (relation name, name name, role_name name, command text, qual text, with_check text) ON COMMIT DROP;
INSERT INTO policy
SELECT relation, 'tenant_isolation', 'app_tenant', 'ALL', expression, expression
FROM tenanted,
     format('(%s = ( SELECT COALESCE((NULLIF(current_setting(''app.current_tenant''::text, true), ''''::text))::uuid,'
            ' app.no_tenant()) AS "coalesce"))', tenant_column) AS expression
UNION ALL
SELECT relation, 'platform_access', 'app_platform', 'ALL', expression, expression
FROM tenanted, (VALUES ('( SELECT app.require_platform() AS require_platform)')) AS written (expression)
UNION ALL
SELECT relation, 'owner_migration', 'app_owner', 'ALL', expression, expression
FROM tenanted,
     format('(( SELECT app.require_migrating() AS require_migrating) AND (%1$s = COALESCE('
            '( SELECT app.tenant_or_null() AS tenant_or_null), %1$s)))', tenant_column) AS expression
UNION ALL
VALUES
    ('mcp_tokens_apitoken', 'token_lookup', 'app_resolver', 'SELECT', 'true', NULL),
    ('mcp_tokens_apitoken', 'token_use', 'app_resolver', 'UPDATE', 'true', NULL),
    ('core_membership', 'resolver_lookup', 'app_resolver', 'SELECT', 'true', NULL),
    ('core_tenant', 'resolver_lookup', 'app_resolver', 'SELECT', 'true', NULL),
    ('core_tenantsettings', 'resolver_lookup', 'app_resolver', 'SELECT', 'true', NULL);

SELECT policy_roles_are('public', relation, name, ARRAY[role_name]) FROM policy;
SELECT policy_cmd_is('public', relation, name, command) FROM policy;
SELECT is(pg_get_expr(polqual, polrelid), qual, format('USING of %s on %s', name, relation))
FROM policy LEFT JOIN pg_policy ON polrelid = ('public.' || relation)::regclass AND polname = name;
SELECT is(pg_get_expr(polwithcheck, polrelid), with_check, format('WITH CHECK of %s on %s', name, relation))
FROM policy LEFT JOIN pg_policy ON polrelid = ('public.' || relation)::regclass AND polname = name;
SELECT is_empty(
    $$ SELECT polname, polrelid::regclass FROM pg_policy WHERE NOT polpermissive $$,
    'no restrictive policy runs an expression on each row');

-- Keys: a check of a foreign key asks no policy, so the key itself holds the tenant.

SELECT fk_ok('public', 'core_order', ARRAY['tenant_id', 'placed_by_id'], 'public', 'core_tenantuser', ARRAY['tenant_id', 'id']);
SELECT fk_ok('public', 'core_orderitem', ARRAY['tenant_id', 'order_id'], 'public', 'core_order', ARRAY['tenant_id', 'id']);
SELECT fk_ok('public', 'core_orderitem', ARRAY['tenant_id', 'product_id'], 'public', 'core_product', ARRAY['tenant_id', 'id']);
SELECT fk_ok('public', 'core_order', ARRAY['tenant_id', 'customer_id'], 'public', 'core_customer', ARRAY['tenant_id', 'id']);
SELECT fk_ok('public', 'core_payment', ARRAY['tenant_id', 'order_id'], 'public', 'core_order', ARRAY['tenant_id', 'id']);
SELECT fk_ok('public', 'core_stockmovement', ARRAY['tenant_id', 'product_id'], 'public', 'core_product', ARRAY['tenant_id', 'id']);
SELECT fk_ok('public', 'core_stockmovement', ARRAY['tenant_id', 'order_id'], 'public', 'core_order', ARRAY['tenant_id', 'id']);
SELECT fk_ok('public', 'core_productterm', ARRAY['tenant_id', 'product_id'], 'public', 'core_product', ARRAY['tenant_id', 'id']);
SELECT fk_ok('public', 'core_exportpart', ARRAY['tenant_id', 'export_id'], 'public', 'core_export', ARRAY['tenant_id', 'id']);
SELECT fk_ok('public', relation, 'tenant_id', 'public', 'core_tenant', 'id') FROM tenanted WHERE relation <> 'core_tenant';
SELECT set_eq(
    $$ SELECT confrelid::regclass || ' of ' || conrelid::regclass || ', ' || array_length(conkey, 1) || ' column(s)'
       FROM pg_constraint
       WHERE contype = 'f' AND conrelid IN (SELECT ('public.' || relation)::regclass FROM tenanted) $$,
    ARRAY['public.core_tenant of public.mcp_tokens_apitoken, 1 column(s)',
          'public.core_tenant of public.core_order, 1 column(s)',
          'public.core_tenant of public.core_orderitem, 1 column(s)',
          'public.core_tenant of public.core_product, 1 column(s)',
          'public.core_tenant of public.core_tenantuser, 1 column(s)',
          'public.core_tenantuser of public.core_order, 2 column(s)',
          'public.core_order of public.core_orderitem, 2 column(s)',
          'public.core_product of public.core_orderitem, 2 column(s)',
          'public.core_tenant of public.mcp_ledger_auditevent, 1 column(s)',
          'public.core_tenant of public.mcp_ledger_callrecord, 1 column(s)',
          'public.core_tenant of public.core_customer, 1 column(s)',
          'public.core_tenant of public.core_export, 1 column(s)',
          'public.core_tenant of public.core_exportpart, 1 column(s)',
          'public.core_tenant of public.core_membership, 1 column(s)',
          'public.core_tenant of public.mcp_ledger_idempotencykey, 1 column(s)',
          'public.core_tenant of public.mcp_ledger_state, 1 column(s)',
          'public.core_tenant of public.core_payment, 1 column(s)',
          'public.core_tenant of public.core_productterm, 1 column(s)',
          'public.core_tenant of public.core_stockmovement, 1 column(s)',
          'public.core_tenant of public.core_tenantsettings, 1 column(s)',
          'public.core_customer of public.core_order, 2 column(s)',
          'public.core_order of public.core_payment, 2 column(s)',
          'public.core_product of public.core_stockmovement, 2 column(s)',
          'public.core_order of public.core_stockmovement, 2 column(s)',
          'public.core_product of public.core_productterm, 2 column(s)',
          'public.core_export of public.core_exportpart, 2 column(s)',
          -- A user belongs to no tenant.
          'public.auth_user of public.core_membership, 1 column(s)'],
    'no other foreign key');
SELECT set_eq(
    $$ SELECT pg_get_indexdef(indexrelid)
       FROM pg_index JOIN tenanted ON indrelid = ('public.' || relation)::regclass
       WHERE (indisunique OR indisexclusion)
         AND indkey[0] <> (SELECT attnum FROM pg_attribute WHERE attrelid = indrelid AND attname = tenant_column) $$,
    ARRAY['CREATE UNIQUE INDEX mcp_ledger_auditevent_pkey ON public.mcp_ledger_auditevent USING btree (id)',
          'CREATE UNIQUE INDEX mcp_ledger_callrecord_pkey ON public.mcp_ledger_callrecord USING btree (id)',
          'CREATE UNIQUE INDEX core_customer_pkey ON public.core_customer USING btree (id)',
          'CREATE UNIQUE INDEX core_export_pkey ON public.core_export USING btree (id)',
          'CREATE UNIQUE INDEX core_exportpart_pkey ON public.core_exportpart USING btree (id)',
          'CREATE UNIQUE INDEX core_membership_pkey ON public.core_membership USING btree (id)',
          'CREATE UNIQUE INDEX mcp_ledger_idempotencykey_pkey ON public.mcp_ledger_idempotencykey USING btree (id)',
          'CREATE UNIQUE INDEX mcp_ledger_state_pkey ON public.mcp_ledger_state USING btree (id)',
          'CREATE UNIQUE INDEX core_payment_pkey ON public.core_payment USING btree (id)',
          'CREATE UNIQUE INDEX core_productterm_pkey ON public.core_productterm USING btree (id)',
          'CREATE UNIQUE INDEX core_stockmovement_pkey ON public.core_stockmovement USING btree (id)',
          'CREATE UNIQUE INDEX core_tenantsettings_pkey ON public.core_tenantsettings USING btree (id)',
          'CREATE UNIQUE INDEX mcp_tokens_apitoken_pkey ON public.mcp_tokens_apitoken USING btree (id)',
          'CREATE UNIQUE INDEX core_order_pkey ON public.core_order USING btree (id)',
          'CREATE UNIQUE INDEX core_orderitem_pkey ON public.core_orderitem USING btree (id)',
          'CREATE UNIQUE INDEX core_product_pkey ON public.core_product USING btree (id)',
          'CREATE UNIQUE INDEX core_tenantuser_pkey ON public.core_tenantuser USING btree (id)',
          -- The name in the URL is meant to be the only one of its kind.
          'CREATE UNIQUE INDEX core_tenant_subdomain_key ON public.core_tenant USING btree (subdomain)'],
    'what is unique is so inside a tenant; ids are random');

-- Roles: what they are, and whom they can become.

CREATE TEMPORARY TABLE app_role (name name) ON COMMIT DROP;
INSERT INTO app_role VALUES ('app_auditor'), ('app_owner'), ('app_platform'), ('app_resolver'), ('app_tenant');

SELECT isnt_superuser(name) FROM app_role;
SELECT set_eq(
    $$ SELECT rolname::text FROM pg_roles WHERE rolname ~ '^app_' AND rolcanlogin $$,
    ARRAY['app_auditor', 'app_owner', 'app_platform', 'app_tenant'],
    'four roles log in');
SELECT is_empty(
    $$ SELECT rolname FROM pg_roles JOIN app_role ON rolname = name
       WHERE rolbypassrls OR rolcreaterole OR rolcreatedb OR rolreplication OR rolinherit OR rolconnlimit < 0 $$,
    'no role of ours has an attribute that it must not have');
SELECT is_empty(
    $$ SELECT rolname FROM pg_roles WHERE rolbypassrls AND NOT rolsuper $$,
    'nobody but a superuser bypasses row-level security');
SELECT isnt_member_of(other.name, member.name, format('%s is no member of %s', member.name, other.name))
FROM app_role AS member, app_role AS other
WHERE member.name <> other.name AND (member.name, other.name) <> ('app_owner', 'app_resolver');
SELECT set_eq(
    $$ SELECT member::regrole || ' in ' || roleid::regrole FROM pg_auth_members
       WHERE member IN (SELECT oid FROM pg_roles WHERE rolname ~ '^app_') OR roleid IN (SELECT oid FROM pg_roles WHERE rolname ~ '^app_') $$,
    ARRAY['app_owner in app_resolver'],
    'one membership, to hand a function over');
SELECT is_empty(
    $$ SELECT setrole, setconfig FROM pg_db_role_setting, unnest(setconfig) AS setting
       WHERE setting ~* '^(app\.|row_security|role|session_authorization|search_path|session_replication_role)' $$,
    'no role and no database begins with a tenant, or without row security');

-- Owners.

SELECT schema_owner_is(name, 'app_owner', format('%s belongs to app_owner', name)) FROM (VALUES ('app'::name), ('public')) AS s (name);
SELECT is_empty(
    $$ SELECT oid::regclass, relowner::regrole FROM pg_class
       WHERE relnamespace IN ('app'::regnamespace, 'public'::regnamespace) AND relowner <> 'app_owner'::regrole $$,
    'every relation belongs to app_owner');
SELECT set_eq(
    $$ SELECT p.oid::regprocedure || ' of ' || proowner::regrole FROM pg_proc AS p
       WHERE pronamespace = 'app'::regnamespace AND proowner <> 'app_owner'::regrole AND prorettype <> 'event_trigger'::regtype $$,
    ARRAY['app.await_writers() of app_resolver', 'app.notify_change() of app_resolver', 'app.resolve_principal(text,bytea) of app_resolver',
          'app.unwatch_tenants(uuid[]) of app_resolver', 'app.watch_tenants(uuid[]) of app_resolver'],
    'every function belongs to app_owner, but for the resolver, what sends notifications, and what says who hears them');

-- Rights on tables: exactly these, whether they were given to the role, to PUBLIC or to a role behind it.

CREATE TEMPORARY TABLE granted (schema_name name, relation name, role_name name, privileges name[]) ON COMMIT DROP;
INSERT INTO granted VALUES
    ('public', 'core_order', 'app_tenant', '{SELECT,INSERT,UPDATE,DELETE}'),
    ('public', 'core_orderitem', 'app_tenant', '{SELECT,INSERT,UPDATE,DELETE}'),
    ('public', 'core_product', 'app_tenant', '{SELECT,INSERT,UPDATE,DELETE}'),
    ('public', 'core_tenantuser', 'app_tenant', '{SELECT,INSERT,UPDATE,DELETE}'),
    ('public', 'core_tenant', 'app_tenant', '{SELECT}'),
    ('public', 'mcp_ledger_auditevent', 'app_tenant', '{SELECT,INSERT}'),
    ('public', 'mcp_ledger_callrecord', 'app_tenant', '{SELECT,INSERT}'),
    ('public', 'core_customer', 'app_tenant', '{SELECT,INSERT,UPDATE,DELETE}'),
    ('public', 'core_export', 'app_tenant', '{SELECT,INSERT,UPDATE,DELETE}'),
    ('public', 'core_exportpart', 'app_tenant', '{SELECT,INSERT,DELETE}'),
    ('public', 'core_membership', 'app_tenant', '{SELECT}'),
    ('public', 'mcp_ledger_idempotencykey', 'app_tenant', '{SELECT,INSERT,UPDATE,DELETE}'),
    ('public', 'mcp_ledger_state', 'app_tenant', '{SELECT,INSERT,UPDATE,DELETE}'),
    ('public', 'core_payment', 'app_tenant', '{SELECT,INSERT}'),
    ('public', 'core_productterm', 'app_tenant', '{SELECT,INSERT,UPDATE,DELETE}'),
    ('public', 'core_stockmovement', 'app_tenant', '{SELECT,INSERT}'),
    ('public', 'core_tenantsettings', 'app_tenant', '{SELECT,INSERT,UPDATE}'),
    ('public', 'mcp_ledger_auditevent', 'app_platform', '{SELECT,INSERT,DELETE}'),
    ('public', 'mcp_ledger_callrecord', 'app_platform', '{SELECT,DELETE}'),
    ('public', 'core_customer', 'app_platform', '{SELECT,INSERT,UPDATE,DELETE}'),
    ('public', 'core_export', 'app_platform', '{SELECT,DELETE}'),
    ('public', 'core_exportpart', 'app_platform', '{SELECT,DELETE}'),
    ('public', 'core_membership', 'app_platform', '{SELECT,INSERT,UPDATE,DELETE}'),
    ('public', 'mcp_ledger_idempotencykey', 'app_platform', '{SELECT,INSERT,UPDATE,DELETE}'),
    ('public', 'mcp_ledger_state', 'app_platform', '{SELECT,INSERT,UPDATE,DELETE}'),
    ('public', 'core_payment', 'app_platform', '{SELECT,DELETE}'),
    ('public', 'core_productterm', 'app_platform', '{SELECT,INSERT,UPDATE,DELETE}'),
    ('public', 'core_stockmovement', 'app_platform', '{SELECT,DELETE}'),
    ('public', 'core_tenantsettings', 'app_platform', '{SELECT,INSERT,UPDATE,DELETE}'),
    ('public', 'django_migrations', 'app_tenant', '{SELECT}'),
    ('public', 'mcp_tokens_apitoken', 'app_platform', '{SELECT,INSERT,UPDATE,DELETE}'),
    ('public', 'core_order', 'app_platform', '{SELECT,INSERT,UPDATE,DELETE}'),
    ('public', 'core_orderitem', 'app_platform', '{SELECT,INSERT,UPDATE,DELETE}'),
    ('public', 'mcp_tokens_platformtoken', 'app_platform', '{SELECT,INSERT,UPDATE,DELETE}'),
    ('public', 'mcp_sign_in_client', 'app_platform', '{SELECT,INSERT,UPDATE,DELETE}'),
    ('public', 'mcp_sign_in_consent', 'app_platform', '{SELECT,INSERT,UPDATE,DELETE}'),
    ('public', 'core_product', 'app_platform', '{SELECT,INSERT,UPDATE,DELETE}'),
    ('public', 'core_tenant', 'app_platform', '{SELECT,INSERT,UPDATE,DELETE}'),
    ('public', 'core_tenantuser', 'app_platform', '{SELECT,INSERT,UPDATE,DELETE}'),
    ('public', 'auth_group', 'app_platform', '{SELECT,INSERT,UPDATE,DELETE}'),
    ('public', 'auth_group_permissions', 'app_platform', '{SELECT,INSERT,UPDATE,DELETE}'),
    ('public', 'auth_permission', 'app_platform', '{SELECT,INSERT,UPDATE,DELETE}'),
    ('public', 'auth_user', 'app_platform', '{SELECT,INSERT,UPDATE,DELETE}'),
    ('public', 'auth_user_groups', 'app_platform', '{SELECT,INSERT,UPDATE,DELETE}'),
    ('public', 'auth_user_user_permissions', 'app_platform', '{SELECT,INSERT,UPDATE,DELETE}'),
    ('public', 'django_content_type', 'app_platform', '{SELECT,INSERT,UPDATE,DELETE}'),
    ('public', 'django_session', 'app_platform', '{SELECT,INSERT,UPDATE,DELETE}'),
    ('public', 'django_admin_log', 'app_platform', '{SELECT,INSERT}'),
    ('public', 'django_migrations', 'app_platform', '{SELECT}'),
    ('app', 'platform_audit', 'app_platform', '{SELECT}'),
    ('app', 'platform_outcome', 'app_platform', '{SELECT}'),
    ('public', 'django_migrations', 'app_auditor', '{SELECT}'),
    ('app', 'declared_exceptions', 'app_auditor', '{SELECT}'),
    ('app', 'declared_grants', 'app_auditor', '{SELECT}'),
    ('app', 'platform_audit', 'app_auditor', '{SELECT}'),
    ('app', 'platform_outcome', 'app_auditor', '{SELECT}'),
    ('app', 'expected_policies', 'app_auditor', '{SELECT}'),
    ('app', 'isolation_findings', 'app_auditor', '{SELECT}'),
    ('app', 'roles', 'app_auditor', '{SELECT}'),
    ('app', 'table_grants', 'app_auditor', '{SELECT}'),
    ('app', 'tenanted_tables', 'app_auditor', '{SELECT}'),
    ('public', 'mcp_tokens_apitoken', 'app_resolver', '{SELECT}'),
    ('public', 'mcp_tokens_platformtoken', 'app_resolver', '{SELECT}');

-- What is not in the list is denied. app_owner owns the tables, so it is bound by the policies alone.
SELECT table_privs_are(schema_name, relation, role_name, COALESCE(privileges, '{}'))
FROM known
CROSS JOIN (VALUES ('app_auditor'::name), ('app_platform'), ('app_resolver'), ('app_tenant')) AS bound (role_name)
LEFT JOIN granted USING (schema_name, relation, role_name)
ORDER BY schema_name, relation, role_name;

-- Rights on columns: app_resolver reads what finds a tenant and whose a token is, and notes the use of a token.

SELECT column_privs_are('public', 'core_tenant', name, 'app_resolver', ARRAY['SELECT'])
FROM (VALUES ('id'::name), ('subdomain'), ('is_active')) AS c (name);
SELECT column_privs_are('public', 'core_tenantsettings', name, 'app_resolver', ARRAY['SELECT'])
FROM (VALUES ('tenant_id'::name), ('locale'), ('time_zone')) AS c (name);
SELECT column_privs_are('public', 'core_membership', name, 'app_resolver', ARRAY['SELECT'])
FROM (VALUES ('id'::name), ('tenant_id'), ('user_id'), ('role')) AS c (name);
SELECT column_privs_are('public', 'auth_user', name, 'app_resolver', ARRAY['SELECT'])
FROM (VALUES ('id'::name), ('username'), ('is_active')) AS c (name);
SELECT column_privs_are('public', 'auth_user', name, 'app_resolver', '{}'::name[])
FROM (VALUES ('password'::name), ('email'), ('is_superuser')) AS c (name);
SELECT column_privs_are('public', 'core_tenant', name, 'app_resolver', '{}'::name[])
FROM (VALUES ('name'::name), ('created_at')) AS c (name);
SELECT column_privs_are('public', 'mcp_tokens_apitoken', 'last_used_at', 'app_resolver', ARRAY['SELECT', 'UPDATE']);
SELECT column_privs_are('public', 'mcp_tokens_apitoken', 'tenant_id', 'app_resolver', ARRAY['SELECT']);
SELECT column_privs_are('public', 'mcp_tokens_apitoken', 'digest', 'app_resolver', ARRAY['SELECT']);
SELECT column_privs_are('public', 'mcp_tokens_apitoken', 'digest', 'app_tenant', '{}'::name[]);
SELECT column_privs_are('public', 'mcp_tokens_platformtoken', 'last_used_at', 'app_resolver', ARRAY['SELECT', 'UPDATE']);
SELECT set_eq(
    $$ SELECT attrelid::regclass || '.' || attname || ' ' || grantee::regrole || ' ' || privilege_type
       FROM pg_attribute JOIN pg_class AS c ON c.oid = attrelid, aclexplode(attacl)
       WHERE relnamespace IN ('app'::regnamespace, 'public'::regnamespace) AND NOT attisdropped $$,
    ARRAY['public.auth_user.id app_resolver SELECT',
          'public.auth_user.username app_resolver SELECT',
          'public.auth_user.is_active app_resolver SELECT',
          'public.core_membership.id app_resolver SELECT',
          'public.core_membership.tenant_id app_resolver SELECT',
          'public.core_membership.user_id app_resolver SELECT',
          'public.core_membership.role app_resolver SELECT',
          'public.core_tenant.id app_resolver SELECT',
          'public.core_tenant.subdomain app_resolver SELECT',
          'public.core_tenant.is_active app_resolver SELECT',
          'public.core_tenantsettings.tenant_id app_resolver SELECT',
          'public.core_tenantsettings.locale app_resolver SELECT',
          'public.core_tenantsettings.time_zone app_resolver SELECT',
          'public.mcp_tokens_apitoken.last_used_at app_resolver UPDATE',
          'public.mcp_tokens_platformtoken.last_used_at app_resolver UPDATE',
          'app.platform_audit.actor app_platform INSERT',
          'app.platform_audit.reason app_platform INSERT',
          'app.platform_audit.origin app_platform INSERT',
          'app.platform_outcome.id app_platform INSERT',
          'app.platform_outcome.outcome app_platform INSERT'],
    'no other right on a column');
SELECT is_empty(
    $$ SELECT s.oid::regclass, rolname FROM pg_class AS s, pg_roles
       WHERE relkind = 'S' AND relnamespace IN ('app'::regnamespace, 'public'::regnamespace)
         AND rolname IN ('app_auditor', 'app_platform', 'app_resolver', 'app_tenant')
         AND (has_sequence_privilege(rolname, s.oid, 'SELECT, UPDATE') OR rolname <> 'app_platform' AND has_sequence_privilege(rolname, s.oid, 'USAGE')) $$,
    'no sequence tells how much others write');
SELECT is_empty(
    $$ SELECT c.oid::regclass FROM pg_class AS c, aclexplode(relacl)
       WHERE relnamespace IN ('app'::regnamespace, 'public'::regnamespace)
         AND (is_grantable AND grantee <> relowner OR grantee NOT IN (SELECT oid FROM pg_roles WHERE rolname ~ '^app_')) $$,
    'no right was given to anybody else, nor to hand on');

-- Rights on schemas, the database and languages.

SELECT schema_privs_are(s.name, app_role.name, CASE app_role.name WHEN 'app_owner' THEN '{CREATE,USAGE}' ELSE '{USAGE}' END::name[])
FROM (VALUES ('app'::name), ('public')) AS s (name), app_role;
SELECT database_privs_are(current_database(), name, CASE name WHEN 'app_resolver' THEN '{}' ELSE '{CONNECT}' END::name[]) FROM app_role;
SELECT language_privs_are(l.name, app_role.name, CASE app_role.name WHEN 'app_owner' THEN '{USAGE}' ELSE '{}' END::name[])
FROM (VALUES ('plpgsql'::name), ('sql')) AS l (name), app_role;
SELECT is_empty(
    $$ SELECT lanname FROM pg_language WHERE lanname NOT IN ('c', 'internal', 'plpgsql', 'sql') $$,
    'no other language');
SELECT is_empty(
    $$ SELECT defaclrole::regrole, defaclobjtype, acl.grantee FROM pg_default_acl, aclexplode(defaclacl) AS acl WHERE acl.grantee <> defaclrole $$,
    'what is made later is given to nobody');
SELECT ok(
    NOT has_function_privilege('app_tenant', 'app.require_platform()', 'EXECUTE'),
    'app_tenant can not call app.require_platform()');

-- Functions of PostgreSQL that switch the tenant, run a text as SQL, or reach other sessions.

SELECT function_privs_are('pg_catalog', f.name, arguments, app_role.name,
                          CASE WHEN app_role.name = 'app_resolver' AND f.name IN ('pg_notify', 'pg_try_advisory_lock', 'pg_try_advisory_lock_shared')
                               THEN '{EXECUTE}' ELSE '{}' END::name[])
FROM (VALUES
    ('set_config'::name, '{text,text,boolean}'::name[]),
    ('query_to_xml', '{text,boolean,boolean,text}'),
    ('table_to_xml', '{regclass,boolean,boolean,text}'),
    ('cursor_to_xml', '{refcursor,integer,boolean,boolean,text}'),
    ('ts_stat', '{text}'),
    ('ts_rewrite', '{tsquery,text}'),
    ('lo_creat', '{integer}'),
    ('lo_from_bytea', '{oid,bytea}'),
    ('lo_get', '{oid}'),
    ('pg_terminate_backend', '{integer,bigint}'),
    ('pg_notify', '{text,text}'),
    ('setseed', '{"double precision"}'),
    ('pg_cancel_backend', '{integer}'),
    ('pg_advisory_lock', '{bigint}'),
    ('pg_try_advisory_lock', '{integer,integer}'),
    ('pg_try_advisory_lock_shared', '{integer,integer}'),
    ('pg_stat_get_activity', '{integer}'),
    ('pg_lock_status', '{}'),
    ('currtid2', '{text,tid}')
) AS f (name, arguments), app_role;
SELECT is_empty(
    $$ SELECT oid::regprocedure FROM pg_proc
       WHERE pronamespace = 'pg_catalog'::regnamespace
         AND has_function_privilege('app_tenant', oid, 'EXECUTE')
         AND (proname ~ '_to_xml|^lo_|^lo(read|write)$|^pg_(try_)?advisory_lock|^pg_stat_get|^pg_(read|ls|stat)_(binary_)?(file|dir)'
              OR proname IN ('pg_reload_conf', 'pg_rotate_logfile', 'pg_logical_emit_message', 'pg_notification_queue_usage'))
         -- PUBLIC has the right, and the function itself asks for a superuser (PostgreSQL 15 to 17).
         AND proname <> 'pg_read_file_old' $$,
    'nor can app_tenant call their relatives');
SELECT table_privs_are('pg_catalog', r.name, 'app_tenant', r.privileges)
FROM (VALUES
    ('pg_settings'::name, '{SELECT}'::name[]),
    ('pg_stat_activity', '{}'),
    ('pg_locks', '{}'),
    ('pg_authid', '{}'),
    ('pg_statistic', '{}'),
    ('pg_largeobject', '{}')
) AS r (name, privileges);

-- Functions of ours: who calls which, and as whom.

SELECT function_privs_are('app', f.name, arguments, role_name,
                          CASE WHEN role_name = ANY (callers) THEN '{EXECUTE}' ELSE '{}' END::name[])
FROM (VALUES
    ('no_tenant'::name, '{}'::name[], '{app_tenant,app_platform}'::name[]),
    ('tenant_or_null', '{}', '{app_tenant,app_platform}'),
    ('uuid7', '{}', '{app_tenant,app_platform}'),
    ('require_migrating', '{}', '{}'),
    ('require_platform', '{}', '{app_platform}'),
    ('open_platform', '{text,text,text}', '{app_platform}'),
    ('resolve_principal', '{text,bytea}', '{app_tenant,app_platform}'),
    ('is_declared', '{text,text}', '{app_auditor}'),
    ('notify_change', '{}', '{}'),
    ('watch_tenants', '{uuid[]}', '{app_platform}'),
    ('unwatch_tenants', '{uuid[]}', '{app_platform}'),
    ('await_writers', '{}', '{app_platform}'),
    ('keep_row_security', '{}', '{}'),
    ('refuse_ddl', '{}', '{}')
) AS f (name, arguments, callers),
unnest(ARRAY['app_tenant', 'app_platform', 'app_auditor']) AS role_name;
SELECT set_eq(
    $$ SELECT oid::regprocedure::text FROM pg_proc WHERE prosecdef $$,
    ARRAY['app.await_writers()', 'app.notify_change()', 'app.resolve_principal(text,bytea)', 'app.unwatch_tenants(uuid[])', 'app.watch_tenants(uuid[])'],
    'five functions run as their owner, which nobody can log in as');
SELECT is_empty(
    $$ SELECT oid::regprocedure FROM pg_proc WHERE proleakproof AND pronamespace IN ('app'::regnamespace, 'public'::regnamespace) $$,
    'none is called before the policies');
SELECT volatility_is('app', f.name, 'stable')
FROM (VALUES ('no_tenant'::name), ('tenant_or_null'), ('require_migrating'), ('require_platform')) AS f (name);
SELECT set_eq(
    $$ SELECT evtname || ' ' || evtevent || ' ' || evtenabled::text || ' ' || evtfoid::regproc FROM pg_event_trigger $$,
    ARRAY['keep_row_security ddl_command_end O app.keep_row_security', 'refuse_ddl ddl_command_start O app.refuse_ddl'],
    'both event triggers are there and enabled');
SELECT is_empty($$ SELECT pubname FROM pg_publication $$, 'nothing is published');
SELECT is_empty($$ SELECT srvname FROM pg_foreign_server $$, 'no other server is reached');

SELECT * FROM finish();
ROLLBACK;
