"""The port at which a process tells what it has counted.

Each process has its own: it knows no other's figures, and Prometheus adds them up (`sum by (name)`), as it does for
processes of other machines. The first is at the port of the setting, the next at the first free one after it.
"""

from __future__ import annotations

import errno
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from wsgiref.simple_server import WSGIServer

from django.core.exceptions import ImproperlyConfigured
from prometheus_client import start_http_server

from mcp_server.configuration import MAX_PORT

logger = logging.getLogger(__name__)

# How many processes of one machine may have one each.
MAX_PROCESSES = 64

# Where this process tells it; several servers of it share the port.
_told: list[tuple[str, int]] = []


@contextmanager
def at(host: str, port: int) -> Iterator[None]:
    """Within the block, GET answers with the figures. Raises ImproperlyConfigured: there is no port for it."""
    if _told:
        yield
        return
    server = _started(host, port)
    _told.append((host, server.server_port))
    shown = f"[{host}]" if ":" in host else host
    logger.info("metrics are told", extra={"metrics": f"http://{shown}:{server.server_port}/metrics"})
    try:
        yield
    finally:
        _told.clear()
        server.shutdown()
        server.server_close()


def _started(host: str, first: int) -> WSGIServer:
    ports = range(first, min(first + MAX_PROCESSES, MAX_PORT + 1))
    for port in ports:
        try:
            server, _ = start_http_server(port, host)
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise ImproperlyConfigured(
                    f"metrics can't be told at {host}:{port}: {error.strerror or error}; "
                    "set MCP_METRICS to another address"
                ) from None
        else:
            return server
    raise ImproperlyConfigured(
        f"metrics can't be told: ports {ports[0]} to {ports[-1]} of {host} are taken; set MCP_METRICS to another one"
    )
