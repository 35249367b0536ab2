"""The tenant context around a Django request, streamed bodies included."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator
from typing import Any, cast
from uuid import UUID

from asgiref.sync import iscoroutinefunction, markcoroutinefunction, sync_to_async
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase

from rls.context import checked_tenant_context


class TenantMiddleware:
    """Runs the view, and the body of a streaming response, inside the context of the request's tenant.

    A subclass says which tenant that is: `resolve` returns the id of a tenant that is active and that the
    caller may act for, None where the request belongs to no tenant (the view then runs without a context),
    or a response that ends the request.
    """

    sync_capable = True
    async_capable = True

    def __init__(self, get_response: Callable[[HttpRequest], Any]) -> None:
        self.get_response = get_response
        self.is_async = iscoroutinefunction(get_response)
        if self.is_async:
            markcoroutinefunction(self)

    def resolve(self, request: HttpRequest) -> UUID | HttpResponse | None:
        """The tenant of this request. Called before a context exists."""
        raise NotImplementedError

    def __call__(self, request: HttpRequest) -> HttpResponseBase | Awaitable[HttpResponseBase]:
        if self.is_async:
            return self.__acall__(request)
        tenant = self.resolve(request)
        if not isinstance(tenant, UUID):
            return tenant or cast(HttpResponseBase, self.get_response(request))
        with checked_tenant_context(tenant):
            return keep_streaming(self.get_response(request), tenant)

    async def __acall__(self, request: HttpRequest) -> HttpResponseBase:
        tenant = await sync_to_async(self.resolve)(request)
        if not isinstance(tenant, UUID):
            return tenant or cast(HttpResponseBase, await self.get_response(request))
        async with checked_tenant_context(tenant):
            return keep_streaming(await self.get_response(request), tenant)


def keep_streaming(response: Any, tenant_id: UUID) -> HttpResponseBase:
    """Give a streaming response a body that opens the context again for each chunk it computes."""
    if getattr(response, "streaming", False):
        wrap = _achunks if response.is_async else _chunks
        response.streaming_content = wrap(response.streaming_content, tenant_id)
    return cast(HttpResponseBase, response)


def _chunks(content: Iterable[bytes], tenant_id: UUID) -> Iterator[bytes]:
    chunks = iter(content)
    while True:
        with checked_tenant_context(tenant_id):
            try:
                chunk = next(chunks)
            except StopIteration:
                return
        yield chunk


async def _achunks(content: AsyncIterator[bytes], tenant_id: UUID) -> AsyncIterator[bytes]:
    chunks = aiter(content)
    while True:
        async with checked_tenant_context(tenant_id):
            try:
                chunk = await anext(chunks)
            except StopAsyncIteration:
                return
        yield chunk
