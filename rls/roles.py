"""Roles: a connection that serves must be bound by row-level security."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import ImproperlyConfigured

# Every role whose rights the session has or can take, that row-level security does not bind: superusers,
# BYPASSRLS, and owners of tables under it (an owner can switch it off). PostgreSQL 5.9, 22.3.
UNBOUND_ROLES_SQL = """
SELECT r.rolname,
       CASE WHEN r.rolsuper THEN 'is a superuser'
            WHEN r.rolbypassrls THEN 'has BYPASSRLS'
            ELSE 'owns tables under row-level security' END
FROM pg_catalog.pg_roles AS r
WHERE (pg_catalog.pg_has_role(session_user, r.oid, 'MEMBER') OR pg_catalog.pg_has_role(current_user, r.oid, 'MEMBER'))
  AND (r.rolsuper
       OR r.rolbypassrls
       OR EXISTS (SELECT FROM pg_catalog.pg_class AS c WHERE c.relowner = r.oid AND c.relrowsecurity))
ORDER BY r.rolname = session_user DESC, r.rolname
LIMIT 1
"""


def refuse_unbound(connection: Any) -> None:
    """Raise ImproperlyConfigured where the role of this psycopg connection could bypass row-level security."""
    with connection.cursor() as cursor:
        row = cursor.execute(UNBOUND_ROLES_SQL).fetchone()
        if row is not None:
            user = connection.info.user
            name, why = row
            how = f"{user} {why}" if name == user else f"{user} can act as {name}, which {why}"
            raise ImproperlyConfigured(
                f"refusing to serve as {user}: {how}, so no policy would bind it. "
                "Point the database URL at app_tenant (app_platform for the platform connection)."
            )
