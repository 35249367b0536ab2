"""The tenant context around a Django request, streamed bodies included."""

from __future__ import annotations

import functools
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any, cast
from uuid import UUID

from asgiref.sync import iscoroutinefunction, markcoroutinefunction, sync_to_async
from django.http import HttpRequest
from django.http.response import HttpResponseBase

from rls.context import as_tenant_id, checked_tenant_context, outside

# What a step returns when the body has no more chunks: any other value could be one.
END_OF_BODY = object()


class TenantMiddleware:
    """Runs the view, and the body of a streaming response, inside the context of the request's tenant.

    A subclass says which tenant that is: `resolve` returns the id (a UUID or its text) of a tenant that is active and
    that the caller may act for, None where the request belongs to no tenant (the view then runs without a context), or
    a response that ends the request. Anything else is a ValueError.
    """

    sync_capable = True
    async_capable = True

    def __init__(self, get_response: Callable[[HttpRequest], Any]) -> None:
        self.get_response = get_response
        self.is_async = iscoroutinefunction(get_response)
        if self.is_async:
            markcoroutinefunction(self)

    def resolve(self, request: HttpRequest) -> UUID | str | HttpResponseBase | None:
        """The tenant of this request. Called before a context exists."""
        raise NotImplementedError

    def __call__(self, request: HttpRequest) -> HttpResponseBase | Awaitable[HttpResponseBase]:
        if self.is_async:
            return self.__acall__(request)
        with outside():  # of the test that calls its client in a context, say
            tenant = self.resolve(request)
            if isinstance(tenant, HttpResponseBase):
                return tenant
            if tenant is None:
                return cast(HttpResponseBase, self.get_response(request))
            with checked_tenant_context(tenant):
                return keep_streaming(self.get_response(request), as_tenant_id(tenant))

    async def __acall__(self, request: HttpRequest) -> HttpResponseBase:
        with outside():
            tenant = await sync_to_async(self.resolve)(request)
            if isinstance(tenant, HttpResponseBase):
                return tenant
            if tenant is None:
                return cast(HttpResponseBase, await self.get_response(request))
            async with checked_tenant_context(tenant):
                return keep_streaming(await self.get_response(request), as_tenant_id(tenant))


def keep_streaming(response: Any, tenant_id: UUID) -> HttpResponseBase:
    """`response`; where it streams, its body reopens the tenant's context for each chunk and for its end."""
    if getattr(response, "streaming", False):
        wrap = _achunks if response.is_async else _chunks
        close = response.close  # which closes the body that the view has made
        # Not `streaming_content`: its async form does not close what it iterates over.
        response.streaming_content = wrap(response._iterator, response.make_bytes, tenant_id)
        response.close = functools.partial(_run, tenant_id, close)
    return cast(HttpResponseBase, response)


def _chunks(chunks: Iterator[Any], as_bytes: Callable[[Any], bytes], tenant_id: UUID) -> Iterator[bytes]:
    def step() -> Any:
        return END_OF_BODY if (chunk := next(chunks, END_OF_BODY)) is END_OF_BODY else as_bytes(chunk)

    while (chunk := _run(tenant_id, step)) is not END_OF_BODY:
        yield chunk


async def _achunks(
    chunks: AsyncIterator[Any], as_bytes: Callable[[Any], bytes], tenant_id: UUID
) -> AsyncIterator[bytes]:
    async def step() -> Any:
        return END_OF_BODY if (chunk := await anext(chunks, END_OF_BODY)) is END_OF_BODY else as_bytes(chunk)

    try:
        while (chunk := await _arun(tenant_id, step)) is not END_OF_BODY:
            yield chunk
    finally:
        if close := getattr(chunks, "aclose", None):
            await _arun(tenant_id, close)


def _run(tenant_id: UUID, function: Callable[..., Any], *args: Any) -> Any:
    with outside(), checked_tenant_context(tenant_id):
        return function(*args)


async def _arun(tenant_id: UUID, function: Callable[..., Awaitable[Any]], *args: Any) -> Any:
    with outside():
        async with checked_tenant_context(tenant_id):
            return await function(*args)
