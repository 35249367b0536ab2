"""The pages of the tokens in an admin of the platform: `register(site)`."""

from __future__ import annotations

from typing import ClassVar

from django.contrib import admin
from django.http import HttpRequest

from mcp_server.tokens.models import ApiToken, PlatformToken
from rls.admin import PlatformAdminSite

TOKEN_FIELDS = ("name", "scopes", "expires_at", "last_used_at", "created_at")


class TokenAdmin(admin.ModelAdmin):  # type: ignore[type-arg]  # takes none at runtime
    """Tokens are seen and revoked here; they are minted where they can be shown once: `manage.py tokens create`."""

    readonly_fields: ClassVar[tuple[str, ...]] = TOKEN_FIELDS

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False


class ApiTokenAdmin(TokenAdmin):
    list_display = ("name", "tenant", "last_used_at", "expires_at", "revoked_at")
    list_filter = ("tenant",)
    fields = ("tenant", *TOKEN_FIELDS, "revoked_at")
    readonly_fields = ("tenant", *TOKEN_FIELDS)


class PlatformTokenAdmin(TokenAdmin):
    list_display = ("name", "last_used_at", "expires_at", "revoked_at")
    fields = (*TOKEN_FIELDS, "revoked_at")


def register(site: PlatformAdminSite) -> None:
    """Add the tokens to a site. Only the platform's role reads them, so it has to be a PlatformAdminSite."""
    site.register(ApiToken, ApiTokenAdmin)
    site.register(PlatformToken, PlatformTokenAdmin)
