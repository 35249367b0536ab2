-- What the rules read: which roles are ours, which tables are tenanted, which policies they must have, who has which
-- privilege, what is declared.
-- Installed with the view app.isolation_findings; run it again, as app_owner, to mend one that was replaced. Names are looked
-- up in pg_catalog only, so that nothing in another schema stands for PostgreSQL's own.
SET search_path = pg_catalog, pg_temp;

CREATE OR REPLACE FUNCTION app.is_declared(rule text, object text) RETURNS boolean
    LANGUAGE sql STABLE
    SET search_path = pg_catalog, pg_temp
AS $function$
    SELECT EXISTS (SELECT FROM app.declared_exceptions AS d WHERE d.rule = is_declared.rule AND d.object = is_declared.object)
$function$;
COMMENT ON FUNCTION app.is_declared(text, text) IS 'Whether a finding is declared, with a reason, in app.declared_exceptions.';

CREATE OR REPLACE VIEW app.roles AS
SELECT place, role_name, is_owner, is_client
FROM (VALUES
    (1, 'app_tenant', false, true),
    (2, 'app_platform', false, true),
    (3, 'app_owner', true, false),
    (4, 'app_auditor', false, true),
    (5, 'app_resolver', false, false),
    -- What PUBLIC may do, each of them may.
    (6, 'PUBLIC', false, false)
) AS ours (place, role_name, is_owner, is_client);
COMMENT ON VIEW app.roles IS 'The roles that 0000_roles makes, and PUBLIC, in the order of the access matrix. An owner migrates; a client logs in to serve, operate or audit, and owns nothing.';

CREATE OR REPLACE VIEW app.tenanted_tables AS
WITH keyed AS (
    SELECT c.oid, c.relname, n.nspname, c.relowner, a.attname, a.attnum, a.attnotnull
    FROM pg_catalog.pg_class AS c
    JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
    JOIN pg_catalog.pg_attribute AS a ON a.attrelid = c.oid AND a.attname = 'tenant_id' AND NOT a.attisdropped
    WHERE c.relkind IN ('r', 'p')
      AND c.relpersistence <> 't'
      AND n.nspname NOT IN ('pg_catalog', 'information_schema')
),
roots AS (
    SELECT DISTINCT c.oid, c.relname, n.nspname, c.relowner, a.attname, a.attnum, a.attnotnull
    FROM keyed
    JOIN pg_catalog.pg_constraint AS k ON k.contype = 'f' AND k.conrelid = keyed.oid AND k.conkey = ARRAY[keyed.attnum]
    JOIN pg_catalog.pg_class AS c ON c.oid = k.confrelid
    JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
    JOIN pg_catalog.pg_attribute AS a ON a.attrelid = c.oid AND a.attnum = k.confkey[1]
    WHERE NOT EXISTS (SELECT FROM keyed AS other WHERE other.oid = c.oid)
)
SELECT oid,
       format('%I.%I', nspname, relname) AS name,
       attname AS tenant_column,
       attnum AS tenant_attnum,
       attnotnull AS is_not_null,
       pg_get_userbyid(relowner) AS owner,
       is_root
FROM (SELECT *, false AS is_root FROM keyed UNION ALL SELECT *, true FROM roots) AS tenanted;
COMMENT ON VIEW app.tenanted_tables IS 'Every table whose rows belong to a tenant, and the column that says to which: tenant_id, or the key of the table that tenant_id refers to (the root).';

CREATE OR REPLACE VIEW app.expected_policies AS
-- What rls/schema/policies.py writes, as source and as PostgreSQL prints it back.
SELECT t.oid,
       t.name,
       e.policy,
       e.role_name,
       format(e.source, t.tenant_column) AS source,
       format(e.printed, t.tenant_column) AS printed
FROM app.tenanted_tables AS t
CROSS JOIN (VALUES
    ('tenant_isolation', 'app_tenant',
     '%1$I = (SELECT COALESCE(NULLIF(current_setting(''app.current_tenant'', true), '''')::uuid, app.no_tenant()))',
     '(%1$I = ( SELECT COALESCE((NULLIF(current_setting(''app.current_tenant''::text, true), ''''::text))::uuid, app.no_tenant()) AS "coalesce"))'),
    ('platform_access', 'app_platform',
     '(SELECT app.require_platform())',
     '( SELECT app.require_platform() AS require_platform)'),
    ('owner_migration', 'app_owner',
     '(SELECT app.require_migrating()) AND %1$I = COALESCE((SELECT app.tenant_or_null()), %1$I)',
     '(( SELECT app.require_migrating() AS require_migrating) AND (%1$I = COALESCE(( SELECT app.tenant_or_null() AS tenant_or_null), %1$I)))')
) AS e (policy, role_name, source, printed);
COMMENT ON VIEW app.expected_policies IS 'The policies that every tenanted table must have, and no other.';

CREATE OR REPLACE VIEW app.table_grants AS
WITH granted AS (
    SELECT c.oid, c.relkind, c.relowner, c.relname, n.nspname, NULL::name AS attname, acl.grantee, acl.privilege_type, acl.is_grantable
    FROM pg_catalog.pg_class AS c
    JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
    CROSS JOIN LATERAL aclexplode(c.relacl) AS acl
    UNION ALL
    SELECT c.oid, c.relkind, c.relowner, c.relname, n.nspname, a.attname, acl.grantee, acl.privilege_type, acl.is_grantable
    FROM pg_catalog.pg_class AS c
    JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
    JOIN pg_catalog.pg_attribute AS a ON a.attrelid = c.oid AND NOT a.attisdropped
    CROSS JOIN LATERAL aclexplode(a.attacl) AS acl
)
SELECT g.oid,
       g.object,
       g.relkind,
       g.role_name,
       g.grantee,
       g.privilege,
       g.is_grantable,
       t.oid IS NOT NULL AS is_tenanted,
       NOT g.is_grantable
           AND COALESCE(g.privilege = ANY (d.privileges),
                        CASE
                            WHEN g.role_name NOT IN ('app_tenant', 'app_platform') THEN false
                            WHEN g.relkind = 'S' THEN g.privilege = 'USAGE'
                            ELSE t.oid IS NOT NULL AND g.privilege IN ('SELECT', 'INSERT', 'UPDATE', 'DELETE')
                        END) AS is_expected
FROM (
    SELECT oid,
           relkind,
           format('%I.%I', nspname, relname) AS object,
           CASE grantee WHEN 0 THEN 'PUBLIC' ELSE pg_get_userbyid(grantee) END AS role_name,
           CASE grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(grantee)) END AS grantee,
           privilege_type || COALESCE(' (' || quote_ident(attname) || ')', '') AS privilege,
           is_grantable
    FROM granted
    WHERE nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast')
      AND grantee <> relowner
      AND NOT EXISTS (SELECT FROM pg_catalog.pg_roles AS r WHERE r.oid = grantee AND r.rolsuper)
) AS g
LEFT JOIN app.tenanted_tables AS t ON t.oid = g.oid
LEFT JOIN app.declared_grants AS d ON d.object = g.object AND d.role_name = g.role_name;
COMMENT ON VIEW app.table_grants IS 'Who but its owner and superusers has which right on a relation, and whether that right is the usual or declared.';

GRANT SELECT ON app.roles, app.tenanted_tables, app.expected_policies, app.table_grants TO app_auditor;
GRANT EXECUTE ON FUNCTION app.is_declared(text, text) TO app_auditor;
RESET search_path;
