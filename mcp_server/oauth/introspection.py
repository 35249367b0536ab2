"""A token about which its issuer is asked (RFC 7662): whether it is still good, and for what."""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping
from typing import Any
from urllib.parse import quote_plus

from mcp_server.oauth import issuers
from mcp_server.oauth.fetching import Unavailable, fetched
from mcp_server.oauth.issuers import Issuer
from mcp_server.oauth.keys import KEYS_LIFETIME
from mcp_server.oauth.signed import LEEWAY


class Introspection:
    """The issuer that is asked about its tokens."""

    def __init__(self, issuer: Issuer) -> None:
        self.issuer = issuer
        self._endpoint = ""
        self._found_at = float("-inf")

    async def claims(self, token: str, audiences: Collection[str]) -> Mapping[str, Any] | None:
        """What the issuer says of a token for one of these audiences; None where it is not good, or no more.

        Raises Unavailable: it says nothing.
        """
        client_id, secret = self.issuer.client or ("", "")
        form = {"token": token, "token_type_hint": "access_token"}
        # Both are form-encoded before they are joined (RFC 6749, 2.3.1).
        client = (quote_plus(client_id), quote_plus(secret))
        found = await fetched(await self._place(), form=form, client=client)
        if found is None:
            raise Unavailable(f"{self.issuer.url} has no endpoint to ask at")
        return found if self._is_good(found, audiences) else None

    def _is_good(self, found: Mapping[str, Any], audiences: Collection[str]) -> bool:
        now, named = time.time(), found.get("aud")
        of = [named] if isinstance(named, str) else named if isinstance(named, list) else []
        return (
            found.get("active") is True
            and found.get("iss", self.issuer.url) == self.issuer.url
            and any(each in audiences for each in of)
            and _moment(found, "exp", now) > now - LEEWAY
            and _moment(found, "nbf", now) <= now + LEEWAY
        )

    async def _place(self) -> str:
        if time.monotonic() - self._found_at > KEYS_LIFETIME:
            facts = await issuers.metadata(self.issuer)
            self._endpoint = issuers.named(self.issuer, facts, "introspection_endpoint")
            self._found_at = time.monotonic()
        return self._endpoint


def _moment(found: Mapping[str, Any], name: str, otherwise: float) -> float:
    """A time in seconds since 1970; what is no number is never."""
    value = found.get(name, otherwise)
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return float(value) if is_number else float("nan")
