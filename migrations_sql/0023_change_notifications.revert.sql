-- Reverts 0023 change notifications: nobody hears of a change any more.
DELETE FROM app.declared_exceptions WHERE object ^@ 'app.notify_change(' OR object LIKE '% calls app.notify_change as %';
DROP TRIGGER notify_update ON core_tenant;
DROP TRIGGER notify_update ON core_tenantsettings;
DROP TRIGGER notify_insert ON core_tenantsettings;
DROP TRIGGER notify_delete ON core_order;
DROP TRIGGER notify_update ON core_order;
DROP TRIGGER notify_insert ON core_order;
DROP TRIGGER notify_delete ON core_product;
DROP TRIGGER notify_update ON core_product;
DROP TRIGGER notify_insert ON core_product;
SET LOCAL ROLE app_resolver;
DROP FUNCTION app.notify_change();
RESET ROLE;
