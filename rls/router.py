"""Which connection, and so which database role, a query uses."""

from __future__ import annotations

from typing import Any

from django.db import DEFAULT_DB_ALIAS
from django.db.models import Model

from rls.context import PLATFORM_ALIAS, platform_is_open

OWNER_ALIAS = "owner"

# Django's own tables hold no tenant; the staff who use them work on the platform connection.
PLATFORM_APPS = frozenset({"admin", "auth", "contenttypes", "sessions"})


class RoleRouter:
    """`default` serves tenants, `platform` works across them, `owner` migrates: three roles of one database.

    There is no `allow_migrate`: the tables are everywhere the same, and where it says no, `dumpdata` and `flush`
    find nothing to do and succeed. That `migrate` works as the owner is said in `rls`'s own `migrate`.
    """

    def db_for_read(self, model: type[Model], **hints: Any) -> str:
        if platform_is_open() or model._meta.app_label in PLATFORM_APPS:
            return PLATFORM_ALIAS
        return DEFAULT_DB_ALIAS

    db_for_write = db_for_read

    def allow_relation(self, one: Model, other: Model, **hints: Any) -> bool:
        return True
