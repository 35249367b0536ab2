"""The public keys of an issuer (RFC 7517): fetched when they are needed, again when they change, and not too often."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from typing import Any

import jwt

from mcp_server.oauth import issuers
from mcp_server.oauth.fetching import Unavailable, fetched
from mcp_server.oauth.issuers import Issuer

logger = logging.getLogger(__name__)

# Seconds after which keys are fetched again: a key that the issuer has withdrawn is good for so long.
KEYS_LIFETIME = 600.0
# The same where the issuer does not answer.
KEYS_LIFETIME_WITHOUT_ISSUER = 3600.0
# A token may name any key. So that it can't be used to fetch: so often at once, and then once in so many seconds.
MAX_FETCHES = 5
FETCH_INTERVAL = 10.0
MAX_KEYS = 100

# What a key must be that an algorithm takes (RFC 7518, 3.1; RFC 8037).
CURVES = {"ES256": "P-256", "ES384": "P-384", "ES512": "P-521", "EdDSA": "Ed25519"}
KINDS = {"R": "RSA", "P": "RSA", "E": "EC"}


class Keys:
    """The keys of one issuer. It is used in one event loop at a time."""

    def __init__(self, issuer: Issuer, clock: Callable[[], float] = time.monotonic) -> None:
        self.issuer = issuer
        self._clock = clock
        self._keys: list[dict[str, Any]] = []
        self._fetched_at: float | None = None
        self._fetching: asyncio.Task[None] | None = None
        self._fetches_left, self._counted_at = float(MAX_FETCHES), clock()

    async def find(self, kid: str | None, algorithm: str) -> jwt.PyJWK | None:
        """The key with this id, where it is one for the algorithm; without an id, the only one that is.

        Raises Unavailable: the issuer has to be asked, and does not answer.
        """
        if self._age() > KEYS_LIFETIME:
            await self._fetch_anew()
        if (found := self._known(kid, algorithm)) is None and self._may_fetch():
            await self._fetch()
            found = self._known(kid, algorithm)
        return found

    def _age(self) -> float:
        return float("inf") if self._fetched_at is None else self._clock() - self._fetched_at

    async def _fetch_anew(self) -> None:
        has_keys = self._age() <= KEYS_LIFETIME_WITHOUT_ISSUER
        if not self._may_fetch():
            if not has_keys:
                raise Unavailable(f"{self.issuer.url} was asked a moment ago")
            return
        try:
            await self._fetch()
        except Unavailable as error:
            if not has_keys:
                raise
            logger.warning("the keys of an issuer are old", extra={"why": str(error)})

    def _known(self, kid: str | None, algorithm: str) -> jwt.PyJWK | None:
        fitting = [each for each in self._keys if _fits(each, algorithm) and kid in (None, each.get("kid"))]
        if not fitting or (kid is None and len(fitting) > 1):
            return None
        try:
            return jwt.PyJWK(fitting[0], algorithm)
        except jwt.PyJWTError:
            return None

    def _may_fetch(self) -> bool:
        """Whether there is a fetch under way, or may be."""
        now = self._clock()
        earned = (now - self._counted_at) / FETCH_INTERVAL
        self._fetches_left, self._counted_at = min(self._fetches_left + earned, MAX_FETCHES), now
        return self._is_fetching() or self._fetches_left >= 1

    def _is_fetching(self) -> bool:
        task = self._fetching
        return task is not None and not task.done() and task.get_loop() is asyncio.get_running_loop()

    async def _fetch(self) -> None:
        """Fetch the keys, or wait for whoever does."""
        if not self._is_fetching():
            self._fetches_left -= 1
            self._fetching = asyncio.create_task(self._replace())
        assert self._fetching is not None
        # Whoever waits may hang up; the others go on waiting.
        await asyncio.shield(self._fetching)

    async def _replace(self) -> None:
        started = self._clock()
        facts = await issuers.metadata(self.issuer)
        found = await fetched(issuers.named(self.issuer, facts, "jwks_uri"))
        keys = found.get("keys") if found else None
        if not isinstance(keys, list):
            raise Unavailable(f"{self.issuer.url} has no keys")
        self._keys = [each for each in keys[:MAX_KEYS] if isinstance(each, dict)]
        self._fetched_at = started


def _fits(key: dict[str, Any], algorithm: str) -> bool:
    """Whether a key is one to verify with, for this algorithm."""
    kind = "OKP" if algorithm == "EdDSA" else KINDS[algorithm[0]]
    return (
        key.get("kty") == kind
        and key.get("use") in (None, "sig")
        and key.get("alg") in (None, algorithm)
        and (algorithm not in CURVES or key.get("crv") == CURVES[algorithm])
    )
