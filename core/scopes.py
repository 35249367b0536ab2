"""What a token of this shop may do."""

from __future__ import annotations

from enum import StrEnum


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
