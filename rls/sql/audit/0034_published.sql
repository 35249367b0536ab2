-- 0034 published (warning)
-- Problem: Logical replication sends tenants' rows elsewhere, without policies.
-- Fix: Remove the table from the publication. If the publication is intended, declare it.
SELECT 'published' AS rule,
       'warning' AS level,
       p.pubname || ' publishes ' || t.name AS object,
       'replication sends its rows elsewhere and asks no policy' AS finding,
       CASE WHEN b.puballtables THEN format('DROP PUBLICATION %I;', p.pubname)
            WHEN EXISTS (SELECT FROM pg_catalog.pg_publication_namespace AS s JOIN pg_catalog.pg_namespace AS n ON n.oid = s.pnnspid
                         WHERE s.pnpubid = b.oid AND n.nspname = p.schemaname)
            THEN format('ALTER PUBLICATION %I DROP TABLES IN SCHEMA %I;', p.pubname, p.schemaname)
            ELSE format('ALTER PUBLICATION %I DROP TABLE %s;', p.pubname, t.name) END AS mend
FROM app.tenanted_tables AS t
JOIN pg_catalog.pg_publication_tables AS p ON format('%I.%I', p.schemaname, p.tablename) = t.name
JOIN pg_catalog.pg_publication AS b ON b.pubname = p.pubname
WHERE NOT app.is_declared('published', p.pubname || ' publishes ' || t.name);
\set ON_ERROR_STOP on
\ir verdict.sql
