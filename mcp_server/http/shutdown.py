"""The end of the process, as seen from within an ASGI application."""

from __future__ import annotations

import asyncio
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType


@contextmanager
def told_of_the_end(close: Callable[[], None]) -> Iterator[None]:
    """Within the block, `close` is called in the event loop as soon as the process is asked to end.

    A server first waits for open connections and then ends the lifespan: what holds one open must hear of it earlier.
    """
    loop = asyncio.get_running_loop()
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def end(number: int, frame: FrameType | None) -> None:
        loop.call_soon_threadsafe(close)
        handler = handlers[signal.Signals(number)]
        if callable(handler):
            handler(number, frame)

    # A server that handles no signal is ended by it. Signals are handled in the main thread only.
    handled = [number for number, handler in handlers.items() if callable(handler)]
    if threading.current_thread() is not threading.main_thread():
        handled = []
    for number in handled:
        signal.signal(number, end)
    try:
        yield
    finally:
        for number in handled:
            signal.signal(number, handlers[number])
        close()
