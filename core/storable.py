"""A request that holds what no text of PostgreSQL can be is malformed, wherever it would have gone."""

from __future__ import annotations

from collections.abc import Awaitable, Iterator
from typing import cast

from asgiref.sync import iscoroutinefunction, sync_to_async
from django.core.exceptions import BadRequest
from django.http import HttpRequest, UnreadablePostError
from django.http.response import HttpResponseBase
from django.utils.decorators import sync_and_async_middleware
from django.utils.translation import gettext as _

from core.probes import GetResponse
from mcp_server import texts


@sync_and_async_middleware
def storable(get_response: GetResponse) -> GetResponse:
    """The middleware that answers 400 to NUL, or half a character, in an address, a cookie or a field of a form.

    Django looks most of them up as they come, and psycopg raises on NUL: an error 500 of whoever asks.
    """

    async def answer_async(request: HttpRequest) -> HttpResponseBase:
        # Reading a form reads its body.
        await sync_to_async(check)(request) if request.method == "POST" else check(request)
        return await cast("Awaitable[HttpResponseBase]", get_response(request))

    def answer(request: HttpRequest) -> HttpResponseBase:
        check(request)
        return cast("HttpResponseBase", get_response(request))

    return answer_async if iscoroutinefunction(get_response) else answer


def check(request: HttpRequest) -> None:
    """Raises BadRequest, in words, for what can't be stored."""
    try:
        is_storable = all(map(texts.is_storable, texts_of(request)))
    except UnreadablePostError:  # the client is gone; Django answers whoever reads the form next
        return
    if not is_storable:
        raise BadRequest(
            _("The request holds NUL (U+0000) or half a character, which no text can contain: send it without.")
        )


def texts_of(request: HttpRequest) -> Iterator[str]:
    """The texts that a request brings: its path, its cookies, and its fields with their names."""
    # A tenant's pages refuse such a path as they refuse any other that leads nowhere.
    if not request.path_info.startswith("/t/"):
        yield request.path_info
    yield from request.COOKIES.values()
    for query in (request.GET, request.POST):
        for name, values in query.lists():
            yield name
            yield from values
