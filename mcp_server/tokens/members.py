"""Members of tenants, for whom tokens act: rows of the model that MCP_MEMBER_MODEL names. All of it is platform work.

Whether a token is still good for its member is asked of PostgreSQL with each look at it: see `InstallResolver`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.apps import apps
from django.contrib.auth import get_user_model
from django.db.models import QuerySet

from mcp_server import configuration
from mcp_server.errors import Refusal


class MemberNotFound(Refusal):
    """No token can be made for this user."""


@dataclass(frozen=True, slots=True)
class Member:
    """Somebody who works for a tenant. `role` is None where members have none, and '' where he alone has none."""

    id: UUID
    name: str
    role: str | None

    @property
    def scopes(self) -> frozenset[str] | None:
        """What his tokens may do at most at this moment; None for whatever they say."""
        return None if self.role is None else configuration.scopes_of_role(self.role)


def get(tenant_id: UUID, name: str) -> Member:
    """The active member of a tenant who signs in with this name. Raises MemberNotFound."""
    found = _rows().filter(tenant=tenant_id, **{f"user__{_name_field()}": name}).select_related("user").first()
    if found is None or not found.user.is_active:
        raise MemberNotFound(f"No active member of this tenant signs in as {name!r}: make him one first.")
    return Member(found.pk, name, _role(found))


def names(member_ids: Iterable[UUID]) -> Mapping[UUID, str]:
    """The names of members by their ids; who is none any more is not among them."""
    wanted = set(member_ids)
    if not wanted:
        return {}
    return dict(_rows().filter(pk__in=wanted).values_list("pk", f"user__{_name_field()}"))


def _role(member: Any) -> str | None:
    """His role as `app.resolve_principal()` reads it: the text of its column."""
    if "role" not in {field.name for field in member._meta.fields}:
        return None
    value = member.serializable_value("role")
    return "" if value is None else str(value)


def _rows() -> QuerySet[Any]:
    label = configuration.member_model()
    if not label:
        raise MemberNotFound("A token can act for nobody here: set MCP_MEMBER_MODEL to the model of the members.")
    rows: QuerySet[Any] = apps.get_model(label)._default_manager.all()
    return rows


def _name_field() -> str:
    return str(get_user_model().USERNAME_FIELD)
