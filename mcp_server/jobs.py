"""Jobs: blocking calls that threads of ours do one after the other, each waited for in an event loop.

A thread tells the loop of the end of a job, and that is all that passes between them: `concurrent.futures` locks and
wakes at each step what here only one side ever touches.
"""

from __future__ import annotations

import asyncio
import threading
import weakref
from collections.abc import Callable
from contextlib import suppress
from queue import SimpleQueue
from typing import Any, Generic, TypeVar, cast

T = TypeVar("T")


class Job(Generic[T]):
    """A call, its end, and what has come of it. Apart from `do` it belongs to the event loop."""

    def __init__(self, call: Callable[[], T], on_end: Callable[[], None]) -> None:
        self._call, self._on_end = call, on_end
        self._loop = asyncio.get_running_loop()
        self._waiting: asyncio.Future[None] | None = None
        self._result: T | None = None
        self._error: BaseException | None = None
        self.is_done = False

    def do(self) -> None:
        """Called in a thread."""
        try:
            self._result = self._call()
        except BaseException as error:
            self._error = error
        with suppress(RuntimeError):  # the loop is closed: nobody waits
            self._loop.call_soon_threadsafe(self._end)

    async def ended(self) -> None:
        """Wait for its end. Whoever waits may be cancelled, which the job does not notice."""
        if not self.is_done:
            self._waiting = self._loop.create_future()
            await self._waiting

    def result(self) -> T:
        """What the call has returned. Raises what it has raised."""
        error, self._error = self._error, None
        if error is None:
            return cast(T, self._result)
        try:
            raise error
        finally:
            del error  # which holds this frame

    def _end(self) -> None:
        self.is_done = True
        self._on_end()
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(None)


class Threads:
    """Threads that are begun when they are needed, and end with this object. It belongs to one event loop, which gives
    them no more jobs at a time than there may be threads.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._jobs: SimpleQueue[Job[Any] | None] = SimpleQueue()
        self._count = self._free = 0

    def start(self, call: Callable[[], T]) -> Job[T]:
        """Begin a job, which `call` is."""
        job = Job(call, self._freed)
        if self._free:
            self._free -= 1
        else:
            self._begin()
        self._jobs.put(job)
        return job

    def _freed(self) -> None:
        self._free += 1

    def _begin(self) -> None:
        thread = threading.Thread(target=_do_all, args=[self._jobs], name=f"{self._name}_{self._count}", daemon=True)
        self._count += 1
        weakref.finalize(self, self._jobs.put, None)
        thread.start()


def _do_all(jobs: SimpleQueue[Job[Any] | None]) -> None:
    while (job := jobs.get()) is not None:
        job.do()
        del job  # while it waits for the next one
