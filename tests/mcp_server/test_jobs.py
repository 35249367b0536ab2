"""Jobs run in threads that are begun when they are needed, and end when nobody needs them."""

from __future__ import annotations

import asyncio
import gc
import threading

import pytest

from mcp_server.jobs import Job, Threads


def alive(name: str) -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name.startswith(name)]


async def done(job: Job[int]) -> int:
    await job.ended()
    return job.result()


def test_a_job_has_the_result_of_its_call() -> None:
    async def story() -> list[int]:
        threads = Threads("adds")
        return await asyncio.gather(*(done(threads.start(lambda number=number: number + 1)) for number in range(3)))

    assert asyncio.run(story()) == [1, 2, 3]


def test_it_raises_what_the_call_has_raised() -> None:
    async def story() -> None:
        await done(Threads("fails").start(lambda: 1 // 0))

    with pytest.raises(ZeroDivisionError):
        asyncio.run(story())


def test_one_thread_does_one_job_after_the_other() -> None:
    async def story() -> set[int]:
        threads = Threads("one")
        return {await done(threads.start(threading.get_ident)) for _ in range(5)}

    assert len(asyncio.run(story())) == 1


def test_jobs_at_the_same_time_have_a_thread_each() -> None:
    together = threading.Barrier(3)

    async def story() -> list[int]:
        threads = Threads("three")
        return await asyncio.gather(*(done(threads.start(together.wait)) for _ in range(3)))

    assert sorted(asyncio.run(story())) == [0, 1, 2]


def test_who_waits_may_be_cancelled_and_wait_again() -> None:
    may_end = threading.Event()

    async def story() -> bool:
        job = Threads("waits").start(lambda: may_end.wait(60))
        waiting = asyncio.ensure_future(job.ended())
        await asyncio.sleep(0)
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
        assert not job.is_done
        may_end.set()
        await job.ended()
        return job.result()

    assert asyncio.run(story())


def test_a_job_may_outlive_its_loop() -> None:
    may_end = threading.Event()

    async def story() -> None:
        Threads("outlives").start(lambda: may_end.wait(60))

    asyncio.run(story())
    [thread] = alive("outlives")
    gc.collect()
    may_end.set()
    thread.join(60)

    assert not thread.is_alive()


def test_threads_end_with_their_pool() -> None:
    async def story() -> list[threading.Thread]:
        threads = Threads("ends")
        await asyncio.gather(*(done(threads.start(threading.get_ident)) for _ in range(3)))
        return alive("ends")

    begun = asyncio.run(story())
    gc.collect()
    for thread in begun:
        thread.join(60)

    assert begun
    assert not alive("ends")
