"""Principals that were found a moment ago: whoever calls many times a second is looked up once.

A token that is revoked or expires, and a tenant that is suspended, are therefore refused in every process within
PRINCIPAL_LIFETIME, and a tenant's new language and time zone are heard of as soon. What was changed by a tool that
`changes_callers` holds for the next call of the same process.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Hashable
from uuid import UUID

from mcp_server.principals import Principal

# Seconds, from before the database was asked.
PRINCIPAL_LIFETIME = 1.0
# In one process. Only callers that were let in are kept, so that nobody fills it with what is made up.
MAX_PRINCIPALS = 1_000


class KeptPrincipals:
    """The principals that one server has found. It is used in one event loop."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        # With when the database was asked: the first is the oldest.
        self._kept: dict[Hashable, tuple[float, Principal]] = {}

    def __len__(self) -> int:
        return len(self._kept)

    def forget(self, tenant_id: UUID | None) -> None:
        """Ask again for whoever is of this tenant; for everybody where it is None, which stands for the platform."""
        self._kept = {key: kept for key, kept in self._kept.items() if tenant_id not in (None, kept[1].tenant_id)}

    async def get(self, key: Hashable, find: Callable[[], Awaitable[Principal | None]]) -> Principal | None:
        """The principal that is kept under `key`, or what `find` answers, which is kept unless it is None.

        `key` holds no secret: a token's digest.
        """
        kept, now = self._kept, self._clock()
        if (found := kept.get(key)) and now - found[0] < PRINCIPAL_LIFETIME:
            return found[1]
        principal = await find()
        self._kept.pop(key, None)
        # Where somebody was forgotten meanwhile, the answer may be from before.
        if principal is not None and kept is self._kept:
            if len(kept) >= MAX_PRINCIPALS:
                del kept[next(iter(kept))]
            kept[key] = now, principal
        return principal
