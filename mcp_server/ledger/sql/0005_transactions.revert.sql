-- Reverts 0005 transactions: the index goes with its column.
ALTER TABLE mcp_ledger_auditevent DROP COLUMN transaction_id;
