"""The base of every model that belongs to a tenant, and the database expressions it uses."""

from __future__ import annotations

from typing import Any, ClassVar, Self

from django.conf import settings
from django.db import models
from django.db.models.expressions import DatabaseDefault, Func
from django.db.models.functions import Now
from django.db.models.options import Options

from rls.schema.uniqueness import UniqueInTenant


class CurrentTenant(Func):
    """The tenant of the statement, as PostgreSQL sees it; NULL without a context."""

    template = "(NULLIF(current_setting('app.current_tenant', true), ''))::uuid"
    allowed_default = True
    output_field: ClassVar[models.Field[Any, Any]] = models.UUIDField()


class UUID7(Func):
    """A UUID version 7 (RFC 9562 5.7): random, and in the order of creation to the millisecond."""

    template = "app.uuid7()"
    allowed_default = True
    output_field: ClassVar[models.Field[Any, Any]] = models.UUIDField()


class Keyed(models.Model):
    """A row whose key (a UUID version 7) and time of creation are set by the database."""

    id = models.UUIDField(primary_key=True, db_default=UUID7(), editable=False)
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        abstract = True

    def _is_pk_set(self, meta: Options[Self] | None = None) -> bool:
        # Django 5.2 takes the placeholder of a database default for a key, and bulk_create() would not fetch the key.
        return not isinstance(self.pk, DatabaseDefault) and super()._is_pk_set(meta)  # type: ignore[misc]  # private


class Tenanted(UniqueInTenant, Keyed):
    """A row that belongs to one tenant. The database fills `tenant_id` from the open context.

    A model also needs a SQL file, which `manage.py rls new` writes: its policies, the unique key `(tenant_id, id)` and
    composite foreign keys. A relation to another tenanted model takes `db_constraint=False`: the constraint in the SQL
    file includes the tenant, and Django's own would tell by its error whether another tenant has a row of that id.
    """

    tenant = models.ForeignKey(
        # Where the setting is missing, `manage.py check` says so, and not this import.
        getattr(settings, "RLS_TENANT_MODEL", "rls.NoTenantModel"),
        on_delete=models.CASCADE,
        db_default=CurrentTenant(),
        editable=False,
        db_index=False,
    )

    class Meta:
        abstract = True
