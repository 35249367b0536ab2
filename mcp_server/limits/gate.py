"""What one server takes: it counts messages of principals and tenants, and those that are under way."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from starlette.types import Scope

from mcp_server import metrics
from mcp_server.limits import words
from mcp_server.limits.logins import FailedLogins, address_of
from mcp_server.limits.meters import Meter, Reached
from mcp_server.limits.rules import Limits
from mcp_server.limits.stores import Store
from mcp_server.principals import Principal

logger = logging.getLogger(__name__)

# Seconds after which a place may be free, where too many messages are under way.
PLACE_INTERVAL = 1.0
# Seconds in which the log tells once that they are.
TOLD_INTERVAL = 60.0
PLATFORM = "platform"


@dataclass(frozen=True, slots=True)
class Refused:
    """A message that is not taken: why, in the language that is active then, and in how many seconds one may be."""

    words: Callable[[], str]
    seconds: float


class Gate:
    """The limits of one server, while it runs. It is used in one event loop."""

    def __init__(self, name: str, limits: Limits, store: Store) -> None:
        self._limits = limits
        self._principals = Meter(f"{name}:principal", limits.of_principals, store)
        self._tenants = Meter(f"{name}:tenant", limits.of_tenants, store)
        self._under_way: dict[str, int] = {}
        self._told: dict[str, float] = {}
        self.logins = FailedLogins(Meter(f"{name}:login", limits.of_failed_logins, store))

    async def refused(self, principal: Principal, scope: Scope) -> Refused | None:
        """Count one message of a principal, with the scope of its request. None where it is taken."""
        # Where nobody says who calls, the address tells apart who shares the URL.
        subject = principal.subject if principal.id not in (None, "") else f"{principal.slug}@{address_of(scope)}"
        # That of the principal first: what one of them sends in vain is not taken from the others of the tenant.
        if reached := await self._principals.count(subject):
            return self._too_many(reached, principal)
        if reached := await self._tenants.count(principal.slug):
            return self._too_many(reached, principal, is_of_tenant=True)
        return None

    def enter(self, principal: Principal) -> Refused | None:
        """Begin a message, which then has to `leave`; or say why it is not taken."""
        tenant, most = principal.slug, self._limits.at_once
        under_way = self._under_way.get(tenant, 0)
        if most and under_way >= most:
            metrics.refused("at_once")
            if self._is_news(tenant):
                _log("at_once", str(most), principal)
            return Refused(partial(words.too_many_at_once, most, tenant=_title(principal)), PLACE_INTERVAL)
        self._under_way[tenant] = under_way + 1
        return None

    def leave(self, principal: Principal) -> None:
        """End a message that was let in."""
        left = self._under_way.pop(principal.slug) - 1
        if left:
            self._under_way[principal.slug] = left

    def _too_many(self, reached: Reached, principal: Principal, *, is_of_tenant: bool = False) -> Refused:
        kind = "tenant" if is_of_tenant else "principal"
        metrics.refused(kind)
        if reached.is_new:
            _log(kind, str(reached.rule), principal)
        told = partial(
            words.too_many,
            reached.rule.amount,
            reached.rule.get_expiry(),
            tenant=_title(principal) if is_of_tenant else "",
            seconds=reached.seconds,
        )
        return Refused(told, reached.seconds)

    def _is_news(self, tenant: str) -> bool:
        now = time.monotonic()
        self._told = {name: told for name, told in self._told.items() if now - told < TOLD_INTERVAL}
        return self._told.setdefault(tenant, now) == now


def _title(principal: Principal) -> str:
    return principal.slug or PLATFORM


def _log(kind: str, rule: str, principal: Principal) -> None:
    logger.warning(
        "a limit is reached: messages are refused",
        extra={"limit": kind, "rule": rule, "tenant": _title(principal), "principal": principal.subject},
    )
