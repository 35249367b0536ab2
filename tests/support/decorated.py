"""A decorator of another module, which knows none of the names of what it decorates."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any


def cached(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function behind another one, as caches and retries have it."""

    @functools.wraps(function)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        return function(*args, **kwargs)

    return wrapper
