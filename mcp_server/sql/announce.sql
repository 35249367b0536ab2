-- Each <event> on <table> is announced
-- Afterwards whoever listens on the channel tenant_changes hears, when it commits, which rows an <event> has changed.
-- Needs: 0001_change_notifications. Proved by: tests/mcp_server/test_operations.py.

-- A trigger with a transition table is for one kind of statement.
CREATE TRIGGER <trigger> AFTER <event> ON <table>
    REFERENCING <rows> TABLE AS changed
    FOR EACH STATEMENT EXECUTE FUNCTION app.notify_change(<tenant_column>, <key_column>);

INSERT INTO app.declared_exceptions (rule, object, reason)
SELECT 'trigger-undeclared',
       format('%s.%I calls %s as %s, md5 %s', t.name, g.tgname, g.tgfoid::regproc, pg_get_userbyid(p.proowner), md5(concat(p.prosrc, p.probin))),
       'After the statement, which it can''t change: it sends the ids of the changed rows to whoever watches them.'
FROM pg_catalog.pg_trigger AS g
JOIN app.tenanted_tables AS t ON t.oid = g.tgrelid
JOIN pg_catalog.pg_proc AS p ON p.oid = g.tgfoid
WHERE g.tgrelid = <table_name>::regclass AND g.tgname = '<trigger>';
