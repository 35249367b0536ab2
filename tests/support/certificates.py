"""What HTTP clients of the tests know of certificate authorities."""

from __future__ import annotations

import functools

import httpcore2


def read_authorities_once() -> None:
    """All clients of httpx2 in this process share one TLS context.

    Each client makes its own and reads every authority that the machine trusts, which takes 30 ms; the tests make
    thousands of clients, and send plain HTTP.
    """
    httpcore2.default_ssl_context = functools.cache(httpcore2.default_ssl_context)
