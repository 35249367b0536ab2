-- Reverts: nobody hears of an <event> on <table> any more.
DELETE FROM app.declared_exceptions AS d
USING app.tenanted_tables AS t
WHERE t.oid = <table_name>::regclass
  AND d.rule = 'trigger-undeclared'
  AND d.object ^@ format('%s.<trigger> calls app.notify_change ', t.name);
DROP TRIGGER <trigger> ON <table>;
