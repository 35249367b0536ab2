"""What an ASGI application is made of: what it routes to, what a middleware wraps, what a function closes over."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Iterator
from types import FunctionType, MethodType

from django.core.handlers.asgi import ASGIHandler
from django.utils.functional import LazyObject, Promise
from starlette.routing import BaseRoute

LAZY = (LazyObject, Promise)
# What is called, and holds no application of another kind: Django's own, and classes.
CLOSED = (ASGIHandler, type)


def reachable(roots: Iterable[object]) -> Iterator[object]:
    """These objects, and after each what can be found inside it; each once, in their order.

    Nothing is called, and what is lazy is left out: to look at it would set it up.
    """
    seen: dict[int, object] = {}
    waiting = [*roots][::-1]
    while waiting:
        found = waiting.pop()
        # By its type: a lazy object says to `isinstance` that it is what it would become.
        if id(found) not in seen and not issubclass(type(found), LAZY):
            seen[id(found)] = found
            yield found
            waiting += [*_parts(found)][::-1]


def _parts(value: object) -> Iterable[object]:
    if isinstance(value, list | tuple | set | frozenset):
        return value
    if isinstance(value, dict):
        return value.values()
    if isinstance(value, functools.partial):
        return [value.func, *value.args, *value.keywords.values()]
    if isinstance(value, MethodType):
        return [value.__self__]
    if isinstance(value, FunctionType):
        return [*_closed_over(value), *vars(value).values()]
    is_application = callable(value) and not isinstance(value, CLOSED)
    return _attributes(value) if is_application or isinstance(value, BaseRoute) else []


def _closed_over(function: FunctionType) -> Iterator[object]:
    for cell in function.__closure__ or ():
        try:
            yield cell.cell_contents
        except ValueError:  # nothing is in it yet
            continue


def _attributes(value: object) -> Iterator[object]:
    yield from getattr(value, "__dict__", {}).values()
    names = (name for base in type(value).__mro__ for name in base.__dict__.get("__slots__", ()))
    yield from (getattr(value, name) for name in names if hasattr(value, name))
