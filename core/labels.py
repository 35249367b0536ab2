"""What the pages of the admin call the models of the shop and their fields; see mcp_server.labels."""

from __future__ import annotations

from typing import Any

from django.db.models import Model
from django.utils.translation import gettext_lazy as _

from core.models import Membership, Tenant, TenantUser

# Of one row, and of several.
MODELS: dict[type[Model], tuple[Any, Any]] = {
    Membership: (_("member of a tenant"), _("members of tenants")),
    Tenant: (_("tenant"), _("tenants")),
    TenantUser: (_("user of a tenant"), _("users of tenants")),
}

# A field has the same label in each model.
FIELDS: dict[str, Any] = {
    "created_at": _("created"),
    "email": _("e-mail"),
    "is_active": _("active"),
    "name": _("name"),
    "role": _("role"),
    "subdomain": _("subdomain"),
    "tenant": _("tenant"),
    "user": _("user"),
    "username": _("user name"),
}
