"""`/healthz` and `/readyz`: what a load balancer or an orchestrator asks of a process.

Probes come by address, with any Host or none, so they are answered before ALLOWED_HOSTS is asked. They tell nobody more
than that the process, and its database, answer, and that row-level security is in force.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from typing import cast

from asgiref.sync import iscoroutinefunction, sync_to_async
from django.core.exceptions import ImproperlyConfigured
from django.db import Error, connection
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.http.response import HttpResponseBase
from django.utils.decorators import sync_and_async_middleware
from django.views.decorators.http import require_safe

from rls import roles

logger = logging.getLogger(__name__)

GetResponse = Callable[[HttpRequest], HttpResponseBase | Awaitable[HttpResponseBase]]


@require_safe
def healthz(request: HttpRequest) -> HttpResponse:
    """The process answers."""
    return _said("ok")


@require_safe
def readyz(request: HttpRequest) -> HttpResponse:
    """The process and its database answer, and row-level security binds the role that serves; 503 otherwise."""
    try:
        if not (connection.is_usable() or _reconnects()):
            return _said("the database does not answer", status=503)
        roles.refuse_unbound(connection.connection)
    except Error:
        return _said("the database does not answer", status=503)
    except ImproperlyConfigured as error:
        # Who asks learns nothing of the role.
        logger.error("not ready: %s", error)  # noqa: TRY400  (the sentence says it all)
        return _said("row-level security does not bind the role that serves", status=503)
    return _said("ok")


PROBES: dict[str, Callable[[HttpRequest], HttpResponse]] = {"/healthz": healthz, "/readyz": readyz}


@sync_and_async_middleware
def probes(get_response: GetResponse) -> GetResponse:
    """The middleware that answers a probe; every other request goes on."""

    async def answer_async(request: HttpRequest) -> HttpResponseBase:
        if probe := PROBES.get(request.path_info):
            return await sync_to_async(probe)(request)
        return await cast("Awaitable[HttpResponseBase]", get_response(request))

    def answer(request: HttpRequest) -> HttpResponseBase:
        if probe := PROBES.get(request.path_info):
            return probe(request)
        return cast("HttpResponseBase", get_response(request))

    return answer_async if iscoroutinefunction(get_response) else answer


def _said(text: str, status: int = 200) -> JsonResponse:
    response = JsonResponse({"status": text}, status=status)
    # Of the middleware that comes later, which does it otherwise.
    response.headers["Content-Length"] = str(len(response.content))
    return response


def _reconnects() -> bool:
    connection.close()
    try:
        connection.ensure_connection()
    except Error:
        return False
    return connection.is_usable()
