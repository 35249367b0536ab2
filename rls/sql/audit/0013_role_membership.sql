-- 0013 role-membership (error)
-- Problem: One of our roles can act as another role, or another role can act as one of ours, and so escape the
-- policies that apply to it. Two memberships are expected: app_owner is a member of app_resolver, to hand functions
-- over, and sees nothing through it because it is NOINHERIT; the administrator of a managed server (CREATEROLE) is a
-- member of app_owner.
-- Fix: Revoke the membership, or its inheritance.
SELECT 'role-membership' AS rule,
       'error' AS level,
       m.member AS object,
       format('it is a member of %s', m.granted) || CASE WHEN m.is_expected THEN ', and inherits it or may hand it on' ELSE '' END AS finding,
       CASE WHEN m.is_expected THEN 'ALTER ROLE app_owner NOINHERIT; ' ELSE '' END
           || format('REVOKE %I FROM %I%s;', m.granted, m.member, ' GRANTED BY ' || quote_ident(m.grantor) || ' CASCADE')
           || CASE WHEN m.is_expected THEN ' GRANT app_resolver TO app_owner;' ELSE '' END AS mend
FROM (
    SELECT member.rolname::text AS member,
           granted.rolname::text AS granted,
           (member.rolname, granted.rolname) = ('app_owner', 'app_resolver') AS is_expected,
           member.rolname IN (SELECT role_name FROM app.roles) AS is_ours,
           member.rolsuper OR member.rolcreaterole AS is_administrator,
           -- From PostgreSQL 16 on each membership says whether it is inherited, and whoever granted it has one of its own.
           m.admin_option OR COALESCE((to_jsonb(m) ->> 'inherit_option')::boolean, member.rolinherit) AS is_strong,
           CASE WHEN to_jsonb(m) ? 'inherit_option' THEN pg_get_userbyid(m.grantor)::text END AS grantor
    FROM pg_catalog.pg_auth_members AS m
    JOIN pg_catalog.pg_roles AS member ON member.oid = m.member
    JOIN pg_catalog.pg_roles AS granted ON granted.oid = m.roleid
    WHERE member.rolname IN (SELECT role_name FROM app.roles) OR granted.rolname IN (SELECT role_name FROM app.roles)
) AS m
WHERE CASE WHEN m.is_expected THEN m.is_strong
           WHEN m.is_ours THEN true
           ELSE NOT m.is_administrator END
  AND NOT app.is_declared('role-membership', format('%s is a member of %s', m.member, m.granted));
\set ON_ERROR_STOP on
\ir verdict.sql
