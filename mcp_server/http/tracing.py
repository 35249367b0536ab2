"""By which id a request is spoken of, and where it comes from, for every record that it causes."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import cast

from starlette.types import Scope

# What a proxy or a client may call its request, as wide as the ledger's column; of anything else nothing is kept.
REQUEST_ID = re.compile(rb"[\w.:/+=~-]{1,64}")
REQUEST_ID_HEADER = b"x-request-id"
# Where the scope of a request has its trace.
TRACE_KEY = "mcp_server.trace"


@dataclass(frozen=True, slots=True)
class Trace:
    """The id of a request, and the address that it comes from, as the server knows it: behind a proxy that it trusts,
    the one in X-Forwarded-For; '' at a UNIX socket.
    """

    request_id: str
    address: str

    @classmethod
    def of(cls, scope: Scope) -> Trace:
        """That of a request over HTTP. An id that the request brings (X-Request-ID) is kept, otherwise it gets one;
        what the scope knows already (TRACE_KEY) stays.
        """
        if (known := scope.get(TRACE_KEY)) is not None:
            return cast(Trace, known)
        given = next((value for name, value in scope["headers"] if name == REQUEST_ID_HEADER), b"")
        request_id = given.decode() if REQUEST_ID.fullmatch(given) else os.urandom(8).hex()
        client = scope.get("client")
        return cls(request_id, str(client[0]) if client else "")


_current: ContextVar[Trace | None] = ContextVar("mcp_trace", default=None)


def current() -> Trace | None:
    """That of the request which is being answered; None outside of one, as over stdio."""
    return _current.get()


@contextmanager
def tracing(trace: Trace) -> Iterator[None]:
    """Within the block, what is logged is of this request."""
    token = _current.set(trace)
    try:
        yield
    finally:
        _current.reset(token)
