"""Threads that a tool starts by itself: a plain one knows neither the call nor the tenant that it works for."""

from __future__ import annotations

import rls
from rls.context import platform_is_open


def outside(function: str) -> LookupError:
    """The error for a function that belongs to a call, where no call is known."""
    return LookupError(
        f"{function}() was called outside of any call, or in a thread that does not know of its call; start the thread "
        "with asgiref's sync_to_async, or run contextvars.copy_context().run(function) in it"
    )


def require_context(function: str) -> None:
    """Raise LookupError where neither a tenant's context nor the platform's is open, as in a plain thread of a tool.

    Without a call both are open in a command, a task and a view that call a service: there the function has no client.
    """
    if rls.current_tenant_id() is None and not platform_is_open():
        raise outside(function)
