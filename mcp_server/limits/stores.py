"""Where messages are counted: in this process, or, for all processes together, in Redis.

# Note [The store is away]
Limits protect; they don't decide who may do what. So where Redis does not answer, nobody is refused for it: each
process counts by itself, which bounds what one caller can do as a single process does, and asks Redis again after
RETRY_INTERVAL. See docs/adr/0042.
"""

from __future__ import annotations

import asyncio
import logging
import time
from typing import Any, cast

from django.core.exceptions import ImproperlyConfigured
from limits import RateLimitItem
from limits.aio.storage import RedisStorage, SlidingWindowCounterSupport
from limits.aio.strategies import SlidingWindowCounterRateLimiter
from limits.errors import ConfigurationError, StorageError

from mcp_server.limits import counters
from mcp_server.limits.counters import Counters

logger = logging.getLogger(__name__)

# Seconds that a call waits for Redis, and seconds for which it is then not asked.
STORE_TIMEOUT = 0.5
RETRY_INTERVAL = 5.0
KEY_PREFIX = "mcp_limits"


class Store:
    """Counters of the process, or, where `url` is that of a Redis, of all processes. It is used in one event loop.

    Raises ImproperlyConfigured: the client of Redis is not installed.
    """

    def __init__(self, url: str = "") -> None:
        self._own = Counters()
        self._redis = _redis(url) if url else None
        self._shared = SlidingWindowCounterRateLimiter(self._redis) if self._redis else None
        self._is_away = False
        self._asked_again_at = 0.0

    async def take(self, rule: RateLimitItem, key: str, amount: int = 1) -> float:
        """Count so many, where there is room for them: 0. Else the seconds after which there may be."""
        if self._shared is not None and time.monotonic() >= self._asked_again_at:
            try:
                return await self._taken_from_redis(self._shared, rule, key, amount)
            except (StorageError, TimeoutError, OSError) as error:
                self._lose(error)
        return self._own.take(rule, key, amount)

    async def close(self) -> None:
        """End the connections to Redis."""
        if self._redis is not None:
            connection: Any = self._redis.bridge.get_connection()  # type: ignore[attr-defined]  # every bridge has it
            await connection.aclose()

    async def _taken_from_redis(
        self, shared: SlidingWindowCounterRateLimiter, rule: RateLimitItem, key: str, amount: int
    ) -> float:
        if self._is_away:  # whoever comes meanwhile does not wait for this answer
            self._asked_again_at = time.monotonic() + RETRY_INTERVAL
        async with asyncio.timeout(STORE_TIMEOUT):
            seconds = await _taken(shared, rule, key, amount)
        if self._is_away:
            self._is_away, self._asked_again_at = False, 0.0
            logger.info("Redis counts messages again, for all processes together")
        return seconds

    def _lose(self, error: Exception) -> None:
        self._asked_again_at = time.monotonic() + RETRY_INTERVAL
        if not self._is_away:
            self._is_away = True
            # Its text may hold the URL, and with it a password.
            logger.warning(
                "Redis does not count messages: each process counts by itself, until it answers",
                extra={"error": type(error.__cause__ if isinstance(error, StorageError) else error).__name__},
            )


def _redis(url: str) -> RedisStorage:
    try:
        return RedisStorage(f"async+{url}", wrap_exceptions=True, implementation="redispy", key_prefix=KEY_PREFIX)
    except ConfigurationError as error:
        raise ImproperlyConfigured(
            "CACHES names a Redis, and its client is not installed: pip install 'django-tenant-mcp[redis]'"
        ) from error


async def _taken(limiter: SlidingWindowCounterRateLimiter, rule: RateLimitItem, key: str, amount: int) -> float:
    if await limiter.hit(rule, key, cost=amount):
        return 0.0
    expiry = rule.get_expiry()
    # Not the reset time of `limits`: it says when the count goes down by one, and not when there is room.
    window = await cast(SlidingWindowCounterSupport, limiter.storage).get_sliding_window(rule.key_for(key), expiry)
    before, _, now, _ = window
    seconds = counters.seconds_until(rule, amount, before=before, now=now, passed=time.time() / expiry % 1)
    return seconds or counters.LEAST_SECONDS  # there is room by now
