"""By which id a request is spoken of, and whose it is, for every log record that it causes."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

from starlette.types import Scope

# What a proxy or a client may call its request; of anything else nothing is kept.
REQUEST_ID = re.compile(rb"[\w.:/+=~-]{1,128}")
REQUEST_ID_HEADER = b"x-request-id"


@dataclass(frozen=True, slots=True)
class Trace:
    """The id of a request, and the address of its client as the server knows it: behind a proxy that it trusts, the one
    in X-Forwarded-For; '' at a UNIX socket.
    """

    request_id: str
    client: str

    @classmethod
    def of(cls, scope: Scope) -> Trace:
        """That of a request over HTTP. An id that the request brings (X-Request-ID) is kept, otherwise it gets one."""
        given = next((value for name, value in scope["headers"] if name == REQUEST_ID_HEADER), b"")
        request_id = given.decode() if REQUEST_ID.fullmatch(given) else os.urandom(8).hex()
        client = scope.get("client")
        return cls(request_id, client[0] if client else "")


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
