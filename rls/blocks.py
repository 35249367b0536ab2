"""Refuses to open a context in a generator, because a generator's body runs where it is consumed.

Between two steps of a generator its consumer runs, inside a context that the consumer did not open; and the next step
may be asked for in another thread, inside the context of another tenant. A generator that is a context manager
(`contextlib`) or a test's fixture is allowed: its consumer is the block itself.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import AsyncIterator, Callable, Iterator
from io import IOBase
from types import FrameType
from typing import Any

from asgiref.sync import iscoroutinefunction

from rls.errors import IsolationError

# Functions that enter a context manager for somebody else; the last runs anyio's fixtures.
ENTERING_FUNCTIONS = frozenset(
    {"__enter__", "__aenter__", "enter_context", "enter_async_context", "enterContext", "_run_tests_and_fixtures"}
)
# Packages that run a generator as a fixture, or around a test.
FIXTURE_PACKAGES = frozenset({"_pytest", "pytest_asyncio", "pluggy"})

GENERATOR_FLAGS = inspect.CO_GENERATOR | inspect.CO_ASYNC_GENERATOR


def refuse_generator(frame: FrameType | None) -> None:
    """Raise IsolationError where the block that a context is opened for stands in a generator.

    `frame` is the caller of the context's `__enter__`.
    """
    frame = _block(frame)
    if frame is not None and _is_generator(frame):
        raise IsolationError(
            f"{frame.f_code.co_qualname} is a generator and can't open a context: it would stay open for whoever "
            "consumes it; open it around the loop, or in a function that the generator calls for each step"
        )


def _block(frame: FrameType | None) -> FrameType | None:
    """The frame in which the block stands: not one that enters a context manager for it, or that such a one calls."""
    while frame is not None:
        if _is_generator(frame):
            if not _is_context_manager(frame):
                return frame
            frame = frame.f_back
            continue
        entering: FrameType | None = frame
        while entering is not None and entering.f_code.co_name not in ENTERING_FUNCTIONS:
            entering = entering.f_back
            if entering is None or entering.f_code.co_flags & GENERATOR_FLAGS:
                return frame
        frame = entering and entering.f_back
    return None


def _is_generator(frame: FrameType) -> bool:
    return bool(frame.f_code.co_flags & GENERATOR_FLAGS)


def is_async(function: Callable[..., Any]) -> bool:
    """Whether a call of `function` is to be awaited, as far as can be told: also of a partial and a callable object."""
    while isinstance(function, functools.partial):
        function = function.func
    return iscoroutinefunction(function) or iscoroutinefunction(getattr(function, "__call__", None))  # noqa: B004


def refuse_generator_function(function: Callable[..., Any]) -> None:
    """Raise TypeError for a generator: its body would run where it is consumed, in whatever context is open there."""
    if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
        raise TypeError(f"{_name(function)} is a generator, which runs where it is consumed; return a list")


def refuse_iterator(function: Callable[..., Any], result: Any) -> Any:
    """`result`, which `function` has returned.

    Raises TypeError where it is an iterator, other than an open file, or a streaming response: it would run where it is
    consumed.
    """
    is_iterator = isinstance(result, Iterator | AsyncIterator) and not isinstance(result, IOBase)
    if is_iterator or getattr(result, "streaming", False) is True:
        raise TypeError(
            f"{_name(function)} returned a {type(result).__name__}, which runs where it is consumed; return a list"
        )
    return result


def _is_context_manager(frame: FrameType) -> bool:
    """Whether this is a generator that a context manager, or a fixture, is made of."""
    driver = frame.f_back
    if driver is None:
        return False
    package = str(driver.f_globals.get("__name__", "")).partition(".")[0]
    # A generator that another one delegates to is as that one is.
    return _is_generator(driver) or driver.f_code.co_name in ENTERING_FUNCTIONS or package in FIXTURE_PACKAGES


def _name(function: Callable[..., Any]) -> str:
    return getattr(function, "__qualname__", repr(function))
