"""Pages of a list: a sealed cursor names the last row of the page before (keyset pagination).

It is encrypted: the last row may hold what its reader is not shown (see mcp_server.contacts).
"""

from __future__ import annotations

import hashlib
import json
import zlib
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from django.conf import settings
from django.core.serializers.json import DjangoJSONEncoder
from django.db.models import Q, QuerySet
from django.utils.crypto import salted_hmac
from django.utils.translation import gettext as _
from mcp.server.mcpserver import AESGCMRequestStateCodec, InvalidRequestState

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
        of: the list and its filters. A cursor is sealed together with them and the tenant, and is good for no other.

    Raises InvalidCursor.
    """
    if cursor is not None:
        rows = rows.filter(_behind(order, _opened(cursor, of)))
    found = list(rows.order_by(*order)[: limit + 1])
    if len(found) <= limit:
        return Page(found, None)
    last = found[limit - 1]
    where = [_plain(getattr(last, field.removeprefix("-"))) for field in order]
    return Page(found[:limit], _seal(of).seal(zlib.compress(json.dumps(where, ensure_ascii=False).encode())))


def _behind(order: tuple[str, str], where: list[Any]) -> Q:
    first, second = (field.removeprefix("-") for field in order)
    beyond = "lt" if order[0].startswith("-") else "gt"
    # The first condition is what an index can begin with.
    return Q(**{f"{first}__{beyond}e": where[0]}) & (
        Q(**{f"{first}__{beyond}": where[0]}) | Q(**{f"{second}__{beyond}": where[1]})
    )


def _seal(of: dict[str, Any]) -> AESGCMRequestStateCodec:
    """What seals the cursors of one list: with SECRET_KEY; what SECRET_KEY_FALLBACKS have sealed it only opens."""
    secrets = dict.fromkeys([settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS])
    return AESGCMRequestStateCodec(
        [salted_hmac("mcp_server.pages", _salt(of), secret, algorithm="sha256").hexdigest() for secret in secrets]
    )


def _salt(of: dict[str, Any]) -> str:
    facts = json.dumps(of, sort_keys=True, cls=DjangoJSONEncoder)
    return f"cursor {rls.current_tenant_id()} {hashlib.sha256(facts.encode()).hexdigest()}"


def _opened(cursor: str, of: dict[str, Any]) -> list[Any]:
    try:
        where: list[Any] = json.loads(zlib.decompress(_seal(of).unseal(cursor)))
    except InvalidRequestState:
        raise InvalidCursor(
            _("This cursor does not belong to this list with these filters. Call again without a cursor.")
        ) from None
    return where


def _plain(value: Any) -> Any:
    return value if isinstance(value, int) else str(value)
