"""JSON from an issuer: over TLS, within limits of time and size, and never from where a redirect leads."""

from __future__ import annotations

import asyncio
import functools
import ssl
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

import httpx2
from pydantic_core import from_json

# Seconds for one answer, and its bytes.
TIMEOUT = 5.0
MAX_BYTES = 2**19
# Of this process, to all issuers.
MAX_CONNECTIONS = 20
LOOPBACK_HOSTS = frozenset({"localhost", "127.0.0.1", "::1"})


class Unavailable(Exception):
    """An issuer does not answer, or not with what it should: whether a token is good is not known now."""


def is_loopback(url: str) -> bool:
    """Whether a URL is of this machine."""
    return urlsplit(url).hostname in LOOPBACK_HOSTS


def is_secure(url: str) -> bool:
    """Whether what a URL answers with can be believed: it is https, or http to this machine."""
    parts = urlsplit(url)
    return bool(parts.hostname) and (parts.scheme == "https" or (parts.scheme == "http" and is_loopback(url)))


async def fetched(
    url: str, *, form: Mapping[str, str] | None = None, client: tuple[str, str] | None = None
) -> dict[str, Any] | None:
    """The object that a GET is answered with, or a POST of `form` as `client`; None where the answer is 404.

    Raises Unavailable.
    """
    if not is_secure(url):
        raise Unavailable(f"{url}: it is no https URL")
    try:
        async with asyncio.timeout(TIMEOUT), _connections():
            status, body = await _answer(url, form, client)
    except (httpx2.HTTPError, httpx2.InvalidURL, TimeoutError, OSError) as error:
        raise Unavailable(f"{url}: {type(error).__name__}") from error
    if status == 404:
        return None
    if status != 200:
        raise Unavailable(f"{url}: status {status}")
    try:
        found = from_json(body)
    except ValueError as error:
        raise Unavailable(f"{url}: no JSON") from error
    if not isinstance(found, dict):
        raise Unavailable(f"{url}: no JSON object")
    return found


async def _answer(url: str, form: Mapping[str, str] | None, client: tuple[str, str] | None) -> tuple[int, bytes]:
    body = b""
    method, accepts = ("GET" if form is None else "POST"), {"Accept": "application/json", "Accept-Encoding": "identity"}
    async with (
        httpx2.AsyncClient(verify=_certificates(), timeout=TIMEOUT, follow_redirects=False) as opened,
        opened.stream(method, url, data=form, auth=client, headers=accepts) as answer,
    ):
        async for chunk in answer.aiter_bytes():
            body += chunk
            if len(body) > MAX_BYTES:
                raise Unavailable(f"{url}: more than {MAX_BYTES} bytes")
        return answer.status_code, body


@functools.lru_cache
def _certificates() -> ssl.SSLContext:
    # To read them takes some milliseconds, in which the event loop would do nothing else.
    return ssl.create_default_context()


_limits: dict[asyncio.AbstractEventLoop, asyncio.Semaphore] = {}


def _connections() -> asyncio.Semaphore:
    """Of this event loop: a semaphore that was waited for belongs to one."""
    loop = asyncio.get_running_loop()
    if loop not in _limits:
        _limits.clear()
        _limits[loop] = asyncio.Semaphore(MAX_CONNECTIONS)
    return _limits[loop]
