"""The admin, for staff of the platform: each page is one platform context, with its audit row."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.contrib.auth.admin import GroupAdmin, UserAdmin
from django.contrib.auth.models import Group, User
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from core import defaults
from core.models import Membership, Tenant, TenantSettings, TenantUser
from core.services import members, tenant_rows
from mcp_server.tokens import admin as tokens_admin
from rls.admin import PlatformAdminSite, SearchSelectMultiple, TenantedAdmin, TenantFilter


class ShopAdminSite(PlatformAdminSite):
    site_header = site_title = "django-tenant-mcp"


site = ShopAdminSite()
site.register(Group, GroupAdmin)
tokens_admin.register(site)


@admin.register(User, site=site)
class StaffAdmin(UserAdmin):  # type: ignore[type-arg]  # takes none at runtime
    """Who leaves is made inactive: the admin's log, which names its authors, is never rewritten.

    Groups are searched for: there may be more of them than a page can list.
    """

    list_filter = ("is_staff", "is_superuser", "is_active")
    autocomplete_fields = ("groups",)
    filter_horizontal = ("user_permissions",)

    def formfield_for_manytomany(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        if db_field.name in self.autocomplete_fields:
            kwargs["widget"] = SearchSelectMultiple(db_field, self.admin_site)
        return super().formfield_for_manytomany(db_field, request, **kwargs)

    def has_delete_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        return False


class TenantForm(forms.ModelForm):  # type: ignore[type-arg]  # takes none at runtime
    """A tenant with its locale, which is one of its settings."""

    locale = forms.ChoiceField(choices=defaults.LANGUAGES, label=_("language"))

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

    def get_deleted_objects(
        self, objs: Any, request: HttpRequest
    ) -> tuple[list[str], dict[Any, int], set[Any], list[str]]:
        """What goes with tenants, counted: a list of it would have a line for each row."""
        having = {tenant: tenant_rows.count(tenant) for tenant in objs}
        models = {model._meta.label: model for model in tenant_rows.models()}
        refusing = {
            model._meta.verbose_name
            for model in [
                Tenant,
                *(models[label] for counted in having.values() for label in counted if counted[label]),
            ]
            if model in site._registry and not site._registry[model].has_delete_permission(request)
        }
        lines = [
            _("{name}: {text}").format(name=tenant, text=tenant_rows.in_words(counted))
            for tenant, counted in having.items()
        ]
        return lines, {Tenant._meta.verbose_name_plural: len(having)}, refusing, []

    def delete_model(self, request: HttpRequest, obj: Tenant) -> None:
        tenant_rows.delete(obj)

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Tenant]) -> None:
        for tenant in queryset:
            tenant_rows.delete(tenant)

    def save_model(self, request: HttpRequest, obj: Tenant, form: Any, change: bool) -> None:
        super().save_model(request, obj, form, change)
        TenantSettings.objects.update_or_create(tenant=obj, defaults={"locale": form.cleaned_data["locale"]})


@admin.register(TenantUser, site=site)
class TenantUserAdmin(TenantedAdmin):
    list_display = ("username", "email", "role", "tenant")
    # The order of an index, in which a page is read: the names of all tenants would be sorted for each.
    ordering = ("tenant_id", "username")
    list_filter = (("tenant", TenantFilter),)
    fields = ("username", "email", "role")
    search_fields = ("username", "email", "tenant__name", "tenant__subdomain")


@admin.register(Membership, site=site)
class MembershipAdmin(TenantedAdmin):
    """Who may sign in for which tenant. Each change stands among the tenant's own audit events."""

    list_display = ("user", "role", "tenant")
    list_select_related = ("user", "tenant")
    ordering = ("tenant_id", "user_id")
    list_filter = (("tenant", TenantFilter), "role")
    fields = ("user", "role")
    autocomplete_fields = ("user",)
    search_fields = ("user__username", "tenant__name", "tenant__subdomain")

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        return (*super().get_readonly_fields(request, obj), *(["user"] if obj else []))

    def save_model(self, request: HttpRequest, obj: Membership, form: Any, change: bool) -> None:
        said: dict[str, Any] = {
            "user": obj.user,
            "tenant": obj.tenant,
            "role": obj.role,
            "actor": request.user.get_username(),
        }
        obj.pk = (members.change_role if change else members.add)(**said).pk

    def delete_model(self, request: HttpRequest, obj: Membership) -> None:
        members.remove(user=obj.user, tenant=obj.tenant, actor=request.user.get_username())

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Membership]) -> None:
        for membership in queryset:
            self.delete_model(request, membership)
