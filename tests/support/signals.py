"""Signals of the processes that tests start."""

from __future__ import annotations

import signal


def let_children_be_interrupted() -> None:
    """Children of this process can be interrupted, also where it ignores SIGINT: under nohup, or in the background.

    What is ignored stays ignored in a child; what has a handler is as it is by default there (POSIX, exec). So the
    handler here does what ignoring does.
    """
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, lambda number, frame: None)
