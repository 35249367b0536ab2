"""The tenant context: which tenant the statements of this task or thread are sent for.

The context is a ContextVar, so it follows `await`, `asyncio.gather`, `sync_to_async` and
`asyncio.to_thread`, and a thread that was started without a copied context has none.
It reaches PostgreSQL because `rls.backends.postgresql` sends it with every statement.
"""

from __future__ import annotations

import functools
import inspect
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from types import TracebackType
from typing import Any, TypeVar, cast
from uuid import UUID

from asgiref.sync import sync_to_async
from django.apps import apps
from django.conf import settings
from django.db import DEFAULT_DB_ALIAS, connections, transaction

from rls.errors import IsolationError, PlatformRefused, TenantSuspended, UnknownTenant

PLATFORM_ALIAS = "platform"

# RFC 9562 4, and the same without hyphens; uuid.UUID() reads much more than that.
UUID_TEXT = re.compile(r"[0-9a-f]{8}(-?)[0-9a-f]{4}\1[0-9a-f]{4}\1[0-9a-f]{4}\1[0-9a-f]{12}", re.ASCII | re.IGNORECASE)


@dataclass(frozen=True, slots=True, eq=False)
class _Open:
    """A context that is open: whose, for which tenant, inside which other."""

    context: tenant_context
    tenant_id: UUID
    outer: _Open | None


_innermost: ContextVar[_Open | None] = ContextVar("rls_innermost", default=None)
_platform_is_open: ContextVar[bool] = ContextVar("rls_platform_is_open", default=False)

F = TypeVar("F", bound=Callable[..., Any])


def current_tenant_id() -> UUID | None:
    """The tenant whose context is open here, or None."""
    innermost = _innermost.get()
    return innermost.tenant_id if innermost else None


def platform_is_open() -> bool:
    """Whether a platform context is open here."""
    return _platform_is_open.get()


def keep_platform(is_open: bool) -> None:
    """For a callback that runs in a copy of an earlier context: what is open now, and not what was then."""
    _platform_is_open.set(is_open)


def as_tenant_id(value: object) -> UUID:
    """`value` as a UUID.

    Raises ValueError for anything that is not a UUID or its text: None, '', True, a slug.
    """
    if isinstance(value, UUID):
        return UUID(int=value.int)  # a subclass may print what it likes
    if isinstance(value, str) and UUID_TEXT.fullmatch(value):
        return UUID(value)
    raise ValueError(f"a tenant id is a UUID, not {value!r}; look it up by the tenant's subdomain first")


def refuse_generator(function: Callable[..., Any]) -> None:
    """Raise TypeError for a generator: its body would run where it is consumed, in whatever context is open there."""
    if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
        raise TypeError(f"{function.__qualname__} is a generator, which runs where it is consumed; return a list")


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

    The tenant is looked up on entering, so an unknown or suspended one is refused there.
    Contexts nest; leaving one gives back the outer one.

    Raises:
        ValueError: at construction, where `tenant_id` is not a UUID (no SQL is sent).
        UnknownTenant, TenantSuspended: on entering.
        PlatformRefused: on entering, inside a platform context.
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

    async def __aenter__(self) -> UUID:
        self._open()
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
        refuse_generator(function)
        if inspect.iscoroutinefunction(function):

            @functools.wraps(function)
            async def in_async_context(*args: Any, **kwargs: Any) -> Any:
                async with type(self)(self.tenant_id):
                    return await function(*args, **kwargs)

            return cast(F, in_async_context)

        @functools.wraps(function)
        def in_context(*args: Any, **kwargs: Any) -> Any:
            with type(self)(self.tenant_id):
                return function(*args, **kwargs)

        return cast(F, in_context)

    def _open(self) -> None:
        if platform_is_open():
            raise PlatformRefused("a tenant context can't be opened inside a platform context; close that one first")
        _innermost.set(_Open(self, self.tenant_id, _innermost.get()))

    def _close(self, error: BaseException | None) -> None:
        innermost = _innermost.get()
        if innermost is not None and innermost.context is self:
            _innermost.set(innermost.outer)
            return
        # A generator that holds a context was closed late, or elsewhere. To give back what it found when it was
        # entered would open a context that nobody is in; so none is open, and whoever left it is told.
        while innermost is not None and innermost.context is not self:
            innermost = innermost.outer
        if innermost is not None:
            _innermost.set(None)
        if error is None:
            raise IsolationError(
                "tenant contexts were left in another order than they were entered; don't keep one open across a yield"
            )


class checked_tenant_context(tenant_context):  # noqa: N801
    """A tenant context for a tenant that this very request has already been checked against.

    For resolvers (the middleware, the MCP hook), which learn that the tenant is active together
    with its id. Everybody else wants `tenant_context`.
    """

    def __enter__(self) -> UUID:
        self._open()
        return self.tenant_id

    async def __aenter__(self) -> UUID:
        self._open()
        return self.tenant_id


@contextmanager
def platform_context(*, actor: str, reason: str, origin: str = "") -> Iterator[None]:
    """Work across tenants, as `app_platform`, in one transaction that begins with an audit row.

    Args:
        actor: who does it: a user name, a token's name.
        reason: why, in words that an auditor will read later.
        origin: where it comes from: a command, a URL.

    Raises:
        ValueError: actor or reason is blank.
        PlatformRefused: a tenant context is open.
        RuntimeError: the platform connection is in a transaction already (contexts don't nest).
    """
    if not actor.strip() or not reason.strip():
        raise ValueError("platform work needs an actor and a reason: who does it, and why")
    if current_tenant_id() is not None:
        raise PlatformRefused("a platform context can't be opened inside a tenant context; leave that one first")
    with transaction.atomic(using=PLATFORM_ALIAS, durable=True):
        with connections[PLATFORM_ALIAS].cursor() as cursor:
            cursor.execute("SELECT app.open_platform(%s, %s, %s)", [actor, reason, origin])
        token = _platform_is_open.set(True)
        try:
            yield
        finally:
            _platform_is_open.reset(token)
