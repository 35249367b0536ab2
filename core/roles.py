"""What the members of a tenant may do: the one table from roles to scopes."""

from __future__ import annotations

from collections.abc import Mapping

from django.db.models import TextChoices
from django.utils.translation import gettext_lazy as _

from core.scopes import Scope


class Role(TextChoices):
    """What a user is inside a tenant."""

    OWNER = "owner", _("owner")
    MANAGER = "manager", _("manager")
    STAFF = "staff", _("staff")
    VIEWER = "viewer", _("viewer")


VIEWER = frozenset({Scope.TENANTS_READ, Scope.USERS_READ, Scope.PRODUCTS_READ, Scope.ORDERS_READ, Scope.REPORTS_READ})
STAFF = VIEWER | {Scope.PRODUCTS_WRITE, Scope.ORDERS_WRITE, Scope.CUSTOMERS_CONTACT}
MANAGER = STAFF | {Scope.AUDIT_READ, Scope.EXPORTS_WRITE}
# How much an assistant may do without asking is a setting, so that is the owner's.
OWNER = MANAGER | {Scope.SETTINGS_WRITE, Scope.DEMO_WRITE}

# What each role may do at most. Who makes tenants is of the platform, and no member of one.
SCOPES_OF_ROLES: Mapping[str, frozenset[Scope]] = {
    Role.OWNER: OWNER,
    Role.MANAGER: MANAGER,
    Role.STAFF: STAFF,
    Role.VIEWER: VIEWER,
}
