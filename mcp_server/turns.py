"""Turns at the workers: how many calls of one tenant work at a time in a process.

# Note [A noisy tenant]
Workers share one interpreter, and their statements the processors of PostgreSQL. Where a tenant calls a dear tool again
and again with half of the workers, another one's calls wait six to eight times as long (docs/reference/benchmarks.md).
So a tenant has half of the workers while it is alone, and a fifth beside others, but two where half of them are two:
with one, a call that lasts would keep all others of its own tenant waiting.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from uuid import UUID
from weakref import WeakValueDictionary

# Seconds for which a tenant is beside another one that has called.
COMPANY_SECONDS = 5.0


class Turns:
    """Turns of which there are as many as `most` says then. Who came first is first."""

    def __init__(self, most: Callable[[], int]) -> None:
        self._most = most
        self._held = 0
        self._waiting: deque[asyncio.Future[None]] = deque()

    async def acquire(self) -> None:
        """Wait for a turn, and hold it."""
        if not self._waiting and self._held < self._most():
            self._held += 1
            return
        turn = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if not turn.cancelled():  # it was given to us in the meantime
                self.release()
            raise

    def release(self) -> None:
        """Give one back; where there are more of them than before, it is good for several who wait."""
        self._held -= 1
        while self._waiting and self._held < self._most():
            turn = self._waiting.popleft()
            if not turn.done():
                self._held += 1
                turn.set_result(None)


@dataclass(frozen=True, slots=True)
class Seen:
    """A tenant that has called, and when it did last."""

    tenant_id: UUID
    at: float


class TurnsOfTenants:
    """The turns of each tenant at so many workers. See Note [A noisy tenant]."""

    def __init__(self, workers: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._alone = max(1, workers // 2)
        self._in_company = min(self._alone, max(2, workers // 5))
        self._clock = clock
        # Of the tenants that have calls now.
        self._turns: WeakValueDictionary[UUID, Turns] = WeakValueDictionary()
        # The tenant that has called last, and the last one before it that is another.
        self._last: Seen | None = None
        self._other: Seen | None = None

    def of(self, tenant_id: UUID) -> Turns:
        """Those of a tenant that calls. Who holds them while it waits or works keeps them; after the last they go."""
        if self._last is not None and self._last.tenant_id != tenant_id:
            self._other = self._last
        self._last = Seen(tenant_id, self._clock())
        turns = self._turns.get(tenant_id)
        if turns is None:
            turns = self._turns[tenant_id] = Turns(partial(self._most, tenant_id))
        return turns

    def _most(self, tenant_id: UUID) -> int:
        is_last = self._last is not None and self._last.tenant_id == tenant_id
        company = self._other if is_last else self._last
        is_alone = company is None or self._clock() - company.at > COMPANY_SECONDS
        return self._alone if is_alone else self._in_company
