"""The pages of the tokens in an admin of the platform: `register(site)`."""

from __future__ import annotations

from typing import Any, ClassVar

from django.contrib import admin
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from mcp_server.tokens import members
from mcp_server.tokens.models import ApiToken, PlatformToken
from rls.admin import PlatformAdminSite, TenantFilter

TOKEN_FIELDS = ("name", "scopes", "tools", "is_read_only", "expires_at", "last_used_at", "created_at")


class TokenAdmin(admin.ModelAdmin):  # type: ignore[type-arg]  # takes none at runtime
    """Tokens are seen and revoked here; they are minted where they can be shown once: `manage.py tokens create`."""

    search_fields = ("name",)
    readonly_fields: ClassVar[tuple[str, ...]] = TOKEN_FIELDS

    def formfield_for_dbfield(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        field = super().formfield_for_dbfield(db_field, request, **kwargs)
        if db_field.name == "revoked_at" and field is not None:
            field.help_text = _("In the time zone {zone}.").format(zone=timezone.get_current_timezone_name())
        return field

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False


class ApiTokenAdmin(TokenAdmin):
    list_display = ("name", "tenant", "last_used_at", "expires_at", "revoked_at")
    list_filter = (("tenant", TenantFilter),)
    fields = ("tenant", "acts_for", *TOKEN_FIELDS, "revoked_at")
    readonly_fields = ("tenant", "acts_for", *TOKEN_FIELDS)

    @admin.display(description=_("acts for"))
    def acts_for(self, token: ApiToken) -> str:
        """The member of the tenant whose token it is, by his name; by his id where he is none any more."""
        if token.member is None:
            return str(self.get_empty_value_display())
        return members.names([token.member]).get(token.member, str(token.member))


class PlatformTokenAdmin(TokenAdmin):
    list_display = ("name", "last_used_at", "expires_at", "revoked_at")
    fields = (*TOKEN_FIELDS, "revoked_at")


def register(site: PlatformAdminSite) -> None:
    """Add the tokens to a site. Only the platform's role reads them, so it has to be a PlatformAdminSite."""
    site.register(ApiToken, ApiTokenAdmin)
    site.register(PlatformToken, PlatformTokenAdmin)
