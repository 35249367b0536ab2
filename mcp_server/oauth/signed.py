"""A token that is a JWT (RFC 9068): read, and believed once its issuer's signature is checked (RFC 8725)."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import jwt

from mcp_server.oauth.keys import Keys

# Seconds by which the clocks of an issuer and of this machine may differ.
LEEWAY = 30
# The `typ` of access tokens (RFC 9068, 2.1); most issuers say JWT, or nothing. Those of other tokens are not taken.
TYPES = frozenset({"at+jwt", "application/at+jwt", "jwt", ""})
# What reading a token that was made up can raise, beside jwt.PyJWTError.
UNREADABLE = (jwt.PyJWTError, ValueError, TypeError, OverflowError, RecursionError)


def issuer_in(token: str) -> str | None:
    """The issuer that a JWT names, which anybody may have written; None for what is no JWT, or names none."""
    try:
        found = jwt.decode(token, options={"verify_signature": False}).get("iss")
    except UNREADABLE:
        return None
    return found if isinstance(found, str) else None


async def claims(token: str, keys: Keys, audiences: Collection[str]) -> Mapping[str, Any] | None:
    """What a JWT of this issuer for one of these audiences says; None where it is not, or no more.

    Raises Unavailable: the issuer's keys are not known now.
    """
    try:
        header = jwt.get_unverified_header(token)
    except UNREADABLE:
        return None
    algorithm, kid = header.get("alg"), header.get("kid")
    is_access_token = str(header.get("typ") or "").lower() in TYPES
    if algorithm not in keys.issuer.algorithms or "crit" in header or not is_access_token:
        return None
    if not isinstance(kid, str | None) or (key := await keys.find(kid, algorithm)) is None:
        return None
    try:
        return jwt.decode(
            token,
            key,
            algorithms=[algorithm],
            audience=list(audiences),
            issuer=keys.issuer.url,
            leeway=LEEWAY,
            options={"require": ["exp", "iss", "aud", "sub"], "enforce_minimum_key_length": True},
        )
    except UNREADABLE:
        return None
