-- 0042 audit-log-altered (error)
-- Problem: The log of platform work would accept blank or false entries, hides its rows, or can lose them.
-- Fix: Restore the tables as 0003_audit makes them.
SELECT 'audit-log-altered' AS rule,
       'error' AS level,
       x.object,
       x.finding,
       x.mend
FROM (
    -- First, because the outcomes refer to it.
    SELECT 'app.platform_audit.id' AS object, 'it is no key' AS finding, 'ALTER TABLE app.platform_audit ADD PRIMARY KEY (id);' AS mend
    WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_index AS i WHERE i.indrelid = to_regclass('app.platform_audit') AND i.indisprimary)
    UNION ALL
    SELECT 'app.platform_audit.' || want.attname, 'blank or false entries would pass', want.mend
    FROM (VALUES
        ('actor', 'check', 'ALTER TABLE app.platform_audit ADD CHECK (actor ~ ''\S'');'),
        ('reason', 'check', 'ALTER TABLE app.platform_audit ADD CHECK (reason ~ ''\S'');'),
        ('role_name', 'SESSION_USER', 'ALTER TABLE app.platform_audit ALTER role_name SET DEFAULT session_user;'),
        ('opened_at', 'clock_timestamp()', 'ALTER TABLE app.platform_audit ALTER opened_at SET DEFAULT clock_timestamp();'),
        ('xid', 'pg_current_xact_id()', 'ALTER TABLE app.platform_audit ALTER xid SET DEFAULT pg_current_xact_id();'),
        ('address', 'inet_client_addr()', 'ALTER TABLE app.platform_audit ALTER address SET DEFAULT inet_client_addr();')
    ) AS want (attname, kind, mend)
    WHERE CASE want.kind
              WHEN 'check' THEN NOT EXISTS (
                  SELECT FROM pg_catalog.pg_constraint AS k
                  WHERE k.conrelid = to_regclass('app.platform_audit') AND k.contype = 'c' AND k.convalidated
                    AND pg_get_constraintdef(k.oid) = format('CHECK ((%s ~ ''\S''::text))', want.attname))
              ELSE NOT EXISTS (
                  SELECT FROM pg_catalog.pg_attrdef AS d
                  JOIN pg_catalog.pg_attribute AS a ON a.attrelid = d.adrelid AND a.attnum = d.adnum
                  WHERE d.adrelid = to_regclass('app.platform_audit') AND a.attname = want.attname
                    AND pg_get_expr(d.adbin, d.adrelid) = want.kind)
          END
    UNION ALL
    SELECT 'app.platform_outcome.' || want.attname, 'false entries would pass', want.mend
    FROM (VALUES
        ('ended_at', 'DEFAULT clock_timestamp()', 'ALTER TABLE app.platform_outcome ALTER ended_at SET DEFAULT clock_timestamp();'),
        ('outcome', 'CHECK ((outcome = ANY (ARRAY[''committed''::text, ''rolled back''::text])))',
         'ALTER TABLE app.platform_outcome ADD CHECK (outcome IN (''committed'', ''rolled back''));'),
        ('id', 'FOREIGN KEY (id) REFERENCES app.platform_audit(id)', 'ALTER TABLE app.platform_outcome ADD FOREIGN KEY (id) REFERENCES app.platform_audit;'),
        ('id', 'PRIMARY KEY (id)', 'ALTER TABLE app.platform_outcome ADD PRIMARY KEY (id);')
    ) AS want (attname, definition, mend)
    WHERE NOT EXISTS (
              SELECT FROM pg_catalog.pg_constraint AS k
              WHERE k.conrelid = to_regclass('app.platform_outcome') AND k.convalidated AND pg_get_constraintdef(k.oid) = want.definition)
      AND NOT EXISTS (
              SELECT FROM pg_catalog.pg_attrdef AS d
              JOIN pg_catalog.pg_attribute AS a ON a.attrelid = d.adrelid AND a.attnum = d.adnum
              WHERE d.adrelid = to_regclass('app.platform_outcome') AND a.attname = want.attname
                AND 'DEFAULT ' || pg_get_expr(d.adbin, d.adrelid) = want.definition)
    UNION ALL
    SELECT c.oid::regclass::text, 'row-level security hides what it holds', format('ALTER TABLE %s DISABLE ROW LEVEL SECURITY;', c.oid::regclass)
    FROM pg_catalog.pg_class AS c
    WHERE c.relrowsecurity
      AND c.oid IN (to_regclass('app.platform_audit'), to_regclass('app.platform_outcome'), to_regclass('app.declared_grants'), to_regclass('app.declared_exceptions'))
) AS x
UNION ALL
SELECT 'audit-log-altered', 'error', c.object, 'a crash empties it', format('ALTER TABLE %s SET LOGGED;', c.object)
FROM (
    SELECT c.oid::regclass::text AS object
    FROM pg_catalog.pg_class AS c
    WHERE c.oid IN (to_regclass('app.platform_audit'), to_regclass('app.platform_outcome')) AND c.relpersistence <> 'p'
    -- The outcomes refer to the audit, and a logged table can't refer to an unlogged one.
    ORDER BY c.oid = to_regclass('app.platform_outcome')
) AS c
UNION ALL
SELECT 'audit-log-altered', 'error', format('%s.%s', a.attrelid::regclass, a.attname), 'it may be missing',
       format('ALTER TABLE %s ALTER %I SET NOT NULL;', a.attrelid::regclass, a.attname)
FROM pg_catalog.pg_attribute AS a
WHERE a.attrelid IN (to_regclass('app.platform_audit'), to_regclass('app.platform_outcome'))
  AND a.attname IN ('id', 'opened_at', 'actor', 'reason', 'origin', 'role_name', 'xid', 'ended_at', 'outcome')
  AND NOT a.attnotnull;
\set ON_ERROR_STOP on
\ir verdict.sql
