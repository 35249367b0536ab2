-- The audit, for psql: psql "$AUDITOR_DATABASE_URL" -f migrations_sql/audit.sql
-- The rules are the library's: rls/sql/audit.sql says what runs, and what the exit status means.
-- Set here too: psql looks at it before it includes a file, and would exit with 0 after an error in there.
\set ON_ERROR_STOP on
\ir ../rls/sql/audit.sql
