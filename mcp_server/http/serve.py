"""Serving with uvicorn."""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import Callable

import uvicorn
from django.conf import settings

from mcp_server.configuration import MAX_PORT
from mcp_server.http import connections

MAX_WORKERS = 1_000


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


def address() -> tuple[str, int]:
    """Where to listen: HOST and PORT of the environment. Raises CannotServe where one is none."""
    return os.environ.get("HOST", "127.0.0.1").strip(), number("PORT", 8000, most=MAX_PORT)


def number(variable: str, default: int, *, most: int) -> int:
    """A whole number from 1 to `most`, from the environment. Raises CannotServe."""
    text = os.environ.get(variable, str(default)).strip()
    if not (text.isascii() and text.isdigit() and len(text) <= len(str(most)) and 1 <= int(text) <= most):
        raise CannotServe(f"{variable} is {text!r}: set it to a whole number from 1 to {most}")
    return int(text)


def url(host: str, port: int) -> str:
    """The address of the server, without a slash at its end."""
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


class Server(uvicorn.Server):
    """A uvicorn server that calls `on_ready` once it accepts connections."""

    def __init__(self, config: uvicorn.Config, on_ready: Callable[[], None]) -> None:
        super().__init__(config)
        self.on_ready = on_ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            self.on_ready()


def require_free(host: str, port: int) -> None:
    """Raise CannotServe, before anything is made, where the address is taken or not ours."""
    if not host:
        raise CannotServe("HOST is empty: set it to an address of this machine, such as 127.0.0.1, or 0.0.0.0 for all")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except (OSError, UnicodeError, TypeError) as error:  # a name that no encoding fits is a TypeError
            if isinstance(error, OSError) and error.errno == errno.EADDRINUSE:
                raise CannotServe(
                    f"port {port} is taken: stop what listens there, or choose another with PORT="
                ) from None
            reason = getattr(error, "strerror", None) or "it is no name of a host"
            raise CannotServe(f"can't listen on {host}:{port}: {reason}; choose another with HOST= and PORT=") from None


def serve(host: str, port: int, on_ready: Callable[[], None]) -> None:
    """Serve in this process until SIGINT or SIGTERM; `on_ready` is called when connections are accepted.

    Raises CannotServe where the application does not start; the log has said why.
    """
    server = Server(uvicorn.Config(application(), host=host, port=port, **connections.UVICORN_OPTIONS), on_ready)
    server.run()
    if not server.started:
        raise CannotServe("the application did not start; the log above says why")
