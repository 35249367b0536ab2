"""What the pages of an admin call the tokens and their fields; see mcp_server.labels."""

from __future__ import annotations

from typing import Any

from django.db.models import Model
from django.utils.translation import gettext_lazy as _

from mcp_server.tokens.models import ApiToken, PlatformToken

# Of one row, and of several.
MODELS: dict[type[Model], tuple[Any, Any]] = {
    ApiToken: (_("token of a tenant"), _("tokens of tenants")),
    PlatformToken: (_("token of the platform"), _("tokens of the platform")),
}

FIELDS: dict[str, Any] = {
    "created_at": _("created"),
    "expires_at": _("expires"),
    "is_read_only": _("reads only"),
    "last_used_at": _("last used"),
    "name": _("name"),
    "revoked_at": _("revoked"),
    "scopes": _("scopes"),
    "tenant": _("tenant"),
    "tools": _("tools"),
}
