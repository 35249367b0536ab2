"""The static files of a project (`django.contrib.staticfiles`), such as the style of Django's admin."""

from __future__ import annotations

import os
from urllib.parse import urlsplit

import anyio.to_thread
from django.apps import apps
from django.conf import settings
from django.contrib.staticfiles import finders
from django.core.exceptions import SuspiciousFileOperation
from django.core.handlers.asgi import ASGIHandler
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Receive, Scope, Send
from starlette.websockets import WebSocketClose


class Statics:
    """Serves the files of the project's static finders under STATIC_URL; every other request goes to `app`.

    Where STATIC_URL names another host, or `django.contrib.staticfiles` is not installed, everything is for `app`.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app
        self._files = StaticFiles()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        # Django's own handler raises for one; what stands around it may serve it.
        if scope["type"] == "websocket" and isinstance(self.app, ASGIHandler):
            await WebSocketClose()(scope, receive, send)
            return
        name = _name(scope)
        path = await anyio.to_thread.run_sync(_found, name) if name else None
        if path is None:
            await self.app(scope, receive, send)
        else:
            response = self._files.file_response(path, os.stat(path), scope)
            await response(scope, receive, send)


def _name(scope: Scope) -> str:
    """The name of the static file that a request is for; '' where it is for none."""
    if scope["type"] != "http" or scope["method"] not in ("GET", "HEAD"):
        return ""
    url = urlsplit(settings.STATIC_URL or "")
    if url.netloc or not url.path.strip("/") or not apps.is_installed("django.contrib.staticfiles"):
        return ""
    path: str = scope["path"]
    return path.removeprefix(url.path) if path.startswith(url.path) else ""


def _found(name: str) -> str | None:
    try:
        found = finders.find(name)
    except (SuspiciousFileOperation, ValueError):  # beyond the directory of an app, or with a NUL
        return None
    return found if isinstance(found, str) and os.path.isfile(found) else None
