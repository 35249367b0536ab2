"""Serving with uvicorn."""

from __future__ import annotations

import errno
import socket
from collections.abc import Callable

import uvicorn
from django.conf import settings

from mcp_server.http import connections


class CannotServe(Exception):
    """The server can't start. The text is one sentence that says what to do."""


def application() -> str:
    """The application to serve, as uvicorn names it: the setting ASGI_APPLICATION.

    Raises CannotServe where it is missing.
    """
    named: str = getattr(settings, "ASGI_APPLICATION", None) or ""
    module, _, attribute = named.rpartition(".")
    if not module:
        raise CannotServe('nothing to serve: set ASGI_APPLICATION in the settings, as "config.asgi.application"')
    return f"{module}:{attribute}"


class Server(uvicorn.Server):
    """A uvicorn server that says when it accepts connections."""

    def __init__(self, config: uvicorn.Config, on_ready: Callable[[], None]) -> None:
        super().__init__(config)
        self.on_ready = on_ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            self.on_ready()


def require_free(host: str, port: int) -> None:
    """Raise CannotServe, before anything is made, where the address is taken or not ours."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                raise CannotServe(
                    f"port {port} is taken: stop what listens there, or choose another with PORT="
                ) from None
            raise CannotServe(
                f"can't listen on {host}:{port}: {error.strerror}; choose another with HOST= and PORT="
            ) from None


def serve(host: str, port: int, on_ready: Callable[[], None]) -> None:
    """Serve in this process until SIGINT or SIGTERM; `on_ready` is called when connections are accepted.

    Raises CannotServe where the application does not start; the log has said why.
    """
    server = Server(uvicorn.Config(application(), host=host, port=port, **connections.UVICORN_OPTIONS), on_ready)
    server.run()
    if not server.started:
        raise CannotServe("the application did not start; the log above says why")
