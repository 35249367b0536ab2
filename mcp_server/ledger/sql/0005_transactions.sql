-- 0005 transactions: which transaction a change was made in
-- Afterwards an audit event has the number of its transaction, by which it is told whether a kept answer has seen it.
-- Needs: 0001_ledger. Proved by: tests/mcp_server/test_caching.py.

-- Django's model has no such field: PostgreSQL fills it, and no statement of a change gets longer by it.
ALTER TABLE mcp_ledger_auditevent ADD COLUMN transaction_id bigint;
-- After the column is there, or every row that is there would be written anew (PostgreSQL, ALTER TABLE, "Notes").
ALTER TABLE mcp_ledger_auditevent ALTER COLUMN transaction_id SET DEFAULT (pg_catalog.pg_current_xact_id())::text::bigint;
-- As bigint, because its comparisons are leakproof, and may come before a policy; those of xid8 are not.
COMMENT ON COLUMN mcp_ledger_auditevent.transaction_id IS 'pg_current_xact_id() of the change; null where it is older than this column.';

CREATE INDEX mcp_auditevent_transaction ON mcp_ledger_auditevent (tenant_id, transaction_id);
