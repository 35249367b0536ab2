"""Work that runs later and elsewhere, for the tenant whose context was open when it was asked for.

    @tenanted_task
    def export(kind: str) -> None: ...

    envelope = export.seal("csv")  # inside a tenant context
    export(envelope)  # in another thread, process or machine

The envelope is text, for a queue of any kind. It is signed and not encrypted: whoever reads the queue can read the
arguments, and only who has SECRET_KEY can make one. It names the tenant and opens nothing by itself: the context is
opened when the work begins, so a tenant that was suspended meanwhile is refused then. An envelope can run more than
once, as a queue delivers more than once.

With Django's tasks (6.0) `@task` stands above `@tenanted_task`: `export.enqueue(export.func.seal("csv"))`.
"""

from __future__ import annotations

import functools
import inspect
import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any, ParamSpec, Protocol, TypeVar, cast, overload

from django.core import signing

from rls.blocks import is_async, refuse_generator_function
from rls.context import current_tenant_id, outside, platform_is_open, tenant_context
from rls.errors import EnvelopeRefused, NoTenantContext, PlatformRefused

# Deeper than this an argument holds itself, or should be text.
MAX_DEPTH = 50

P = ParamSpec("P")
R = TypeVar("R")
R_co = TypeVar("R_co", covariant=True)


class TenantedTask(Protocol[P, R_co]):
    """What `tenanted_task` makes of a function: a function of an envelope."""

    def __call__(self, envelope: str) -> R_co:
        """Run the task, for the tenant and with the arguments of the envelope.

        It runs outside of the tenant's context that it is called in.

        Raises:
            EnvelopeRefused: the envelope was not sealed by this task, was altered, or is older than `max_age`.
            UnknownTenant, TenantSuspended: as `tenant_context` does.
            PlatformRefused: a platform context is open.
            TypeError: the function returned a generator or another iterator.
        """

    def seal(self, *args: P.args, **kwargs: P.kwargs) -> str:
        """An envelope for the open tenant with these arguments. No SQL is sent.

        Raises:
            NoTenantContext: no tenant context is open.
            TypeError: the arguments are not the function's, or don't come back from JSON as they are.
        """


@overload
def tenanted_task(function: Callable[P, R], /) -> TenantedTask[P, R]: ...
@overload
def tenanted_task(*, max_age: timedelta | None = None) -> Callable[[Callable[P, R]], TenantedTask[P, R]]: ...
def tenanted_task(function: Callable[P, R] | None = None, /, *, max_age: timedelta | None = None) -> Any:
    """Make a plain or async function one that runs from an envelope: see `TenantedTask`.

    Args:
        max_age: how old an envelope may be when it runs; any age where it is None.
    """
    if function is None:
        return functools.partial(_decorated, max_age=max_age)
    return _decorated(function, max_age=max_age)


def _decorated(function: Callable[P, R], *, max_age: timedelta | None) -> TenantedTask[P, R]:
    if not inspect.isfunction(function):
        raise TypeError(f"a task is a function at the top of a module, and not {function!r}")
    refuse_generator_function(function)
    name = f"{function.__module__}:{function.__qualname__}"
    if "<" in name:
        raise TypeError(f"{name} has a name that another task may have; define a task at the top of a module")

    def seal(*args: P.args, **kwargs: P.kwargs) -> str:
        tenant_id = current_tenant_id()
        if tenant_id is None:
            raise NoTenantContext
        inspect.signature(function).bind(*args, **kwargs)
        _require_json(name, [*args, kwargs])
        # The name is for who reads a queue; as part of the salt it is what binds.
        return signing.dumps([name, str(tenant_id), args, kwargs], salt=_salt(name))

    def call(envelope: str) -> Any:
        tenant_id, args, kwargs = _unsealed(envelope, name, max_age)
        return tenant_context(tenant_id)(function)(*args, **kwargs)

    def run(envelope: str) -> Any:
        with _apart():
            result = call(envelope)
        return awaited(result) if inspect.isawaitable(result) else result

    async def arun(envelope: str) -> Any:
        return await awaited(call(envelope))

    async def awaited(result: Any) -> Any:
        with _apart():
            return await result

    runner: Any = arun if is_async(function) else run
    signature = inspect.signature(runner)
    functools.update_wrapper(runner, function)
    runner.__signature__ = signature  # it is called with an envelope, whatever __wrapped__ is called with
    runner.seal = seal
    return cast(TenantedTask[P, R], runner)


@contextmanager
def _apart() -> Iterator[None]:
    if platform_is_open():
        raise PlatformRefused("a tenant's task can't run inside a platform context; leave that one first")
    with outside():
        yield


def _salt(name: str) -> str:
    """Of one task only: no other accepts its envelopes, and neither does anything else that SECRET_KEY signs."""
    return f"rls.tasks:{name}"


def _unsealed(envelope: str, name: str, max_age: timedelta | None) -> tuple[str, list[Any], dict[str, Any]]:
    try:
        _, tenant_id, args, kwargs = signing.loads(envelope, salt=_salt(name), max_age=max_age)
    except signing.SignatureExpired:
        raise EnvelopeRefused(f"this envelope for {name} is older than {max_age}; seal it again") from None
    # A surrogate can't be compared with a signature, and neither can what is no text.
    except (signing.BadSignature, UnicodeEncodeError, TypeError, AttributeError):
        raise EnvelopeRefused(
            f"this is no envelope for {name}, or not of this SECRET_KEY; make one with the task's own seal()"
        ) from None
    return tenant_id, args, kwargs


def _require_json(name: str, arguments: object) -> None:
    if not _is_json(arguments):
        raise TypeError(
            f"an argument of {name} is not the same after JSON; seal text, numbers and lists, and ids as text"
        )


def _is_json(value: object, depth: int = 0) -> bool:
    """Whether `value` comes back from JSON as it is: a subclass, such as a StrEnum, does not."""
    if depth > MAX_DEPTH:
        return False
    if isinstance(value, float):
        return type(value) is float and math.isfinite(value)
    if type(value) is list:
        return all(_is_json(each, depth + 1) for each in value)
    if type(value) is dict:
        return all(type(key) is str and _is_json(each, depth + 1) for key, each in value.items())
    return value is None or type(value) in (str, int, bool)
