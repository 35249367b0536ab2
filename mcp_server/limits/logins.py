"""Addresses from which callers fail to say who they are.

No token is guessed, however often somebody tries. But each try asks the database, and whoever tries a thousand times a
second would keep everybody waiting.
"""

from __future__ import annotations

import functools
import ipaddress
import time
from collections.abc import Callable

from starlette.types import Scope

from mcp_server.limits.meters import Meter

# Addresses that fail within a period, of one process. More of them are counted as one: an attacker has as many as he
# likes.
MAX_ADDRESSES = 1_000
OTHERS = "others"
# Who was let in within so many seconds is let in beside a client that fails from the same address, as in one office.
KNOWN_FOR = 3_600.0
MAX_KNOWN = 20_000
# The addresses that one site has at the least (RFC 6177).
SITE_PREFIX = 64


class FailedLogins:
    """Counts answers with 401, by address, and says who has to wait. It is used in one event loop."""

    def __init__(self, meter: Meter, clock: Callable[[], float] = time.monotonic) -> None:
        self._meter, self._clock = meter, clock
        # When a token was last let in, by its hash in this process; the first is the oldest.
        self._known: dict[int, float] = {}

    def seconds_refused(self, scope: Scope) -> float:
        """How long a request has to wait before it is looked at; 0 where it has not."""
        if not self._meter:
            return 0.0
        key = address_of(scope)
        seconds = self._meter.seconds_refused(key if key in self._meter else OTHERS)
        if seconds and self._clock() - self._known.get(_shown(scope), float("-inf")) < KNOWN_FOR:
            return 0.0
        return seconds

    async def failed(self, scope: Scope) -> None:
        """Count a request that was refused with 401. A token that has ended opens nothing any more."""
        self._known.pop(_shown(scope), None)
        key = address_of(scope)
        if key not in self._meter and len(self._meter) >= MAX_ADDRESSES:
            self._meter.forget_past()
            key = key if len(self._meter) < MAX_ADDRESSES else OTHERS
        await self._meter.count(key)

    def let_in(self, scope: Scope) -> None:
        """Remember that a request was let in with what it has shown."""
        if shown := _shown(scope):
            self._known.pop(shown, None)
            if len(self._known) >= MAX_KNOWN:
                del self._known[next(iter(self._known))]
            self._known[shown] = self._clock()


def address_of(scope: Scope) -> str:
    """The address of the client, of IPv6 the network of its site; '' where there is none, as at a UNIX socket.

    Behind a proxy it is what the server has read from X-Forwarded-For, where it trusts the proxy (uvicorn,
    "--forwarded-allow-ips"): no header is read here.
    """
    client = scope.get("client")
    return _site_of(client[0]) if client else ""


@functools.lru_cache(maxsize=4_096)
def _site_of(text: str) -> str:
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return text[:64]
    if isinstance(address, ipaddress.IPv4Address):
        return text
    if address.ipv4_mapped:
        return str(address.ipv4_mapped)
    return str(ipaddress.ip_network((address, SITE_PREFIX), strict=False).network_address)


def _shown(scope: Scope) -> int:
    """What stands for the token of a request, and for its tenant; 0 where it shows none."""
    shown = dict(scope["headers"]).get(b"authorization")
    return hash((shown, scope["path_params"]["tenant"])) if shown else 0
