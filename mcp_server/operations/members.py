"""What the resolver reads of the member for whom a token acts."""

from __future__ import annotations

from typing import Any

from django.apps import apps
from django.core.exceptions import ImproperlyConfigured
from django.db.models import ForeignKey, Model

from mcp_server.operations.names import column_of, field_of, fields_of, identifier, model_of, table_of

# The columns that the resolver reads, by table.
Columns = dict[str, list[str]]

# Where nothing says who the members of a tenant are, a token for one is good for nothing.
NOBODY = {"members": "", "is_good_for_its_member": "t.member IS NULL", "person": "''::text", "role": "NULL::text"}


def columns(label: str, app_label: str, state: Any, read: Columns, users: Columns) -> dict[str, str]:
    """What fills in resolve_principal.sql for the model `label`, '' for none, of the member `m` and his user `u`.

    The columns that it reads are added to `read` and, where users belong to no tenant, to `users`.

    Raises ImproperlyConfigured: the model is not as it must be.
    """
    if "member" not in state.models["mcp_tokens", "apitoken"].fields:
        return NOBODY | {"is_good_for_its_member": "true"}
    if not label:
        return NOBODY
    model = model_of(label, app_label, state)
    field_of(model, "tenant")
    user = field_of(model, "user")
    if not isinstance(user, ForeignKey):
        raise ImproperlyConfigured(
            f"InstallResolver(members={label!r}): its field user is no ForeignKey, such as "
            "models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE)"
        )
    of_users, user_column = user.related_model, str(user.column)
    member_key, user_key = column_of(model, "pk"), column_of(of_users, user.target_field.name)
    name = column_of(of_users, name_field(of_users))
    active = column_of(of_users, "is_active") if "is_active" in fields_of(of_users) else ""
    role = column_of(model, "role") if "role" in fields_of(model) else ""
    read[table_of(model)] = _once(member_key, "tenant_id", user_column, role)
    (read if "tenant" in fields_of(of_users) else users)[table_of(of_users)] = _once(user_key, name, active)
    is_member = f"m.tenant_id = t.tenant_id AND m.{identifier(member_key)} = t.member"
    is_active = f" AND u.{identifier(active)}" if active else ""
    is_user = f"u.{identifier(user_key)} = m.{identifier(user_column)}{is_active}"
    joins = [f"LEFT JOIN {table_of(model)} AS m ON {is_member}", f"LEFT JOIN {table_of(of_users)} AS u ON {is_user}"]
    return {
        "members": "".join(f"\n            {join}" for join in joins),
        "is_good_for_its_member": f"(t.member IS NULL OR u.{identifier(user_key)} IS NOT NULL)",
        "person": f"COALESCE(u.{identifier(name)}::text, '')",
        # No row of the table of roles is for '': who has no role may do nothing.
        "role": f"CASE WHEN t.member IS NOT NULL THEN COALESCE(m.{identifier(role)}::text, '') END"
        if role
        else "NULL::text",
    }


def name_field(users: type[Model]) -> str:
    """The field by which users sign in. Raises ImproperlyConfigured: it is no model of users."""
    found = getattr(apps.get_model(users._meta.label), "USERNAME_FIELD", "")
    if not found:
        raise ImproperlyConfigured(
            f"the members of a tenant refer to {users._meta.label}, which has no USERNAME_FIELD: refer to "
            "settings.AUTH_USER_MODEL"
        )
    return str(found)


def _once(*names: str) -> list[str]:
    return list(dict.fromkeys(filter(None, names)))
