"""What a process counts by itself: no more than the rate in any period, and for no more keys than it keeps."""

from __future__ import annotations

import pytest

from mcp_server.limits import counters
from mcp_server.limits.counters import Counters
from mcp_server.limits.rules import rates

[RATE] = rates("10/minute")
BEGIN = 6_000.0  # of a window


class Clock:
    now = BEGIN

    def __call__(self) -> float:
        return self.now


def taken(counts: Counters, messages: int, key: str = "somebody") -> int:
    return sum(counts.take(RATE, key) == 0 for _ in range(messages))


def test_there_is_no_more_than_the_rate_in_a_window() -> None:
    assert taken(Counters(Clock()), 25) == 10


@pytest.mark.parametrize(("seconds", "room"), [(59, 0), (61, 1), (90, 5), (119, 10), (180, 10)])
def test_what_was_counted_before_goes_bit_by_bit(seconds: int, room: int) -> None:
    clock = Clock()
    counts = Counters(clock)
    taken(counts, 10)

    clock.now += seconds

    assert taken(counts, 25) == room


@pytest.mark.parametrize("first", [0, 30, 59])
@pytest.mark.parametrize("amount", [1, 4, 10])
def test_after_what_it_says_there_is_room_and_not_before(first: int, amount: int) -> None:
    clock = Clock()
    counts = Counters(clock)
    for _ in range(2):  # with a window before, and without
        clock.now += first
        taken(counts, 25)

        seconds = counts.take(RATE, "somebody", amount)

        clock.now += seconds - 0.01
        assert counts.take(RATE, "somebody", amount) > 0
        clock.now += 0.02
        assert counts.take(RATE, "somebody", amount) == 0


def test_keys_and_rates_are_counted_apart() -> None:
    counts = Counters(Clock())
    [other] = rates("3/minute")

    assert (taken(counts, 25), taken(counts, 25, "another")) == (10, 10)
    assert sum(counts.take(other, "somebody") == 0 for _ in range(9)) == 3


def test_who_is_past_is_forgotten() -> None:
    clock = Clock()
    counts = Counters(clock)
    for number in range(100):
        taken(counts, 1, str(number))

    clock.now += 120
    taken(counts, 1)

    assert len(counts) == 1


def test_of_too_many_those_go_that_nobody_has_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(counters, "MAX_COUNTS", 3)
    counts = Counters(Clock())
    for number in range(100):
        taken(counts, 10)
        taken(counts, 1, str(number))

    assert len(counts) == 3
    assert taken(counts, 1) == 0
