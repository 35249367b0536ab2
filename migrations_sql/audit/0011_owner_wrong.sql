-- 0011 owner-wrong (error)
-- Means: who owns a table can switch its policies off; who owns what the policies and the audit stand on can replace it.
-- Mends: giving it back to app_owner.
SELECT 'owner-wrong' AS rule,
       'error' AS level,
       name AS object,
       format('it belongs to %s', owner) AS finding,
       format('ALTER %s %s OWNER TO app_owner;', kind, name) AS mend
FROM (
    SELECT 'TABLE' AS kind, name, owner FROM app.tenanted_tables
    UNION ALL
    SELECT CASE c.relkind WHEN 'v' THEN 'VIEW' ELSE 'TABLE' END, format('app.%I', c.relname), pg_get_userbyid(c.relowner)
    FROM pg_catalog.pg_class AS c
    WHERE c.relnamespace = to_regnamespace('app') AND c.relkind IN ('r', 'p', 'v')
    UNION ALL
    SELECT 'SCHEMA', quote_ident(n.nspname), pg_get_userbyid(n.nspowner)
    FROM pg_catalog.pg_namespace AS n
    WHERE n.nspname = 'app' OR EXISTS (SELECT FROM app.tenanted_tables AS t WHERE t.name ^@ (quote_ident(n.nspname) || '.'))
) AS owned
WHERE owner <> 'app_owner';
\set ON_ERROR_STOP on
\ir verdict.sql
