"""`InstallResolver`: the function that says who calls."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.db.models import BooleanField, Model, UUIDField

from mcp_server.operations import members
from mcp_server.operations.members import Columns
from mcp_server.operations.names import column_of, field_of, identifier, is_unique, literal, model_of, table_of
from mcp_server.operations.writing import WriteSQL

REMOVE = "resolve_principal.revert.sql"


class InstallResolver(WriteSQL):
    """Make `app.resolve_principal()`, which says before a tenant context exists who calls: a token at a tenant's URL.

        InstallResolver(tenant="helpdesk.Organisation", slug="slug")

    Args:
        tenant: the tenant model, that of RLS_TENANT_MODEL; its key is a UUID.
        slug: its field that stands in the URL; it must be unique.
        active: its boolean field; a tenant where it is false is unknown to every caller.
        members: a tenanted model, "helpdesk.Membership", that says who may work for a tenant: a token may be made for
            one of them, and is good as long as the row is there. Its field `user` refers to the model of the users:
            their name is that of the caller, and who is not `is_active` is refused. Its field `role`, where it has one,
            says what he is there, see MCP_ROLES. Where it is left out, a token for a member is refused.
        locale, time_zone: where a tenant's language ("zh-hant") and zone ("Europe/Berlin") are kept: a field of the
            tenant model, "language", or of a tenanted model with one row a tenant, "helpdesk.Settings.language".
        default_locale, default_time_zone: what holds where nothing is kept.

    The migration depends on ("mcp_tokens", "0003_tokens_of_members"), and on those that make the models and their
    policies. A later one replaces what is there: run it again after a table or a column has got another name. Reversed,
    it removes the resolver, and no token is accepted until a migration makes it again.

    Raises ImproperlyConfigured, when the migration runs, where a model or a field is not as it must be.
    """

    texts = ("resolver_lookup", "resolver_users", "resolve_principal")

    def __init__(
        self,
        *,
        tenant: str,
        slug: str,
        active: str = "is_active",
        members: str = "",
        locale: str = "",
        time_zone: str = "",
        default_locale: str = "",
        default_time_zone: str = "UTC",
    ) -> None:
        super().__init__(
            tenant=tenant,
            slug=slug,
            active=active,
            members=members,
            locale=locale,
            time_zone=time_zone,
            default_locale=default_locale,
            default_time_zone=default_time_zone,
        )

    def describe(self) -> str:
        return f"Install app.resolve_principal() for {self.options['tenant']}"

    def forwards_sql(self, app_label: str, state: Any) -> str:
        tenant = model_of(self.options["tenant"], app_label, state)
        key, slug, active = self._fields(tenant)
        read: Columns = {table_of(tenant): list(dict.fromkeys([key, slug, active]))}
        users: Columns = {}
        values = {
            "tenants": table_of(tenant),
            "key": identifier(key),
            "slug": identifier(slug),
            "active": identifier(active),
            "locale": self._setting("locale", tenant, app_label, state, read),
            "time_zone": self._setting("time_zone", tenant, app_label, state, read),
            "tokens": token_table("apitoken", state),
            "platform_tokens": token_table("platformtoken", state),
            **token_columns(state),
            **members.columns(self.options["members"], app_label, state, read, users),
        }
        lookups = [self._filled("resolver_lookup.sql", lookup(table, columns)) for table, columns in read.items()]
        lookups += [self._filled("resolver_users.sql", lookup(table, columns)) for table, columns in users.items()]
        return "\n".join([self._read(REMOVE), *lookups, self._filled("resolve_principal.sql", values)])

    def backwards_sql(self, app_label: str, state: Any) -> str:
        return self._read(REMOVE)

    def _fields(self, tenant: type[Model]) -> tuple[str, str, str]:
        """The columns of the tenant model's key, of its slug and of its flag."""
        if not isinstance(tenant._meta.pk, UUIDField):
            raise ImproperlyConfigured(
                f"InstallResolver(tenant={self.options['tenant']!r}): its key is no UUIDField, and a context is opened "
                "with a UUID; derive the model from rls.models.Keyed"
            )
        slug, active = (field_of(tenant, self.options[name]) for name in ("slug", "active"))
        if not is_unique(tenant, slug.name):
            raise ImproperlyConfigured(
                f"InstallResolver(slug={slug.name!r}): two tenants could have one URL; say unique=True in the field"
            )
        if not isinstance(active, BooleanField):
            raise ImproperlyConfigured(f"InstallResolver(active={active.name!r}): it is no BooleanField")
        return column_of(tenant, "pk"), str(slug.column), str(active.column)

    def _setting(self, name: str, tenant: type[Model], app_label: str, state: Any, read: Columns) -> str:
        """The SQL of a tenant's locale or time zone; the columns that it reads are added to `read`."""
        place, default = self.options[name], literal(self.options[f"default_{name}"])
        if not place:
            return default
        label, _, field_name = place.rpartition(".")
        model = model_of(label, app_label, state) if label else tenant
        column = column_of(model, field_name)
        columns = read.setdefault(table_of(model), ["tenant_id"])
        read[table_of(model)] = list(dict.fromkeys([*columns, column]))
        if model is tenant:
            return f"COALESCE(n.{identifier(column)}, {default})"
        if not is_unique(model, "tenant"):
            raise ImproperlyConfigured(
                f"InstallResolver({name}={place!r}): {label} may have several rows for a tenant; add "
                'models.UniqueConstraint(fields=["tenant"], name="...") to its constraints'
            )
        rows = f"FROM {table_of(model)} AS s WHERE s.tenant_id = n.{identifier(column_of(tenant, 'pk'))}"
        return f"COALESCE((SELECT s.{identifier(column)} {rows}), {default})"


def token_table(model_name: str, state: Any) -> str:
    """The table of a model of `mcp_server.tokens`. Raises ImproperlyConfigured: no migration has made it yet."""
    if ("mcp_tokens", model_name) not in state.models:
        raise ImproperlyConfigured(
            'InstallResolver reads the tokens: say "mcp_server.tokens" in INSTALLED_APPS, and '
            '("mcp_tokens", "0003_tokens_of_members") in the dependencies of this migration'
        )
    return table_of(state.apps.get_model("mcp_tokens", model_name))


def token_columns(state: Any) -> dict[str, str]:
    """What a token may use of its scopes, as SQL; everything before the migration that can say less, which ends every
    resolver that was made before it.
    """
    if "tools" not in state.models["mcp_tokens", "apitoken"].fields:
        return {"tools": "NULL::text[]", "is_read_only": "false"}
    return {"tools": "t.tools::text[]", "is_read_only": "t.is_read_only"}


def lookup(table: str, columns: list[str]) -> dict[str, str]:
    """What fills in resolver_lookup.sql."""
    return {
        "table": table,
        "table_name": literal(table),
        "columns": ", ".join(identifier(column) for column in columns),
        "column_names": ", ".join(literal(column) for column in columns),
    }
