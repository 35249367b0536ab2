-- The access matrix: psql "$AUDITOR_DATABASE_URL" -f rls/sql/matrix.sql
-- For each table, role and command: what it reaches of the rows of its own tenant, of another tenant, and without the
-- context that the role has to open (a tenant's for app_tenant and, while it migrates, app_owner; the platform's for
-- app_platform). The policies that decide stand last.
--   rows     reached            nothing  the statement runs and reaches none      error  PostgreSQL refuses
--   denied   no right at all    all      no policy is asked
SELECT relation, role_name, command,
       CASE outcome WHEN 'isolated' THEN 'rows' WHEN 'platform' THEN 'rows' WHEN 'migrating' THEN 'rows' ELSE outcome END AS own,
       CASE WHEN outcome IN ('isolated', 'migrating') THEN CASE command WHEN 'INSERT' THEN 'error' ELSE 'nothing' END
            WHEN outcome = 'platform' THEN 'rows'
            ELSE outcome END AS other,
       CASE WHEN outcome IN ('isolated', 'platform', 'migrating') THEN 'error' ELSE outcome END AS none,
       policies
FROM (
    SELECT relation, role_name, role_place, place, command, policies,
           CASE WHEN NOT is_granted THEN 'denied'
                WHEN bypasses OR NOT relrowsecurity OR command = 'TRUNCATE' THEN 'all'
                WHEN policies = '' THEN CASE command WHEN 'INSERT' THEN 'error' ELSE 'nothing' END
                WHEN expected = 'tenant_isolation' THEN 'isolated'
                WHEN expected = 'platform_access' THEN 'platform'
                WHEN expected = 'owner_migration' THEN 'migrating'
                WHEN expressions = 'true' THEN 'rows'
                ELSE 'as ' || policies END AS outcome
    FROM (
        SELECT format('%I.%I', n.nspname, c.relname) AS relation,
               r.rolname AS role_name,
               ours.place AS role_place,
               m.place,
               m.command,
               c.relrowsecurity,
               r.rolsuper OR r.rolbypassrls OR (c.relowner = r.oid AND NOT c.relforcerowsecurity) AS bypasses,
               CASE WHEN m.command IN ('DELETE', 'TRUNCATE') THEN has_table_privilege(r.oid, c.oid, m.command)
                    ELSE has_any_column_privilege(r.oid, c.oid, m.command) END AS is_granted,
               COALESCE(p.names, '') AS policies,
               p.expressions,
               p.expected
        FROM pg_catalog.pg_class AS c
        JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast')
        CROSS JOIN pg_catalog.pg_roles AS r
        JOIN app.roles AS ours ON ours.role_name = r.rolname
        CROSS JOIN (VALUES (1, 'SELECT', 'r'), (2, 'INSERT', 'a'), (3, 'UPDATE', 'w'), (4, 'DELETE', 'd'), (5, 'TRUNCATE', '')) AS m (place, command, polcmd)
        CROSS JOIN LATERAL (
            SELECT string_agg(p.polname, ', ' ORDER BY p.polname) AS names,
                   string_agg(DISTINCT COALESCE(pg_get_expr(CASE m.command WHEN 'INSERT' THEN COALESCE(p.polwithcheck, p.polqual) ELSE p.polqual END, p.polrelid), 'true'), ' OR ') AS expressions,
                   -- The one policy of the template, where it alone decides and is as the template writes it.
                   CASE WHEN count(*) = 1 THEN (
                       SELECT e.policy FROM app.expected_policies AS e
                       WHERE e.oid = c.oid AND e.policy = min(p.polname) AND e.role_name = r.rolname
                         AND e.printed = min(pg_get_expr(p.polqual, p.polrelid)) AND e.printed = min(pg_get_expr(p.polwithcheck, p.polrelid))
                   ) END AS expected
            FROM pg_catalog.pg_policy AS p
            WHERE p.polrelid = c.oid
              AND p.polcmd::text IN ('*', m.polcmd)
              AND m.polcmd <> ''
              AND EXISTS (SELECT FROM unnest(p.polroles) AS named WHERE named IN (0, r.oid))
        ) AS p
        WHERE c.relkind IN ('r', 'p')
    ) AS facts
) AS outcomes
ORDER BY relation, role_place, place;
