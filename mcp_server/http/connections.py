"""HTTP connections: how long they stay open, and what cuts one off whose request never ends.

uvicorn waits for the end of a request's head forever, and takes one of any size; this protocol does neither. It knows
no Django, so that uvicorn's command line can name it too: `--http mcp_server.http.connections:Protocol`.
"""

from __future__ import annotations

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

# Seconds that a connection without a request stays open: clients in TypeScript come back to one after five.
KEEP_ALIVE_TIMEOUT = 75
# Seconds for the head of a request to arrive, and for the rest of a body whose request is answered already.
HEAD_TIMEOUT = 20.0
# Of the request line and the headers; trailers may have as much again.
MAX_HEAD_BYTES = 2**16

# What uvicorn is given, whoever starts it.
UVICORN_OPTIONS: dict[str, Any] = {
    "http": f"{__name__}:Protocol",
    "ws": "none",
    "timeout_keep_alive": KEEP_ALIVE_TIMEOUT,
    "log_config": None,
    "access_log": False,
}


class HeadTooLarge(Exception):
    """Said to the parser, which passes on an error of its own."""


class Protocol(HttpToolsProtocol):
    """uvicorn's protocol, with a limit to the time and to the size of a request's head."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._cut: asyncio.TimerHandle | None = None
        self._is_in_head, self._has_begun, self._is_too_large = True, False, False
        self._received = self._parsed = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as the base class has it
        super().connection_made(transport)
        self._wait()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_waiting()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._is_in_head:
            self._received += len(data)
            self._wait()
        super().data_received(data)
        # The parser's callbacks see no header before its end.
        if self._is_in_head and self._received > MAX_HEAD_BYTES and not self.transport.is_closing():
            self._refuse(431)

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._has_begun = True
        self._parsed = 0

    def on_url(self, url: bytes) -> None:
        super().on_url(url)
        self._count(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        super().on_header(name, value)
        self._count(name, value)

    def on_headers_complete(self) -> None:
        self._is_in_head = False
        self._received = self._parsed = 0
        self._stop_waiting()
        self._unset_keepalive_if_required()
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        super().on_message_complete()
        self._is_in_head, self._has_begun = True, False
        if self.cycle.response_complete:
            self._stop_waiting()
            self._keep_alive()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if self.cycle.more_body:
            self._wait()

    def send_400_response(self, msg: str) -> None:
        if self._is_too_large:
            self._refuse(431)
        else:
            super().send_400_response(msg)

    def _count(self, *parts: bytes) -> None:
        self._parsed += sum(map(len, parts))
        if self._parsed > MAX_HEAD_BYTES:
            self._is_too_large = True
            raise HeadTooLarge

    def _keep_alive(self) -> None:
        self._unset_keepalive_if_required()
        self.timeout_keep_alive_task = self.loop.call_later(self.timeout_keep_alive, self.timeout_keep_alive_handler)

    def _wait(self) -> None:
        if self._cut is None:
            self._cut = self.loop.call_later(HEAD_TIMEOUT, self._on_time)

    def _stop_waiting(self) -> None:
        if self._cut is not None:
            self._cut.cancel()
            self._cut = None

    def _on_time(self) -> None:
        self._cut = None
        if self.cycle is not None and not self.cycle.response_complete:
            self._wait()  # an answer is under way
        elif self._is_in_head and self._has_begun:
            self._refuse(408)
        elif not self.transport.is_closing():
            self.transport.close()

    def _refuse(self, status: int) -> None:
        self.transport.write(STATUS_LINE[status] + b"content-length: 0\r\nconnection: close\r\n\r\n")
        self.transport.close()
