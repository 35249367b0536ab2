"""Counts in this process, in windows that slide, as `limits` counts in Redis.

The memory that `limits` has itself looks at every key that it knows whenever it counts one, and knows as many as come.
Here the time does not depend on their number, and there are at most MAX_COUNTS for each length of a window.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass

from limits import RateLimitItem

MAX_COUNTS = 50_000
# Who has to wait is asked again after a moment at least.
LEAST_SECONDS = 0.01


@dataclass(slots=True)
class Count:
    """What was counted of one key in a window, and in the one before it."""

    window: int
    before: int = 0
    now: int = 0

    def move(self, window: int) -> None:
        """Go on in this window."""
        if window != self.window:
            self.before, self.now = self.now if window == self.window + 1 else 0, 0
            self.window = window


def seconds_until(rule: RateLimitItem, amount: int, *, before: int, now: int, passed: float) -> float:
    """After how many seconds there is room for so many; 0 where there is.

    Args:
        before, now: what was counted in the window before, and in this one.
        passed: how much of this one has passed, from 0 to 1.
    """
    # What the window before shares with the period that ends now, and this one: together they stay below `most`.
    shared, most = before * (1 - passed), rule.amount - amount + 1
    if shared + now < most:
        return 0.0
    windows = (shared + now - most) / before if now < most else 2 - passed - most / now
    return max(windows * rule.get_expiry(), LEAST_SECONDS)


class Counters:
    """Counts by rate and key. Of too many, those go that nobody has asked for the longest time."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        # By seconds of a window and by name; the first is the one that was asked for the longest ago.
        self._counts: dict[int, dict[str, Count]] = defaultdict(dict)

    def __len__(self) -> int:
        return sum(map(len, self._counts.values()))

    def take(self, rule: RateLimitItem, key: str, amount: int = 1) -> float:
        """Count so many, where there is room for them: 0. Else the seconds after which there is."""
        expiry, name = rule.get_expiry(), rule.key_for(key)
        window, passed = divmod(self._clock() / expiry, 1)
        count = self._found(self._counts[expiry], name, int(window))
        seconds = seconds_until(rule, amount, before=count.before, now=count.now, passed=passed)
        count.now += 0 if seconds else amount
        return seconds

    def _found(self, counts: dict[str, Count], name: str, window: int) -> Count:
        count = counts.pop(name, None) or Count(window)
        count.move(window)
        while counts and (len(counts) >= MAX_COUNTS or counts[next(iter(counts))].window < window - 1):
            del counts[next(iter(counts))]
        counts[name] = count
        return count
