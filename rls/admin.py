"""The admin of Django under row-level security: each page of a signed-in user is one platform context."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any, TypeVar, cast

from django import forms
from django.contrib import admin
from django.contrib.admin import helpers, widgets
from django.contrib.admin.options import IncorrectLookupParameters
from django.contrib.admin.utils import flatten_fieldsets
from django.contrib.contenttypes.views import shortcut
from django.core.exceptions import ValidationError
from django.db.models import CASCADE, PROTECT, RESTRICT, Field
from django.forms.models import BaseInlineFormSet
from django.http import Http404, HttpRequest
from django.http.response import HttpResponseBase
from django.utils.text import capfirst

from rls.checks.settings import tenant_model
from rls.context import platform_context
from rls.models import Tenanted

# More are no list to choose from.
MAX_TENANTS_TO_CHOOSE = 50

View = TypeVar("View", bound=Callable[..., HttpResponseBase])


class PlatformAdminSite(admin.AdminSite):
    """An admin whose staff work across tenants; each of their pages leaves a row in `app.platform_audit`."""

    def admin_view(self, view: View, cacheable: bool = False) -> View:
        # Django's own answers what is no number with 404, and raises for what is no UUID.
        answering = view_on_site if view is shortcut else view
        model_admin = getattr(view, "__self__", None)

        @functools.wraps(view)
        def in_platform_context(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
            reason = f"admin {request.method} {request.path}"
            with platform_context(actor=request.user.get_username(), reason=reason, origin=origin(request)):
                if isinstance(model_admin, admin.ModelAdmin):
                    choose_rows_only(request, model_admin.opts.pk)
                response = answering(request, *args, **kwargs)
                # A TemplateResponse renders, and queries, after the view: it has to happen in here.
                render = getattr(response, "render", None)
                return render() if render else response

        return cast(View, super().admin_view(in_platform_context, cacheable))


def view_on_site(request: HttpRequest, content_type_id: str, object_id: str) -> HttpResponseBase:
    """Django's shortcut to the page of a row on the site. Raises Http404: there is none, or what is named is no id."""
    try:
        return shortcut(request, content_type_id, object_id)
    except ValidationError as error:
        raise Http404 from error


def choose_rows_only(request: HttpRequest, key: Field[Any, Any]) -> None:
    """Leave out of the rows that are chosen in a list whatever can't be their key: no list of ours has sent it.

    Django looks rows up by what comes, and that raises: ValidationError for what is no UUID, ValueError for what is no
    number. An action may raise the same for reasons of its own, so neither is answered here.
    """
    if helpers.ACTION_CHECKBOX_NAME not in request.POST:
        return
    form = request.POST.copy()
    chosen = [each for each in form.getlist(helpers.ACTION_CHECKBOX_NAME) if is_key(key, each)]
    form.setlist(helpers.ACTION_CHECKBOX_NAME, chosen)
    request.POST = form  # type: ignore[assignment]  # a copy has the same type, but can be changed


def is_key(key: Field[Any, Any], text: str) -> bool:
    """Whether a text can be the key of a row."""
    try:
        key.to_python(text)
    except ValidationError:
        return False
    return True


def origin(request: HttpRequest) -> str:
    """The address that the request came from."""
    return str(request.META.get("REMOTE_ADDR", ""))


class SearchSelect(widgets.AutocompleteSelect):
    """A row that is searched for. Django's own fails to show a form again in which the row is named by no id."""

    def optgroups(self, name: str, value: Sequence[str], attr: dict[str, Any] | None = None) -> Any:
        key = self.field.remote_field.model._meta.pk
        return super().optgroups(name, [each for each in value if not each or is_key(key, each)], attr)


class SearchSelectMultiple(SearchSelect, widgets.AutocompleteSelectMultiple):
    """Rows that are searched for."""


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


class TenantFilter(admin.RelatedFieldListFilter):
    """The tenants to filter by, where they are few; where they are many, the one alone that the address names."""

    def field_choices(self, field: Any, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        tenants = field.related_model._default_manager
        few = list(tenants.all()[: MAX_TENANTS_TO_CHOOSE + 1])
        if len(few) > MAX_TENANTS_TO_CHOOSE:
            try:
                few = list(tenants.filter(pk__in=self.lookup_val or []))
            except (ValidationError, ValueError) as error:
                raise IncorrectLookupParameters(error) from error  # the list is shown without the filter
        return [(tenant.pk, str(tenant)) for tenant in few]


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
        form = super().get_form(request, obj, change, fields=others, **kwargs)
        if "tenant" in form.base_fields:
            form.base_fields["tenant"].widget = self._tenant_widget()
            form.base_fields["tenant"].label = capfirst(self.model._meta.get_field("tenant").verbose_name)
        return form

    def _tenant_widget(self) -> forms.Widget:
        """No list of all tenants: they are searched for, or named by their id where the site has no search of them."""
        field = self.model._meta.get_field("tenant")
        of_tenants = self.admin_site._registry.get(field.related_model)
        if of_tenants is not None and of_tenants.search_fields:
            return SearchSelect(field, self.admin_site)
        return widgets.ForeignKeyRawIdWidget(field.remote_field, self.admin_site)

    def get_deleted_objects(
        self, objs: Any, request: HttpRequest
    ) -> tuple[list[str], dict[Any, int], set[Any], list[str]]:
        """What refers to the rows, counted: a list of it would have a line for each."""
        chosen, options = list(objs), self.model._meta
        lines, counts, keeping = [str(row) for row in chosen], {options.verbose_name_plural: len(chosen)}, []
        for relation in options.related_objects:
            rows = relation.related_model._base_manager.filter(**{f"{relation.field.name}__in": chosen}).count()
            name = relation.related_model._meta.verbose_name_plural
            if rows and relation.on_delete in (PROTECT, RESTRICT):
                keeping.append(f"{name}: {rows}")
            elif rows and relation.on_delete is CASCADE:
                lines.append(f"{name}: {rows}")
                counts[name] = counts.get(name, 0) + rows
        refusing = set() if self.has_delete_permission(request) else {options.verbose_name}
        return lines, counts, refusing, keeping


class TenantedInlineFormSet(BaseInlineFormSet):  # type: ignore[type-arg]  # takes none at runtime
    """Rows below a tenanted one: a new one is of the tenant of its parent."""

    def add_fields(self, form: Any, index: int | None) -> None:
        super().add_fields(form, index)
        if isinstance(self.instance, Tenanted) and form.instance._state.adding:
            form.instance.tenant_id = self.instance.tenant_id
