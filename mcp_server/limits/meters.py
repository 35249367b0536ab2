"""Counts messages against rates, and seldom asks the store.

# Note [Taken in advance]
To ask Redis for each rate of each message would cost a tenth of a call. So a process takes a fiftieth of a rate at
once, and spends it by itself. What is taken and not spent by the end of the period is lost: with N processes a caller
may be refused when N fiftieths of its rate are left. A rate of less than a hundred is counted one by one.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from limits import RateLimitItem

from mcp_server.limits.stores import Store

SHARE = 50
# Of one process. The oldest goes first, with what it has taken in advance.
MAX_KEYS = 20_000


@dataclass(slots=True)
class Share:
    """What a process may spend of one rate of one key without asking: `left`, until `ends`.

    Until `refused_until` nothing is to be had.
    """

    left: int = 0
    ends: float = float("-inf")
    refused_until: float = float("-inf")


@dataclass(frozen=True, slots=True)
class Reached:
    """A rate that is reached: there is nothing left for so many seconds."""

    rule: RateLimitItem
    seconds: float
    is_new: bool


class Meter:
    """Counts messages of one kind, by key, against its rates. It is used in one event loop."""

    def __init__(
        self, kind: str, rules: Sequence[RateLimitItem], store: Store, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._kind, self._rules, self._store, self._clock = kind, rules, store, clock
        self._shares: dict[str, list[Share]] = {}

    def __len__(self) -> int:
        return len(self._shares)

    def __contains__(self, key: str) -> bool:
        return key in self._shares

    async def count(self, key: str) -> Reached | None:
        """Count one message. Where a rate is reached, which one, and for how long."""
        if not self._rules:
            return None
        shares = self._shares.get(key) or self._begun(key)
        now = self._clock()
        for rule, share in zip(self._rules, shares, strict=True):
            if share.left and now < share.ends:
                share.left -= 1
            elif reached := await self._renewed(key, rule, share, now):
                return reached
        return None

    def seconds_refused(self, key: str) -> float:
        """For how long a key is refused, as far as this process knows."""
        now = self._clock()
        return max([0.0, *(share.refused_until - now for share in self._shares.get(key, ()))])

    def forget_past(self) -> None:
        """Forget the keys that have nothing left to spend, and are not refused."""
        now = self._clock()
        self._shares = {
            key: shares
            for key, shares in self._shares.items()
            if any(now < max(share.ends, share.refused_until) for share in shares)
        }

    def _begun(self, key: str) -> list[Share]:
        if len(self._shares) >= MAX_KEYS:
            del self._shares[next(iter(self._shares))]
        shares = self._shares[key] = [Share() for _ in self._rules]
        return shares

    async def _renewed(self, key: str, rule: RateLimitItem, share: Share, now: float) -> Reached | None:
        if now < share.refused_until:
            return Reached(rule, share.refused_until - now, is_new=False)
        share.left = 0  # what was not spent in its time is lost
        name, whole = f"{self._kind}:{key}", max(1, rule.amount // SHARE)
        for amount in dict.fromkeys([whole, 1]):
            if not (seconds := await self._store.take(rule, name, amount)):
                # Another message may have taken a share meanwhile: both are counted.
                share.left, share.ends = share.left + amount - 1, now + rule.get_expiry()
                return None
        # Only the first one after a while is told of.
        is_new = now - share.refused_until > rule.get_expiry()
        share.refused_until = now + seconds
        return Reached(rule, seconds, is_new=is_new)
