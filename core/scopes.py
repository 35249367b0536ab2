"""What a token of this shop may do."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _


class Scope(StrEnum):
    """What a token may do, as `<resource>:<action>`."""

    TENANTS_READ = "tenants:read"
    TENANTS_WRITE = "tenants:write"
    USERS_READ = "users:read"
    PRODUCTS_READ = "products:read"
    PRODUCTS_WRITE = "products:write"
    ORDERS_READ = "orders:read"
    ORDERS_WRITE = "orders:write"
    REPORTS_READ = "reports:read"
    SETTINGS_WRITE = "settings:write"
    AUDIT_READ = "audit:read"
    # Whoever lacks it is shown addresses and phone numbers masked.
    CUSTOMERS_CONTACT = "customers:contact"
    EXPORTS_WRITE = "exports:write"
    DEMO_WRITE = "demo:write"


# What a person is told who lets a program in.
SCOPE_WORDS: Mapping[str, Promise] = {
    Scope.TENANTS_READ: _("See the shop's name and settings"),
    Scope.TENANTS_WRITE: _("Make, change and suspend shops"),
    Scope.USERS_READ: _("See who works for the shop"),
    Scope.PRODUCTS_READ: _("See products and stock"),
    Scope.PRODUCTS_WRITE: _("Change products and stock"),
    Scope.ORDERS_READ: _("See orders and customers"),
    Scope.ORDERS_WRITE: _("Place and change orders, and change customers"),
    Scope.REPORTS_READ: _("See figures and reports"),
    Scope.SETTINGS_WRITE: _("Change the shop's settings"),
    Scope.AUDIT_READ: _("See who has done what"),
    Scope.CUSTOMERS_CONTACT: _("See e-mail addresses and phone numbers"),
    Scope.EXPORTS_WRITE: _("Export lists as files"),
    Scope.DEMO_WRITE: _("Fill the shop with demo data"),
}
