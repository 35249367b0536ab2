"""The middleware, sync and async, with nothing but a request: streamed bodies stay in their context."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from uuid import UUID

import pytest
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse

import rls
from core.models import Product
from rls.middleware import TenantMiddleware
from tests.support.world import World


class ByHeader(TenantMiddleware):
    """Takes the tenant from the request as the test put it there."""

    def resolve(self, request: HttpRequest) -> UUID | HttpResponse | None:
        return request.tenant  # type: ignore[attr-defined, no-any-return]


def request_of(tenant: UUID | HttpResponse | None) -> HttpRequest:
    request = HttpRequest()
    request.tenant = tenant  # type: ignore[attr-defined]
    return request


def rows() -> Iterator[str]:
    for _ in range(3):
        yield "/".join(Product.objects.values_list("name", flat=True))


async def async_rows() -> AsyncIterator[str]:
    for _ in range(3):
        yield "/".join([product.name async for product in Product.objects.all()])


def test_two_streams_read_in_turns_stay_apart(acme: World, globex: World) -> None:
    middleware = ByHeader(lambda request: StreamingHttpResponse(rows()))
    responses = [middleware(request_of(world.id)) for world in (acme, globex)]

    seen = list(zip(*(response.streaming_content for response in responses), strict=True))

    assert seen == [(b"Acme anvil", b"Globex anvil")] * 3
    assert rls.current_tenant_id() is None


@pytest.mark.anyio
async def test_two_async_streams_read_in_turns_stay_apart(acme: World, globex: World) -> None:
    async def view(request: HttpRequest) -> StreamingHttpResponse:
        return StreamingHttpResponse(async_rows())

    middleware = ByHeader(view)
    first = aiter(await middleware(request_of(acme.id)))
    second = aiter(await middleware(request_of(globex.id)))
    found = [await anext(iterator) for _ in range(3) for iterator in (first, second)]

    assert found == [b"Acme anvil", b"Globex anvil"] * 3
    assert rls.current_tenant_id() is None


def test_a_stream_that_fails_or_is_left_ends_its_context(acme: World) -> None:
    def failing() -> Iterator[str]:
        yield from rows()
        raise ZeroDivisionError

    failed = ByHeader(lambda request: StreamingHttpResponse(failing()))(request_of(acme.id))
    left = ByHeader(lambda request: StreamingHttpResponse(rows()))(request_of(acme.id))

    with pytest.raises(ZeroDivisionError):
        list(failed.streaming_content)
    assert next(iter(left.streaming_content)) == b"Acme anvil"
    left.close()
    assert rls.current_tenant_id() is None


def test_a_request_without_a_tenant_has_no_context() -> None:
    middleware = ByHeader(lambda request: HttpResponse(str(rls.current_tenant_id())))

    assert middleware(request_of(None)).content == b"None"


def test_a_response_of_the_resolver_ends_the_request() -> None:
    middleware = ByHeader(lambda request: pytest.fail("the view ran"))

    assert middleware(request_of(HttpResponse(status=401))).status_code == 401


def test_an_exception_of_the_view_ends_the_context(acme: World) -> None:
    def view(request: HttpRequest) -> HttpResponse:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        ByHeader(view)(request_of(acme.id))

    assert rls.current_tenant_id() is None
