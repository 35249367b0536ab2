"""Validation of what is unique inside a tenant: a duplicate is an error of the form, as it is without tenants.

Forms leave the tenant out of what they validate, because it is no field of theirs, and Django skips a constraint of
which it does not validate every field. The row knows its tenant all the same: its own, or that of the open context.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from types import SimpleNamespace
from typing import Any

from django.core.exceptions import NON_FIELD_ERRORS, ValidationError
from django.db import models, router
from django.db.models.expressions import DatabaseDefault

from rls.context import current_tenant_id, platform_is_open
from rls.errors import NoTenantContext

TENANT_FIELDS = ("tenant", "tenant_id")


class UniqueInTenant(models.Model):
    """A row whose unique constraints start with the tenant, and are validated with it.

    Raises, where something unique is validated:
        NoTenantContext: no context is open, so it can't be known what the tenant has.
        ValidationError: in a platform context, where the row has no tenant and the tenant is not left out.
    """

    class Meta:
        abstract = True

    def validate_unique(self, exclude: Collection[str] | None = None) -> None:
        """As Django's, with the tenant."""
        excluded = set(exclude or ())
        errors: dict[str, list[ValidationError]] = {}
        try:
            super().validate_unique(excluded)
        except ValidationError as error:
            errors = error.update_error_dict(errors)
        # Django before 6.1 leaves the parent of an inline form out of the constraints, and not out of this.
        left_out: set[str] = self._state.__dict__.pop("left_out", set()) - excluded
        errors = self._violations(excluded, errors, of=left_out) if left_out else errors
        if errors:
            raise ValidationError(_without_tenant(errors, excluded))

    def validate_constraints(self, exclude: Collection[str] | None = None) -> None:
        """As Django's, with the tenant. An error is attached to the field that it is about, where that is one."""
        excluded = set(exclude or ())
        self._state.__dict__["left_out"] = excluded - set(TENANT_FIELDS)
        if "tenant" not in excluded and platform_is_open() and self._tenant() is None:
            null = self._meta.get_field("tenant").error_messages["null"]  # type: ignore[union-attr]  # a foreign key
            raise ValidationError({"tenant": ValidationError(null, code="null")})
        if errors := self._violations(excluded, {}):
            raise ValidationError(_without_tenant(errors, excluded))

    def _violations(
        self, excluded: set[str], errors: dict[str, list[ValidationError]], of: set[str] | None = None
    ) -> dict[str, list[ValidationError]]:
        """`errors` and those of the constraints, or of the unique ones on a field of `of`."""
        using = router.db_for_write(type(self), instance=self)
        others = excluded - set(TENANT_FIELDS)
        for model, constraints in self.get_constraints():
            for constraint in constraints:
                fields: tuple[str, ...] = getattr(constraint, "fields", ())
                if of is not None and of.isdisjoint(fields):
                    continue
                if not isinstance(constraint, models.CheckConstraint) and others.isdisjoint(fields):
                    _require_context()
                try:
                    constraint.validate(model, self, exclude=others, using=using)
                except ValidationError as error:
                    if getattr(error, "code", None) == "unique":
                        errors.setdefault(_key(fields), []).append(error)
                    else:
                        errors = error.update_error_dict(errors)
        return errors

    def unique_error_message(self, model_class: type[models.Model], unique_check: Iterable[str]) -> ValidationError:
        """As Django's, without the tenant: "Ticket with this Number already exists."."""
        names = tuple(unique_check)
        return super().unique_error_message(model_class, _others(names) or names)

    def _get_unique_checks(
        self, exclude: Collection[str] | None = None, include_meta_constraints: bool = False
    ) -> tuple[list[Any], list[Any]]:
        """What Django asks before it validates one row, and before a formset compares its rows with each other."""
        excluded = set(exclude or ())
        if include_meta_constraints and not self._is_alone_with_its_tenant():
            checks, _ = super()._get_unique_checks(excluded, include_meta_constraints)  # type: ignore[misc]  # private
            return checks, []
        checks, dates = super()._get_unique_checks(  # type: ignore[misc]  # private
            excluded - set(TENANT_FIELDS), include_meta_constraints
        )
        if not include_meta_constraints:
            if checks or dates:
                _require_context()
            return checks, dates
        if "tenant" in excluded:  # the forms have no value for it, and it would stand in their message
            checks = [(model, _others(names)) for model, names in checks if _others(names)]
        return checks, dates

    def _perform_unique_checks(self, unique_checks: list[Any]) -> dict[str, list[ValidationError]]:
        errors: dict[str, list[ValidationError]] = {}
        for check in unique_checks:
            for found in super()._perform_unique_checks([check]).values():  # type: ignore[misc]  # private
                errors.setdefault(_key(check[1]), []).extend(found)
        return errors

    def _perform_date_checks(self, date_checks: list[Any]) -> dict[str, list[ValidationError]]:
        """`unique_for_date` and its like name no tenant, and a platform context sees the rows of all."""
        return super()._perform_date_checks(  # type: ignore[misc,no-any-return]  # private
            [
                (SimpleNamespace(_default_manager=model._default_manager.filter(tenant=self._tenant())), *rest)
                for model, *rest in date_checks
            ]
        )

    def _get_field_expression_map(self, meta: Any, exclude: Any = None) -> dict[str, Any]:
        """Expressions of constraints may write `tenant` as `tenant_id`."""
        values: dict[str, Any] = super()._get_field_expression_map(meta, exclude)  # type: ignore[misc]  # private
        return values | ({"tenant_id": values["tenant"]} if "tenant" in values else {})

    def _tenant(self) -> Any:
        """The key of the row's tenant, or what the database will fill in; None where neither is known."""
        value = self.tenant_id  # type: ignore[attr-defined]  # of Tenanted
        return current_tenant_id() if isinstance(value, DatabaseDefault) else value

    def _is_alone_with_its_tenant(self) -> bool:
        """Whether the rows of a formset are of one tenant: those of a list on the platform are of many."""
        return not platform_is_open() or self._state.adding


def _require_context() -> None:
    if current_tenant_id() is None and not platform_is_open():
        raise NoTenantContext


def _others(names: Iterable[str]) -> tuple[str, ...]:
    return tuple(name for name in names if name not in TENANT_FIELDS)


def _key(names: Iterable[str]) -> str:
    """Where Django attaches the error of a constraint on `names`, of which the tenant is none."""
    others = _others(names) or tuple(names)
    return others[0] if len(others) == 1 else NON_FIELD_ERRORS


def _without_tenant(errors: dict[str, Any], exclude: Collection[str]) -> dict[str, Any]:
    """A form that has no field for the tenant has no place for an error of it."""
    if "tenant" not in errors or "tenant" not in exclude:
        return errors
    rest = {name: found for name, found in errors.items() if name != "tenant"}
    return rest | {NON_FIELD_ERRORS: [*rest.get(NON_FIELD_ERRORS, []), *errors["tenant"]]}
