"""The admin of Django under row-level security: each page of a signed-in user is one platform context."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, TypeVar, cast

from django import forms
from django.contrib import admin
from django.contrib.admin.utils import flatten_fieldsets
from django.forms.models import BaseInlineFormSet
from django.http import HttpRequest
from django.http.response import HttpResponseBase

from rls.checks.settings import tenant_model
from rls.context import platform_context
from rls.models import Tenanted

View = TypeVar("View", bound=Callable[..., HttpResponseBase])


class PlatformAdminSite(admin.AdminSite):
    """An admin whose staff work across tenants; each of their pages leaves a row in `app.platform_audit`."""

    def admin_view(self, view: View, cacheable: bool = False) -> View:
        @functools.wraps(view)
        def in_platform_context(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
            reason = f"admin {request.method} {request.path}"
            with platform_context(actor=request.user.get_username(), reason=reason, origin=origin(request)):
                response = view(request, *args, **kwargs)
                # A TemplateResponse renders, and queries, after the view: it has to happen in here.
                render = getattr(response, "render", None)
                return render() if render else response

        return cast(View, super().admin_view(in_platform_context, cacheable))


def origin(request: HttpRequest) -> str:
    """The address that the request came from."""
    return str(request.META.get("REMOTE_ADDR", ""))


class TenantedForm(forms.ModelForm):  # type: ignore[type-arg]  # takes none at runtime
    """The form of a new row for which staff choose the tenant."""

    tenant: Any = forms.ModelChoiceField(queryset=None)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if "tenant" in self.fields:
            self.fields["tenant"].queryset = tenant_model()._default_manager.all()  # type: ignore[union-attr,attr-defined]

    def clean(self) -> dict[str, Any] | None:
        if tenant := self.cleaned_data.get("tenant"):
            self.instance.tenant = tenant
        return super().clean()


class TenantedAdmin(admin.ModelAdmin):  # type: ignore[type-arg]  # takes none at runtime
    """The admin of a tenanted model: the tenant of a row is chosen once, and is seen afterwards."""

    form = TenantedForm

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        return (*super().get_readonly_fields(request, obj), *(["tenant"] if obj else []))

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        names = [name for name in super().get_fields(request, obj) if name != "tenant"]
        return ["tenant", *names]

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        fieldsets = super().get_fieldsets(request, obj)
        return fieldsets if "tenant" in flatten_fieldsets(fieldsets) else [(None, {"fields": ["tenant"]}), *fieldsets]

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        fields = kwargs.pop("fields") if "fields" in kwargs else flatten_fieldsets(self.get_fieldsets(request, obj))
        # The model's own field is not editable, and no form is made of it.
        others = fields and [name for name in fields if name != "tenant"]
        return super().get_form(request, obj, change, fields=others, **kwargs)


class TenantedInlineFormSet(BaseInlineFormSet):  # type: ignore[type-arg]  # takes none at runtime
    """Rows below a tenanted one: a new one is of the tenant of its parent."""

    def add_fields(self, form: Any, index: int | None) -> None:
        super().add_fields(form, index)
        if isinstance(self.instance, Tenanted) and form.instance._state.adding:
            form.instance.tenant_id = self.instance.tenant_id
