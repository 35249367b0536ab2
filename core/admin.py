"""The admin, for staff of the platform: each page is one platform context, with its audit row."""

from __future__ import annotations

from typing import Any, ClassVar

from django import forms
from django.contrib import admin
from django.contrib.auth.admin import GroupAdmin, UserAdmin
from django.contrib.auth.models import Group, User
from django.http import HttpRequest

from core.models import LOCALES, ApiToken, PlatformToken, Tenant, TenantSettings, TenantUser
from rls.admin import PlatformAdminSite, TenantedAdmin


class ShopAdminSite(PlatformAdminSite):
    site_header = site_title = "django-tenant-mcp"


site = ShopAdminSite()
site.register(Group, GroupAdmin)


@admin.register(User, site=site)
class StaffAdmin(UserAdmin):  # type: ignore[type-arg]  # takes none at runtime
    """Who leaves is made inactive: the admin's log, which names its authors, is never rewritten."""

    def has_delete_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        return False


class TenantForm(forms.ModelForm):  # type: ignore[type-arg]  # takes none at runtime
    """A tenant with its locale, which is one of its settings."""

    locale = forms.ChoiceField(choices=LOCALES)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        settings = None if self.instance._state.adding else self.instance.settings.first()
        self.initial.setdefault("locale", (settings or TenantSettings()).locale)


@admin.register(Tenant, site=site)
class TenantAdmin(admin.ModelAdmin):  # type: ignore[type-arg]  # takes none at runtime
    form = TenantForm
    list_display = ("name", "subdomain", "is_active", "created_at")
    fields = ("name", "subdomain", "is_active", "locale")
    search_fields = ("name", "subdomain")

    def save_model(self, request: HttpRequest, obj: Tenant, form: Any, change: bool) -> None:
        super().save_model(request, obj, form, change)
        TenantSettings.objects.update_or_create(tenant=obj, defaults={"locale": form.cleaned_data["locale"]})


@admin.register(TenantUser, site=site)
class TenantUserAdmin(TenantedAdmin):
    list_display = ("username", "email", "role", "tenant")
    list_filter = ("tenant",)
    fields = ("username", "email", "role")
    search_fields = ("username", "email")


TOKEN_FACTS = ("name", "scopes", "expires_at", "last_used_at", "created_at")


class TokenAdmin(admin.ModelAdmin):  # type: ignore[type-arg]  # takes none at runtime
    """Tokens are seen and revoked here; they are minted where they can be shown once: `manage.py tokens create`."""

    readonly_fields: ClassVar[tuple[str, ...]] = TOKEN_FACTS

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False


@admin.register(ApiToken, site=site)
class ApiTokenAdmin(TokenAdmin):
    list_display = ("name", "tenant", "user", "last_used_at", "expires_at", "revoked_at")
    list_filter = ("tenant",)
    fields = ("tenant", "user", *TOKEN_FACTS, "revoked_at")
    readonly_fields = ("tenant", "user", *TOKEN_FACTS)


@admin.register(PlatformToken, site=site)
class PlatformTokenAdmin(TokenAdmin):
    list_display = ("name", "last_used_at", "expires_at", "revoked_at")
    fields = (*TOKEN_FACTS, "revoked_at")
