"""The tenant context: which tenant the statements of this task or thread are sent for.

The context is a ContextVar, so it follows `await`, `asyncio.gather`, `sync_to_async` and
`asyncio.to_thread`, and a thread that was started without a copied context has none.
It reaches PostgreSQL because `rls.backends.postgresql` sends it with every statement.

# Note [One block, one tenant]
A statement runs for the tenant of the block that it stands in. Two rules keep that true: inside a context no other
tenant's can be entered, and none can be entered by a generator (see `rls.blocks`).
"""

from __future__ import annotations

import functools
import inspect
import re
import sys
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from dataclasses import dataclass
from types import TracebackType
from typing import Any, TypeVar, cast
from uuid import UUID

from asgiref.sync import sync_to_async
from django.apps import apps
from django.conf import settings
from django.db import DEFAULT_DB_ALIAS, DatabaseError, connections, transaction

from rls import blocks
from rls.errors import IsolationError, PlatformRefused, TenantRefused, TenantSuspended, UnknownTenant

PLATFORM_ALIAS = "platform"

# RFC 9562 4, and the same without hyphens; uuid.UUID() reads much more than that.
UUID_TEXT = re.compile(r"[0-9a-f]{8}(-?)[0-9a-f]{4}\1[0-9a-f]{4}\1[0-9a-f]{4}\1[0-9a-f]{12}", re.ASCII | re.IGNORECASE)


@dataclass(frozen=True, slots=True, eq=False)
class _Open:
    """A context that is open: whose, for which tenant, inside which other."""

    context: tenant_context
    tenant_id: UUID
    outer: _Open | None


@dataclass(frozen=True, slots=True, eq=False)
class _Platform:
    """Platform work that goes on: its record, and the psycopg connection whose transaction it is."""

    record: int
    connection: Any


_innermost: ContextVar[_Open | None] = ContextVar("rls_innermost", default=None)
_platform: ContextVar[_Platform | None] = ContextVar("rls_platform", default=None)

F = TypeVar("F", bound=Callable[..., Any])


def current_tenant_id() -> UUID | None:
    """The tenant whose context is open here, or None."""
    innermost = _innermost.get()
    return innermost.tenant_id if innermost else None


def platform_record(connection: object) -> int | None:
    """The id in `app.platform_audit` of the platform work that this psycopg connection's transaction is, or None.

    In another thread the context may be open too, and the connection is another one.
    """
    work = _platform.get()
    return work.record if work is not None and work.connection is connection else None


def platform_is_open() -> bool:
    """Whether a platform context is open here."""
    return _platform.get() is not None


def leave_platform() -> None:
    """For a callback that runs in a copy of an earlier context: no platform context is open in it."""
    _platform.set(None)


@contextmanager
def outside() -> Iterator[None]:
    """Within the block no context is open, whatever is open around it: for what begins a request or a task."""
    innermost, work = _innermost.set(None), _platform.set(None)
    try:
        yield
    finally:
        _platform.reset(work)
        _innermost.reset(innermost)


def as_tenant_id(value: object) -> UUID:
    """`value` as a UUID.

    Raises ValueError for anything that is not a UUID or its text: None, '', True, a slug.
    """
    if isinstance(value, UUID):
        return UUID(int=value.int)  # a subclass may print what it likes
    if isinstance(value, str) and UUID_TEXT.fullmatch(value):
        return UUID(value)
    raise ValueError(f"a tenant id is a UUID, not {value!r}; look the tenant up first, and pass its id")


def require_active(tenant_id: UUID) -> None:
    """Check, inside the context of `tenant_id`, that the tenant's own row is there and active.

    Under row-level security a tenant sees exactly one row of the tenant table: its own.

    Raises:
        UnknownTenant: there is no such tenant.
        TenantSuspended: its `is_active` is false.
    """
    tenant_model = apps.get_model(settings.RLS_TENANT_MODEL)
    active = (
        tenant_model._base_manager.using(DEFAULT_DB_ALIAS)
        .filter(pk=tenant_id)
        .values_list("is_active", flat=True)
        .first()
    )
    if active is None:
        raise UnknownTenant(
            f"there is no tenant {tenant_id}; take the id from the table of {settings.RLS_TENANT_MODEL}"
        )
    if not active:
        raise TenantSuspended(f"tenant {tenant_id} is suspended; set is_active on the platform to let it work again")


class tenant_context:  # noqa: N801  (reads as a statement: `with tenant_context(tenant_id):`)
    """Send every statement in this block for one tenant: `with`, `async with`, or a decorator.

    The tenant is looked up on entering, so an unknown or suspended one is refused there. Inside a context, one of the
    same tenant may be entered again.

    Raises:
        ValueError: at construction, where `tenant_id` is not a UUID (no SQL is sent).
        UnknownTenant, TenantSuspended: on entering.
        TenantRefused: on entering, inside another tenant's context.
        PlatformRefused: on entering, inside a platform context.
        IsolationError: on entering, in a generator.
        TypeError: as a decorator, of a function that returns a generator or another iterator.
    """

    def __init__(self, tenant_id: UUID | str) -> None:
        self.tenant_id = as_tenant_id(tenant_id)

    def __enter__(self) -> UUID:
        self._open()
        try:
            require_active(self.tenant_id)
        except BaseException as error:
            self._close(error)
            raise
        return self.tenant_id

    def __aenter__(self) -> Awaitable[UUID]:
        self._open()
        return self._active()

    async def _active(self) -> UUID:
        try:
            await sync_to_async(require_active)(self.tenant_id)
        except BaseException as error:
            self._close(error)
            raise
        return self.tenant_id

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._close(error)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._close(error)

    def __call__(self, function: F) -> F:
        return decorated(function, lambda: type(self)(self.tenant_id))

    def _open(self) -> None:
        # Two frames up is the block itself: __enter__ or __aenter__ has called us.
        blocks.refuse_generator(sys._getframe(2))
        if platform_is_open():
            raise PlatformRefused("a tenant context can't be opened inside a platform context; close that one first")
        innermost = _innermost.get()
        if innermost is not None and innermost.tenant_id != self.tenant_id:
            raise TenantRefused(
                f"the context of tenant {self.tenant_id} can't be entered inside that of tenant {innermost.tenant_id}; "
                "leave that one first"
            )
        _innermost.set(_Open(self, self.tenant_id, innermost))

    def _close(self, error: BaseException | None) -> None:
        innermost = _innermost.get()
        if innermost is not None and innermost.context is self:
            _innermost.set(innermost.outer)
            return
        # Restoring what was open on entering would open a context that nobody is in. So no context is open now, and
        # whoever left this one is told.
        while innermost is not None and innermost.context is not self:
            innermost = innermost.outer
        if innermost is not None:
            _innermost.set(None)
        if error is None:
            raise IsolationError(
                "a tenant context was left elsewhere, or in another order, than it was entered; use `with`"
            )


class checked_tenant_context(tenant_context):  # noqa: N801
    """A tenant context for a tenant that this very request has already been checked against.

    For resolvers (the middleware, a protocol server), which learn that the tenant is active together
    with its id. Everybody else wants `tenant_context`.
    """

    def __enter__(self) -> UUID:
        self._open()
        return self.tenant_id

    async def _active(self) -> UUID:
        return self.tenant_id


def decorated(function: F, context: Callable[[], tenant_context]) -> F:
    """`function`, plain or async, whose every call runs in a context of its own.

    Raises TypeError, here or in a call, for what runs only where it is consumed: a generator or another iterator.
    """
    blocks.refuse_generator_function(function)
    if blocks.is_async(function):

        @functools.wraps(function)
        async def in_async_context(*args: Any, **kwargs: Any) -> Any:
            async with context():
                return blocks.refuse_iterator(function, await function(*args, **kwargs))

        return cast(F, in_async_context)

    @functools.wraps(function)
    def in_context(*args: Any, **kwargs: Any) -> Any:
        with context():
            result = blocks.refuse_iterator(function, function(*args, **kwargs))
        return awaited(result) if inspect.isawaitable(result) else result

    async def awaited(result: Awaitable[Any]) -> Any:
        async with context():
            return blocks.refuse_iterator(function, await result)

    return cast(F, in_context)


@contextmanager
def platform_context(*, actor: str, reason: str, origin: str = "") -> Iterator[None]:
    """Work across tenants in this block, as `app_platform`, in one transaction.

    Who works, and why, is committed to `app.platform_audit` before the work begins, and is on record whatever becomes
    of it. How it ended stands in `app.platform_outcome`: `committed`, written by the work's own transaction, or
    `rolled back`, written after it. What has no outcome is still going on, or its process or connection was lost.

    Args:
        actor: who does it: a user name, a token's name.
        reason: why, in words that an auditor will read later.
        origin: where it comes from: a command, a URL.

    Raises:
        ValueError: actor or reason is blank.
        PlatformRefused: a tenant context is open.
        IsolationError: on entering, in a generator.
        RuntimeError: the platform connection is in a transaction already (contexts don't nest).
    """
    if not actor.strip() or not reason.strip():
        raise ValueError("platform work needs an actor and a reason: who does it, and why")
    blocks.refuse_generator(sys._getframe(1))
    if current_tenant_id() is not None:
        raise PlatformRefused("a platform context can't be opened inside a tenant context; leave that one first")
    connection = connections[PLATFORM_ALIAS]
    if connection.in_atomic_block or not connection.get_autocommit():
        raise RuntimeError(
            "platform work is a durable transaction whose record is committed first: "
            "open platform_context() outside of a transaction of the platform connection"
        )
    record = _open_record(actor, reason, origin)
    is_committed = False
    try:
        with transaction.atomic(using=PLATFORM_ALIAS, durable=True):
            token = _platform.set(_Platform(record, connection.connection))
            try:
                yield
            finally:
                _platform.reset(token)
            will_commit = not connection.get_rollback()
            if will_commit:
                _end_record(record, "committed")
        is_committed = will_commit
    finally:
        if not is_committed:
            # Where the connection was lost during COMMIT, the row "committed" may exist; then this one is refused.
            with suppress(DatabaseError):
                _end_record(record, "rolled back")


def _open_record(actor: str, reason: str, origin: str) -> int:
    with connections[PLATFORM_ALIAS].cursor() as cursor:
        cursor.execute("SELECT app.open_platform(%s, %s, %s)", [actor, reason, origin])
        record: int = cursor.fetchone()[0]
    return record


def _end_record(record: int, outcome: str) -> None:
    with connections[PLATFORM_ALIAS].cursor() as cursor:
        cursor.execute("INSERT INTO app.platform_outcome (id, outcome) VALUES (%s, %s)", [record, outcome])
