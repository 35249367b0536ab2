"""How often one address may register a client, or be wrong about a password."""

from __future__ import annotations

import functools
import logging
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

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
# In one process, of one address.
MAX_AT_ONCE = 5

_under_way: Counter[tuple[str, str]] = Counter()
_lock = threading.Lock()


def count(rate: RateLimitItem, kind: str, request: HttpRequest) -> bool:
    """Count one of the address of a request; False where there were too many."""
    address = _address(request)
    try:
        return _shared().hit(rate, kind, address)
    except StorageError as error:
        # See Note [The store is away].
        logger.warning("Redis does not count sign-ins", extra={"error": type(error.__cause__).__name__})
        return _own().hit(rate, kind, address)


@contextmanager
def trying(rate: RateLimitItem, kind: str, request: HttpRequest) -> Iterator[bool]:
    """Within the block somebody tries what is counted when it fails; False: it is not to be tried.

    So that nobody tries a thousand at one moment, before the first has failed, few of an address are under way.
    """
    key = kind, _address(request)
    with _lock:
        is_taken = _under_way[key] < MAX_AT_ONCE
        _under_way[key] += is_taken
    try:
        yield is_taken and _is_open(rate, *key)
    finally:
        with _lock:
            _under_way[key] -= is_taken
            if not _under_way[key]:
                del _under_way[key]


def _address(request: HttpRequest) -> str:
    return address_of({"client": (request.META.get("REMOTE_ADDR", ""), 0)})


def _is_open(rate: RateLimitItem, kind: str, address: str) -> bool:
    """Whether `count` would answer True; nothing is counted."""
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
