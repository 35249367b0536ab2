"""Cases 40 and 41: a statement runs for the tenant of the block that it stands in, in generators and callbacks too."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import anyio
import anyio.to_thread
import psycopg
import pytest
from asgiref.sync import sync_to_async
from django.db import connections, transaction
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse

import rls
from core.models import Product
from rls import IsolationError, NoTenantContext, platform_context, tenant_context
from rls.middleware import TenantMiddleware
from tests.rls.test_middleware import ByHeader, request_of
from tests.support.world import World, working


def names() -> list[str]:
    return list(Product.objects.values_list("name", flat=True))


def rows(world: World) -> Iterator[str]:
    with tenant_context(world.id):
        for _ in range(3):
            yield from names()


def rows_through_a_helper(world: World) -> Iterator[str]:
    @contextlib.contextmanager
    def acting() -> Iterator[None]:
        with tenant_context(world.id):
            yield

    with acting():
        yield from names()


def rows_through_a_stack(world: World) -> Iterator[str]:
    with contextlib.ExitStack() as stack:
        stack.enter_context(tenant_context(world.id))
        yield from names()


class Acting:
    """A context manager of a project's own."""

    def __init__(self, world: World) -> None:
        self.context = tenant_context(world.id)

    def __enter__(self) -> None:
        self.context.__enter__()

    def __exit__(self, *error: Any) -> None:
        self.context.__exit__(*error)


def rows_through_a_class(world: World) -> Iterator[str]:
    with Acting(world):
        yield from names()


class Session:
    """A context manager that begins elsewhere than in `__enter__`."""

    def __init__(self, world: World) -> None:
        self.context = tenant_context(world.id)

    def start(self) -> None:
        self.context.__enter__()

    def __enter__(self) -> None:
        self.start()

    def __exit__(self, *error: Any) -> None:
        self.context.__exit__(*error)


def rows_through_a_session(world: World) -> Iterator[str]:
    with Session(world):
        yield from names()


def rows_of_all(world: World) -> Iterator[str]:
    with platform_context(actor="tests", reason=world.name):
        yield from names()


def wrapped(world: World) -> Iterator[str]:
    @functools.wraps(rows)
    def inner(of: World) -> Iterator[str]:
        return rows(of)

    return inner(world)


GENERATORS = [
    rows,
    rows_through_a_helper,
    rows_through_a_stack,
    rows_through_a_class,
    rows_through_a_session,
    rows_of_all,
    wrapped,
    lambda world: (name for name in rows(world)),
]


@pytest.mark.parametrize("generator", GENERATORS)
def test_a_generator_opens_no_context(generator: Callable[[World], Iterator[str]], acme: World, globex: World) -> None:
    with pytest.raises(IsolationError, match="is a generator and can't open a context"):
        list(zip(generator(acme), generator(globex), strict=True))

    with pytest.raises(NoTenantContext):
        names()
    with tenant_context(globex.id):
        with pytest.raises(IsolationError):
            next(generator(acme))
        assert names() == ["Globex anvil"]


async def async_rows(world: World) -> AsyncIterator[str]:
    async with tenant_context(world.id):
        async for product in Product.objects.all():
            yield product.name


async def async_rows_through_a_helper(world: World) -> AsyncIterator[str]:
    @contextlib.asynccontextmanager
    async def acting() -> AsyncIterator[None]:
        async with tenant_context(world.id):
            yield

    async with acting():
        async for product in Product.objects.all():
            yield product.name


async def async_rows_through_a_stack(world: World) -> AsyncIterator[str]:
    async with contextlib.AsyncExitStack() as stack:
        await stack.enter_async_context(tenant_context(world.id))
        yield "entered"


async def async_rows_in_a_plain_block(world: World) -> AsyncIterator[str]:
    with tenant_context(world.id):
        yield "entered"


@pytest.mark.parametrize(
    "generator",
    [async_rows, async_rows_through_a_helper, async_rows_through_a_stack, async_rows_in_a_plain_block],
)
def test_an_async_generator_opens_no_context(
    generator: Callable[[World], AsyncIterator[str]], acme: World, globex: World
) -> None:
    async def consumed() -> None:
        with pytest.raises(IsolationError, match="is a generator and can't open a context"):
            await anext(generator(acme))
        async with tenant_context(globex.id):
            assert [product.name async for product in Product.objects.all()] == ["Globex anvil"]

    asyncio.run(consumed())


def test_a_generator_that_threads_step_opens_no_context(acme: World, globex: World) -> None:
    async def stepped() -> None:
        with pytest.raises(IsolationError):
            await anyio.to_thread.run_sync(next, rows(acme))
        with pytest.raises(IsolationError):
            await sync_to_async(next)(rows(globex))

    asyncio.run(stepped())


def test_a_generator_runs_for_who_consumes_it_and_may_call_a_function_of_another(acme: World, globex: World) -> None:
    def step(world: World) -> list[str]:
        with tenant_context(world.id):
            return names()

    def steps(*worlds: World) -> Iterator[list[str]]:
        for world in worlds:
            yield step(world)

    assert list(zip(steps(acme, globex), steps(globex, acme), strict=True)) == [
        (["Acme anvil"], ["Globex anvil"]),
        (["Globex anvil"], ["Acme anvil"]),
    ]
    assert rls.current_tenant_id() is None


def test_a_context_manager_made_of_a_generator_is_none_that_is_consumed(acme: World, globex: World) -> None:
    @contextlib.contextmanager
    def acting(world: World) -> Iterator[None]:
        with tenant_context(world.id):
            yield

    @contextlib.asynccontextmanager
    async def awaiting(world: World) -> AsyncIterator[None]:
        async with tenant_context(world.id):
            yield

    @contextlib.contextmanager
    def delegating(world: World) -> Iterator[None]:
        def inner() -> Iterator[None]:
            with tenant_context(world.id):
                yield

        yield from inner()

    async def awaited() -> int:
        async with contextlib.AsyncExitStack() as stack:
            await stack.enter_async_context(awaiting(globex))
            return await Product.objects.acount()

    with acting(acme), delegating(acme), contextlib.ExitStack() as stack:
        stack.enter_context(acting(acme))
        assert names() == ["Acme anvil"]
    assert asyncio.run(awaited()) == 1
    assert rls.current_tenant_id() is None


class Plain:
    """An object that can be called, plain or awaited."""

    def __call__(self) -> list[str]:
        return names()


class Awaited:
    """An object whose call is to be awaited."""

    async def __call__(self) -> list[str]:
        return [product.name async for product in Product.objects.all()]


async def awaited_names(*ignored: object) -> list[str]:
    return [product.name async for product in Product.objects.all()]


def test_a_decorator_holds_whatever_can_be_called(acme: World, globex: World) -> None:
    decorate = tenant_context(acme.id)

    @functools.wraps(awaited_names)
    def not_a_coroutine_function() -> Any:
        return awaited_names()

    for plain in (names, Plain(), functools.partial(names), lambda: names()):
        assert decorate(plain)() == ["Acme anvil"]

    async def in_another_context() -> None:
        for function in (awaited_names, Awaited(), functools.partial(awaited_names, 1), functools.partial(Awaited())):
            assert await decorate(function)() == ["Acme anvil"]
            coroutine = decorate(function)()
            async with tenant_context(globex.id):
                with pytest.raises(rls.TenantRefused):
                    await coroutine

    asyncio.run(in_another_context())
    for function in (not_a_coroutine_function, lambda: awaited_names()):
        assert asyncio.run(decorate(function)()) == ["Acme anvil"]


def make_generator() -> Iterator[str]:
    yield from names()


async def make_async_generator() -> AsyncIterator[str]:
    yield "row"


class Generating:
    """An object whose call is a generator."""

    def __call__(self) -> Iterator[str]:
        yield from names()


@functools.wraps(names)
def disguised() -> Iterator[str]:
    return make_generator()


async def returning_a_generator() -> Iterator[str]:
    return make_generator()


LAZY = [
    make_generator,
    make_async_generator,
    functools.partial(make_generator),
    Generating(),
    disguised,
    lambda: map(str, make_generator()),
    lambda: filter(None, make_generator()),
    lambda: zip(make_generator(), make_generator(), strict=True),
    lambda: iter(Product.objects.all()),
    lambda: Product.objects.iterator(),
    lambda: Product.objects.aiterator(),
    lambda: StreamingHttpResponse(make_generator()),
    returning_a_generator,
]


@pytest.mark.parametrize("lazy", LAZY)
def test_a_decorator_refuses_what_runs_where_it_is_consumed(lazy: Callable[..., Any], acme: World) -> None:
    async def awaited(function: Callable[..., Any]) -> None:
        await function()

    with pytest.raises(TypeError, match="runs where it is consumed; return a list"):
        decorated = tenant_context(acme.id)(lazy)
        asyncio.run(awaited(decorated)) if lazy is returning_a_generator else decorated()


def at_commit(callback: Callable[[], object], *, inside: contextlib.AbstractContextManager[Any], world: World) -> None:
    """Register a callback in the tenant's context, and commit in another one."""
    block = transaction.atomic()
    block.__enter__()
    with tenant_context(world.id):
        transaction.on_commit(callback)
    with inside:
        block.__exit__(None, None, None)


def test_a_callback_runs_for_who_registered_it(acme: World, globex: World) -> None:
    seen: list[list[str]] = []

    for inside in (contextlib.nullcontext(), tenant_context(globex.id), working()):
        at_commit(lambda: seen.append(names()), inside=inside, world=acme)

    assert seen == [["Acme anvil"]] * 3


def test_a_callback_of_nobody_runs_for_nobody(acme: World, globex: World) -> None:
    refused: list[bool] = []

    def nobodys() -> None:
        with pytest.raises(NoTenantContext):
            names()
        refused.append(True)

    for inside in (tenant_context(globex.id), working()):
        with transaction.atomic():
            transaction.on_commit(nobodys)
            inside.__enter__()
        inside.__exit__(None, None, None)

    assert refused == [True, True]


def test_a_callback_of_a_migration_keeps_its_tenant(acme: World, globex: World) -> None:
    seen: list[Any] = []

    block = transaction.atomic(using="owner")
    block.__enter__()
    with tenant_context(acme.id):
        transaction.on_commit(lambda: seen.append(rls.current_tenant_id()), using="owner")
    with tenant_context(globex.id):
        block.__exit__(None, None, None)

    assert seen == [acme.id]


@pytest.mark.parametrize("is_async", [False, True])
def test_a_body_that_is_closed_early_ends_in_its_tenants_context(is_async: bool, acme: World, globex: World) -> None:
    ended: list[str] = []

    def body() -> Iterator[str]:
        try:
            while True:
                yield from names()
        finally:
            with contextlib.suppress(IsolationError):
                ended.extend(names())

    async def async_body() -> AsyncIterator[str]:
        try:
            while True:
                yield (await awaited_names())[0]
        finally:
            with contextlib.suppress(IsolationError):
                ended.extend(await awaited_names())

    async def view(request: HttpRequest) -> StreamingHttpResponse:
        return StreamingHttpResponse(async_body())

    async def read_and_left() -> None:
        response = await ByHeader(view)(request_of(acme.id))
        async with tenant_context(globex.id):
            async with contextlib.aclosing(response._iterator) as chunks:
                assert await anext(chunks) == b"Acme anvil"
            response.close()

    if is_async:
        asyncio.run(read_and_left())
    else:
        response = ByHeader(lambda request: StreamingHttpResponse(body()))(request_of(acme.id))
        with tenant_context(globex.id):
            assert next(iter(response.streaming_content)) == b"Acme anvil"
            response.close()

    assert ended == ["Acme anvil"]
    assert rls.current_tenant_id() is None


def test_a_chunk_that_is_computed_late_is_its_tenants(acme: World, globex: World) -> None:
    class Late:
        """Text that is read from the database when it is sent."""

        def __str__(self) -> str:
            return names()[0]

    response = ByHeader(lambda request: StreamingHttpResponse(iter([Late()])))(request_of(acme.id))
    with tenant_context(globex.id):
        assert list(response.streaming_content) == [b"Acme anvil"]


def test_a_body_that_another_thread_closes_ends_in_its_tenants_context(acme: World, globex: World) -> None:
    ended: list[str] = []

    def body() -> Iterator[str]:
        try:
            yield from names() * 2
        finally:
            with contextlib.suppress(IsolationError):
                ended.extend(names())

    def close() -> None:
        try:
            with tenant_context(globex.id):
                response.close()
        finally:
            connections.close_all()

    response = ByHeader(lambda request: StreamingHttpResponse(body()))(request_of(acme.id))
    next(iter(response.streaming_content))
    thread = threading.Thread(target=close)
    thread.start()
    thread.join()

    assert ended == ["Acme anvil"]


def test_a_request_has_the_context_of_its_url_alone(acme: World, globex: World) -> None:
    """As a test client sends it, in whatever context the test has opened."""

    def view(request: HttpRequest) -> HttpResponse:
        return HttpResponse(str(rls.current_tenant_id()))

    for around in (tenant_context(globex.id), working()):
        with around:
            assert ByHeader(view)(request_of(acme.id)).content.decode() == str(acme.id)
            assert ByHeader(view)(request_of(None)).content == b"None"
    assert rls.current_tenant_id() is None


@pytest.mark.parametrize("resolved", ["acme", "", False, 7, b"x", object()])
def test_what_a_resolver_makes_up_is_no_tenant(resolved: object, acme: World) -> None:
    class MadeUp(TenantMiddleware):
        """Resolves to what no tenant is."""

        def resolve(self, request: HttpRequest) -> Any:
            return resolved

    with pytest.raises(ValueError, match="a tenant id is a UUID"):
        MadeUp(lambda request: pytest.fail("the view ran"))(HttpRequest())


def test_a_resolver_may_give_the_text_of_an_id(acme: World, admin: psycopg.Connection) -> None:
    response = ByHeader(lambda request: HttpResponse("/".join(names())))(request_of(str(acme.id)))  # type: ignore[arg-type]

    assert response.content == b"Acme anvil"
