"""How often one address may register a client, or be wrong about a password."""

from __future__ import annotations

import functools
import logging

from django.http import HttpRequest
from limits import RateLimitItem, parse
from limits.errors import StorageError
from limits.storage import MemoryStorage, storage_from_string
from limits.strategies import SlidingWindowCounterRateLimiter

from mcp_server import configuration
from mcp_server.limits.logins import address_of
from mcp_server.limits.stores import KEY_PREFIX

logger = logging.getLogger(__name__)

REGISTRATIONS = parse("60/hour")
FAILED_PASSWORDS = parse("10/minute")


def count(rate: RateLimitItem, kind: str, request: HttpRequest) -> bool:
    """Count one of the address of a request; False where there were too many."""
    address = address_of({"client": (request.META.get("REMOTE_ADDR", ""), 0)})
    try:
        return _shared().hit(rate, kind, address)
    except StorageError as error:
        # See Note [The store is away].
        logger.warning("Redis does not count sign-ins", extra={"error": type(error.__cause__).__name__})
        return _own().hit(rate, kind, address)


def is_open(rate: RateLimitItem, kind: str, request: HttpRequest) -> bool:
    """Whether `count` would answer True; nothing is counted."""
    address = address_of({"client": (request.META.get("REMOTE_ADDR", ""), 0)})
    try:
        return _shared().test(rate, kind, address)
    except StorageError:
        return _own().test(rate, kind, address)


@functools.cache
def _own() -> SlidingWindowCounterRateLimiter:
    return SlidingWindowCounterRateLimiter(MemoryStorage())


@functools.cache
def _shared() -> SlidingWindowCounterRateLimiter:
    url = configuration.redis_url()
    if not url:
        return _own()
    return SlidingWindowCounterRateLimiter(storage_from_string(url, wrap_exceptions=True, key_prefix=KEY_PREFIX))
