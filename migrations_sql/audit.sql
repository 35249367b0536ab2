-- The audit, for psql: psql "$AUDITOR_DATABASE_URL" -f migrations_sql/audit.sql
-- The rules are the library's: rls/sql/audit.sql says what runs, and what the exit status means.
\ir ../rls/sql/audit.sql
