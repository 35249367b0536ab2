"""`ResourceServer`: whoever shows a token that an issuer has made for this tenant's URL.

# Note [Which tenant a token is for]
A token says whom it was made for (`aud`). Where an issuer is asked for a token with the tenant's URL as its resource
(RFC 8707), that is the URL, and the token opens no other tenant. Where an issuer knows one audience for all tenants, a
claim has to name those of the bearer: without it, a token of one tenant's user would open every tenant.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from starlette.requests import HTTPConnection

from mcp_server import workers
from mcp_server.http import authentication, bearer, metadata
from mcp_server.http.authentication import Advertised, Refused, by_token
from mcp_server.http.bearer import Challenge
from mcp_server.oauth import claims, signed
from mcp_server.oauth.claims import Reading
from mcp_server.oauth.fetching import Unavailable
from mcp_server.oauth.introspection import Introspection
from mcp_server.oauth.issuers import Issuer
from mcp_server.oauth.keys import Keys
from mcp_server.principals import Principal
from mcp_server.tokens import resolver

logger = logging.getLogger(__name__)


class ResourceServer(Advertised):
    """An `Authenticate`: OAuth 2.1 at the tenants' URLs (MCP specification, "Authorization").

    Args:
        issuers: whose tokens are taken, each as its URL or an Issuer. Clients are told of them, the first first.
        audience: what a token's `aud` is, where it is not the tenant's URL; then `tenant_claim` is needed. See Note
            [Which tenant a token is for].
        tenant_claim, scope_claims, scopes: how the claims are read, see mcp_server.oauth.claims.Reading.
        tokens: whether those of `manage.py tokens` are taken too. At the platform's URL nothing else is.

    Raises ImproperlyConfigured: there is no issuer, two have one URL, an audience comes without `tenant_claim`, or more
    than one issuer is asked about tokens that name none.
    """

    def __init__(
        self,
        *issuers: Issuer | str,
        audience: str = "",
        tenant_claim: str = "",
        scope_claims: Collection[str] = ("scope", "scp"),
        scopes: Mapping[str, Collection[str]] | None = None,
        tokens: bool = True,
    ) -> None:
        self.issuers = [Issuer(each) if isinstance(each, str) else each for each in issuers]
        _refuse(self.issuers, audience, tenant_claim)
        self.reading = Reading(tenant_claim, tuple(scope_claims), scopes)
        self._audience, self._tokens = audience, tokens
        self._signing = {each.url: Keys(each) for each in self.issuers if each.client is None}
        self._asked = {each.url: Introspection(each) for each in self.issuers if each.client is not None}

    async def __call__(self, connection: HTTPConnection, slug: str) -> Principal | None:
        """Whoever shows a good token; asked at most once a second (see mcp_server.http.kept).

        Raises Refused: it is good and allows nothing here, or its issuer does not answer.
        """
        token = bearer.token_in(connection.headers.getlist("Authorization"))
        if isinstance(token, Challenge):
            return None
        if not slug or (self._tokens and token.startswith((resolver.TENANT_PREFIX, resolver.PLATFORM_PREFIX))):
            return await by_token(connection, slug)
        find = partial(self._find, connection, slug, token)
        # The URL too: one process may be reached under several.
        key = (slug, metadata.url(connection), resolver.digest(token))
        return await authentication.kept(connection).get(key, find)

    def parameters(self, connection: HTTPConnection) -> Mapping[str, str]:
        """Where a client reads which issuers there are (RFC 9728, 5.1), and what it should ask them for."""
        if not connection.path_params.get("tenant"):
            return {}
        scopes = self.reading.words_for(authentication.server_scopes(connection))
        found = {"resource_metadata": metadata.metadata_url(connection), "scope": " ".join(scopes)}
        return {name: value for name, value in found.items() if value}

    def metadata(self, url: str, name: str, scopes: Collection[str]) -> dict[str, Any]:
        """The metadata of a protected resource (RFC 9728, 2)."""
        return {
            "resource": url,
            "resource_name": name,
            "authorization_servers": [each.url for each in self.issuers],
            "scopes_supported": self.reading.words_for(scopes),
            "bearer_methods_supported": ["header"],
        }

    async def _find(self, connection: HTTPConnection, slug: str, token: str) -> Principal | None:
        audiences = [self._audience] if self._audience else metadata.spellings(metadata.url(connection))
        try:
            said = await self._claims(token, audiences)
        except Unavailable as error:
            logger.warning("a token could not be checked", extra={"why": str(error)})
            raise Refused(bearer.ISSUER_UNAVAILABLE) from error
        if said is None or not self.reading.is_of(said[1], slug) or (subject := claims.subject(said[1])) is None:
            return None
        issuer, facts = said
        tenant = await workers.run(resolver.open_endpoint, slug)
        if tenant is None:
            return None
        scopes = self.reading.scopes_in(facts)
        known = authentication.every_scope(connection)
        if known and scopes.isdisjoint(known):
            raise Refused(bearer.SCOPE_INSUFFICIENT)
        return replace(tenant, name=claims.name(facts), id=f"{subject} {issuer}", scopes=scopes & known)

    async def _claims(self, token: str, audiences: Collection[str]) -> tuple[str, Mapping[str, Any]] | None:
        """Who has made a token, and what it says."""
        issuer = signed.issuer_in(token)
        if issuer in self._signing:
            found = await signed.claims(token, self._signing[issuer], audiences)
        elif issuer in self._asked:
            found = await self._asked[issuer].claims(token, audiences)
        elif issuer is None and self._asked:
            [(issuer, asked)] = self._asked.items()
            found = await asked.claims(token, audiences)
        else:
            return None
        return None if found is None or issuer is None else (issuer, found)


def _refuse(issuers: list[Issuer], audience: str, tenant_claim: str) -> None:
    if not issuers:
        raise ImproperlyConfigured('a ResourceServer has an issuer: ResourceServer("https://login.example.com")')
    if len({each.url for each in issuers}) < len(issuers):
        raise ImproperlyConfigured("two issuers of a ResourceServer have one URL; write each once")
    if audience and not tenant_claim:
        raise ImproperlyConfigured(
            f"ResourceServer(audience={audience!r}): a token for it would open every tenant; write "
            'tenant_claim="...", the claim that names the tenants of its bearer'
        )
    if sum(each.client is not None for each in issuers) > 1:
        raise ImproperlyConfigured("a token that names no issuer is asked for at one; give one Issuer alone a client")
