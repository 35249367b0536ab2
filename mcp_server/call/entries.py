"""Kept answers in the project's default cache (CACHES): in the memory of the process, or in a Redis for all of them.

# Note [The cache is away]
An answer that can't be had from the cache is computed. So a cache that fails costs one call its time, is not asked
again for RETRY_INTERVAL, and fails nobody. Whether an answer is still true is not asked of the cache but of PostgreSQL.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any, Self, TypeVar

from django.core.cache import DEFAULT_CACHE_ALIAS, BaseCache, caches

from mcp_server.ledger.snapshots import Moment

logger = logging.getLogger(__name__)
T = TypeVar("T")

KEY_PREFIX = "mcp_results"
# Characters of an answer that is kept: a few of the largest that clients show.
MAX_LENGTH = 200_000
# Seconds for which a cache that has failed is not asked.
RETRY_INTERVAL = 5.0


@dataclass(frozen=True, slots=True)
class Entry:
    """An answer: its key, the moment before it was computed, and the result as JSON."""

    key: str
    snapshot: str
    started_at: str
    is_short: bool
    result: str

    @classmethod
    def of(cls, kept: Any) -> Self | None:
        """What the cache holds, as an entry; None for what is none of this version."""
        try:
            return cls(**kept)
        except TypeError:
            return None

    @property
    def moment(self) -> Moment:
        """The moment before it was computed."""
        return Moment(self.snapshot, self.started_at)


class Entries:
    """The entries that the cache holds. See Note [The cache is away]."""

    def __init__(self) -> None:
        self.begin_anew()

    def begin_anew(self) -> None:
        """Ask the cache that the settings name now, whatever has failed before."""
        self._asked_again_at = 0.0
        self._of_thread = threading.local()

    def first(self, keys: list[str]) -> Entry | None:
        """What is kept under the first of these keys that has something."""
        found: dict[str, Any] = self._tried(lambda cache: cache.get_many(map(_named, keys))) or {}
        entries = (Entry.of(found.get(_named(key))) for key in keys)
        # One that says another key is an answer to somebody else, however it has come here.
        return next((each for each in entries if each is not None and each.key in keys), None)

    def put(self, entry: Entry, seconds: int) -> None:
        """Keep an entry for so long, if it is not too large."""
        if len(entry.result) <= MAX_LENGTH:
            self._tried(lambda cache: cache.set(_named(entry.key), asdict(entry), seconds))

    def _tried(self, use: Callable[[BaseCache], T]) -> T | None:
        if time.monotonic() < self._asked_again_at:
            return None
        try:
            return use(self._cache())
        except Exception as error:  # each kind of cache raises its own
            self._asked_again_at = time.monotonic() + RETRY_INTERVAL
            # Its text may hold the URL, and with it a password.
            logger.warning("the cache does not answer: results are computed", extra={"error": type(error).__name__})
            return None

    def _cache(self) -> BaseCache:
        # Django keeps one for a context, so each call of ours would have connections of its own.
        found: BaseCache | None = getattr(self._of_thread, "cache", None)
        if found is None:
            found = self._of_thread.cache = caches.create_connection(DEFAULT_CACHE_ALIAS)
        return found


ENTRIES = Entries()


def _named(key: str) -> str:
    return f"{KEY_PREFIX}:{key}"
