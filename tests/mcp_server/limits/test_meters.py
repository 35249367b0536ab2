"""Messages are counted in advance, by shares, and never more of them than the rate has."""

from __future__ import annotations

import asyncio

import pytest
from limits import RateLimitItem

from mcp_server.limits import meters
from mcp_server.limits.meters import Meter
from mcp_server.limits.rules import rates
from mcp_server.limits.stores import Store


class Counting(Store):
    """A store that knows how often it was asked, and for how much."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[int] = []

    async def take(self, rule: RateLimitItem, key: str, amount: int = 1) -> float:
        self.asked.append(amount)
        return await super().take(rule, key, amount)


class Clock:
    now = 1_000.0

    def __call__(self) -> float:
        return self.now


async def taken(meter: Meter, key: str, messages: int) -> int:
    """How many of so many messages are taken."""
    return sum([await meter.count(key) is None for _ in range(messages)])


@pytest.mark.anyio
async def test_a_fiftieth_is_taken_in_advance() -> None:
    store = Counting()
    meter = Meter("kind", rates("1000/hour"), store)

    assert await taken(meter, "key", 40) == 40
    assert store.asked == [20, 20]


@pytest.mark.anyio
async def test_processes_together_take_no_more_than_the_rate() -> None:
    store = Counting()
    processes = [Meter("kind", rates("1000/hour"), store) for _ in range(3)]

    found = [await taken(meter, "key", 500) for meter in processes]

    assert sum(found) == 1000
    assert found[:2] == [500, 500] or found[0] == 500


@pytest.mark.anyio
async def test_at_the_end_they_are_taken_one_by_one() -> None:
    store = Counting()
    first, second = (Meter("kind", rates("105/hour"), store) for _ in range(2))

    assert await taken(first, "key", 103) == 103
    # The first has one in advance.
    assert await taken(second, "key", 10) == 1
    assert await taken(first, "key", 10) == 1


@pytest.mark.anyio
async def test_many_messages_at_once_are_all_counted() -> None:
    meter = Meter("kind", rates("1000/hour"), Store())

    found = await asyncio.gather(*(meter.count("key") for _ in range(1200)))

    assert found.count(None) == 1000


@pytest.mark.anyio
async def test_who_is_refused_asks_the_store_no_more_until_there_is_room() -> None:
    clock, store = Clock(), Counting()
    meter = Meter("kind", rates("1/hour"), store, clock)
    await meter.count("key")
    refused = await meter.count("key")
    assert refused is not None
    before = len(store.asked)

    again = await meter.count("key")

    assert again is not None
    assert (again.rule, again.seconds, again.is_new) == (refused.rule, refused.seconds, False)
    assert len(store.asked) == before


@pytest.mark.anyio
async def test_what_was_taken_in_advance_is_lost_after_its_time() -> None:
    clock, store = Clock(), Counting()
    meter = Meter("kind", rates("1000/minute"), store, clock)
    await meter.count("key")

    clock.now += 61
    await meter.count("key")
    await taken(meter, "key", 19)

    assert store.asked == [20, 20]


@pytest.mark.anyio
async def test_of_several_rates_each_is_counted() -> None:
    meter = Meter("kind", rates("5/minute; 3/day"), Store())

    assert await taken(meter, "key", 5) == 3
    reached = await meter.count("key")
    assert reached is not None
    assert str(reached.rule) == "3 per 1 day"


def test_keys_are_bounded() -> None:
    meter = Meter("kind", rates("5/minute"), Store())
    for number in range(meters.MAX_KEYS + 10):
        meter._begun(str(number))

    assert len(meter) == meters.MAX_KEYS
    assert "0" not in meter
