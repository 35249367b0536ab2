"""What the pages of an admin call clients and consents; see mcp_server.labels."""

from __future__ import annotations

from typing import Any

from django.db.models import Model
from django.utils.translation import gettext_lazy as _

from mcp_server.sign_in.models import Client, Consent

# Of one row, and of several.
MODELS: dict[type[Model], tuple[Any, Any]] = {
    Client: (_("client"), _("clients")),
    Consent: (_("consent"), _("consents")),
}

FIELDS: dict[str, Any] = {"created_at": _("created"), "last_used_at": _("last used"), "name": _("name")}
