-- 0013 role-membership (error)
-- Means: a role can act as another, and so past the policies that bind it. app_owner is a member of app_resolver, to hand
-- functions over, and sees nothing through it because it is NOINHERIT.
-- Mends: revoking the membership.
SELECT 'role-membership' AS rule,
       'error' AS level,
       member.rolname::text AS object,
       format('it is a member of %s', granted.rolname) AS finding,
       format('REVOKE %I FROM %I;', granted.rolname, member.rolname) AS mend
FROM pg_catalog.pg_auth_members AS m
JOIN pg_catalog.pg_roles AS member ON member.oid = m.member
JOIN pg_catalog.pg_roles AS granted ON granted.oid = m.roleid
WHERE member.rolname IN ('app_owner', 'app_tenant', 'app_platform', 'app_auditor', 'app_resolver')
  AND NOT (member.rolname = 'app_owner' AND granted.rolname = 'app_resolver' AND NOT member.rolinherit);
\set ON_ERROR_STOP on
\ir verdict.sql
