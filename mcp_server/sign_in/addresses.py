"""Where a client may have people sent back to: https, or http to the person's own machine (RFC 8252, 7.3)."""

from __future__ import annotations

import re
from urllib.parse import SplitResult, urlsplit

MAX_LENGTH = 2000  # characters
# What of ASCII an address of RFC 3986 is made of.
ADDRESS = re.compile(r"[A-Za-z0-9._~:/?#\[\]@!$&'()*+,;=%-]+")
LOOPBACK_HOSTS = frozenset({"localhost", "127.0.0.1", "::1"})


def is_allowed(address: str) -> bool:
    """Whether a client may register it."""
    parts = _parts(address)
    if parts is None or parts.fragment or "#" in address or parts.username is not None or "*" in parts.netloc:
        return False
    return parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in LOOPBACK_HOSTS)


def is_same(asked: str, registered: str) -> bool:
    """Whether an address is a registered one: letter for letter, but for the port of the person's own machine, which a
    program chooses when it starts (RFC 8252, 7.3).
    """
    if asked == registered:
        return True
    one, other = _parts(asked), _parts(registered)
    if one is None or other is None or not is_allowed(asked) or one.scheme != "http":
        return False
    return one._replace(netloc=one.hostname or "") == other._replace(netloc=other.hostname or "")


def origin(address: str) -> str:
    """Its scheme, host and port."""
    parts = urlsplit(address)
    return f"{parts.scheme}://{parts.netloc}"


def _parts(address: str) -> SplitResult | None:
    if len(address) > MAX_LENGTH or not ADDRESS.fullmatch(address):
        return None
    try:
        parts = urlsplit(address)
        parts.port  # noqa: B018  (raises for what is no port)
    except ValueError:
        return None
    return parts if parts.hostname else None
