"""How many calls of a tenant work at a time: half of the workers while it is alone, a fifth beside others."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from mcp_server.turns import COMPANY_SECONDS, Turns, TurnsOfTenants

A, B, C = (uuid.uuid4() for _ in range(3))


class Clock:
    """Time as the test says."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


async def taken(turns: Turns, count: int) -> list[asyncio.Task[None]]:
    """As many who want a turn; those that are done have one."""
    wanted = [asyncio.ensure_future(turns.acquire()) for _ in range(count)]
    await settled()
    return wanted


async def settled() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


def held(wanted: list[asyncio.Task[None]]) -> int:
    return sum(each.done() and not each.cancelled() for each in wanted)


def run(story: Callable[[Clock, TurnsOfTenants], Awaitable[Any]], workers: int = 10) -> Any:
    clock = Clock()

    async def running() -> Any:
        try:
            return await asyncio.wait_for(story(clock, TurnsOfTenants(workers, clock)), 60)
        finally:
            for task in asyncio.all_tasks() - {asyncio.current_task()}:
                task.cancel()

    return asyncio.run(running())


@pytest.mark.parametrize(("workers", "alone", "beside"), [(10, 5, 2), (40, 20, 8), (4, 2, 2), (2, 1, 1), (1, 1, 1)])
def test_a_tenant_has_half_while_it_is_alone_and_a_fifth_beside_others(workers: int, alone: int, beside: int) -> None:
    async def story(clock: Clock, tenants: TurnsOfTenants) -> tuple[int, int]:
        first = held(await taken(tenants.of(A), 30))
        second = tenants.of(B)
        return first, held(await taken(second, 30))

    assert run(story, workers) == (alone, beside)


def test_who_was_alone_gives_up_what_is_too_much_as_its_calls_end() -> None:
    async def story(clock: Clock, tenants: TurnsOfTenants) -> list[int]:
        turns, counts = tenants.of(A), []
        wanted = await taken(turns, 8)
        company = tenants.of(B)
        await company.acquire()
        for _ in range(6):
            turns.release()
            await settled()
            counts.append(held(wanted))
        return counts

    # Five had one; the sixth gets one when one of them has one still.
    assert run(story) == [5, 5, 5, 6, 7, 8]


@pytest.mark.parametrize(("seconds", "count"), [(COMPANY_SECONDS, 2), (COMPANY_SECONDS + 1, 5)])
def test_after_a_while_a_tenant_is_alone_again(seconds: float, count: int) -> None:
    async def story(clock: Clock, tenants: TurnsOfTenants) -> int:
        tenants.of(B)
        clock.now = seconds
        return held(await taken(tenants.of(A), 8))

    assert run(story) == count


def test_of_three_each_is_beside_others() -> None:
    async def story(clock: Clock, tenants: TurnsOfTenants) -> list[int]:
        kept = [tenants.of(each) for each in (A, B, C, C, C)]
        return [held(await taken(each, 4)) for each in kept[:3]]

    assert run(story) == [2, 2, 2]


def test_more_turns_than_before_are_good_for_all_who_wait() -> None:
    async def story(clock: Clock, tenants: TurnsOfTenants) -> list[int]:
        tenants.of(B)
        turns = tenants.of(A)
        wanted = await taken(turns, 8)
        before = held(wanted)
        clock.now = COMPANY_SECONDS + 1
        turns.release()
        await settled()
        return [before, held(wanted)]

    assert run(story) == [2, 6]


def test_a_turn_of_who_has_left_is_the_next_ones() -> None:
    async def story(clock: Clock, tenants: TurnsOfTenants) -> list[bool]:
        tenants.of(B)
        turns = tenants.of(A)
        first, second, third, fourth = await taken(turns, 4)
        second.cancel()
        await settled()
        turns.release()
        third.cancel()  # it was given the turn, and does not know yet
        await settled()
        return [first.done(), second.cancelled(), third.cancelled(), fourth.done() and not fourth.cancelled()]

    assert run(story, workers=2) == [True, True, True, True]
