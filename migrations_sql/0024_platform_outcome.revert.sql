-- Reverts 0024 platform outcome: how platform work ended is known no more.
DELETE FROM app.declared_grants WHERE object = 'app.platform_outcome';
DROP TABLE app.platform_outcome;
