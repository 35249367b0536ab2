"""Pages of a list: a signed cursor names the last row of the page before (keyset pagination)."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from django.core import signing
from django.core.serializers.json import DjangoJSONEncoder
from django.db.models import Q, QuerySet
from django.utils.translation import gettext as _

import rls
from mcp_server.errors import Refusal

R = TypeVar("R")


class InvalidCursor(Refusal):
    """The cursor is not one that this list gave out."""


@dataclass(frozen=True, slots=True)
class Page(Generic[R]):
    """Some rows of a list; `cursor` asks for the next ones and is None at the end."""

    rows: list[R]
    cursor: str | None

    @property
    def has_more(self) -> bool:
        """Whether there are more rows."""
        return self.cursor is not None


def page(
    rows: QuerySet[Any, R], *, order: tuple[str, str], limit: int, cursor: str | None, of: dict[str, Any]
) -> Page[R]:
    """The rows behind the cursor, in one statement.

    Args:
        order: two fields in one direction, the second of which is unique: ("-created_at", "-id").
        of: the list and its filters. A cursor is signed together with them and the tenant, and is good for no other.

    Raises InvalidCursor.
    """
    salt = _salt(of)
    if cursor is not None:
        rows = rows.filter(_behind(order, _opened(cursor, salt)))
    found = list(rows.order_by(*order)[: limit + 1])
    if len(found) <= limit:
        return Page(found, None)
    last = found[limit - 1]
    where = [_plain(getattr(last, field.removeprefix("-"))) for field in order]
    return Page(found[:limit], signing.dumps(where, salt=salt, compress=True))


def _behind(order: tuple[str, str], where: list[Any]) -> Q:
    first, second = (field.removeprefix("-") for field in order)
    beyond = "lt" if order[0].startswith("-") else "gt"
    # The first condition is what an index can begin with.
    return Q(**{f"{first}__{beyond}e": where[0]}) & (
        Q(**{f"{first}__{beyond}": where[0]}) | Q(**{f"{second}__{beyond}": where[1]})
    )


def _salt(of: dict[str, Any]) -> str:
    facts = json.dumps(of, sort_keys=True, cls=DjangoJSONEncoder)
    return f"cursor {rls.current_tenant_id()} {hashlib.sha256(facts.encode()).hexdigest()}"


def _opened(cursor: str, salt: str) -> list[Any]:
    try:
        where: list[Any] = signing.loads(cursor, salt=salt)
    except signing.BadSignature:
        raise InvalidCursor(
            _("This cursor does not belong to this list with these filters. Call again without a cursor.")
        ) from None
    return where


def _plain(value: Any) -> Any:
    return value if isinstance(value, int) else str(value)
