-- Reverts 0001 change notifications: no trigger can tell of a change any more.
DELETE FROM app.declared_exceptions WHERE object ^@ 'app.notify_change(';
SET LOCAL ROLE app_resolver;
DROP FUNCTION app.notify_change();
RESET ROLE;
