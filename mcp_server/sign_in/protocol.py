"""OAuth 2.1 by authlib: the authorization code with PKCE, refresh with rotation, revocation. What is kept is consents'.

Clients are public ones alone. authlib has no types, so what derives from it is checked no further.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from authlib.integrations.django_oauth2 import AuthorizationServer, RevocationEndpoint
from authlib.integrations.django_oauth2.requests import DjangoOAuth2Payload
from authlib.oauth2 import OAuth2Error
from authlib.oauth2.rfc6749 import InvalidGrantError, InvalidRequestError, OAuth2Request
from authlib.oauth2.rfc6749.grants import AuthorizationCodeGrant, RefreshTokenGrant
from authlib.oauth2.rfc7636 import CodeChallenge
from django.http import HttpRequest

from mcp_server.sign_in import addresses, consents, places
from mcp_server.sign_in.models import Client, Consent

GRANT_TYPES = ("authorization_code", "refresh_token")
RESPONSE_TYPES = ("code",)
# How a client authenticates: not at all.
AUTH_METHODS = ("none",)
CHALLENGE_METHODS = ("S256",)


class InvalidTarget(OAuth2Error):  # type: ignore[misc]  # has no types
    """The resource is none of ours, or not the one that was allowed (RFC 8707, 2)."""

    error = "invalid_target"


class Asked(OAuth2Request):  # type: ignore[misc]  # has no types
    """A request as authlib asks it. Whether it came over TLS is told by the address of this server: behind a proxy the
    request itself need not know. Raises InsecureTransportError: it did not, and not from this machine either.
    """

    def __init__(self, request: HttpRequest) -> None:
        self.root = places.issuer(request)
        super().__init__(request.method, f"{self.root}{request.path}", headers=request.headers)
        self.payload = DjangoOAuth2Payload(request)
        self._request = request

    @property
    def args(self) -> Any:
        return self._request.GET

    @property
    def form(self) -> Any:
        return self._request.POST


@dataclass(frozen=True, slots=True)
class Registered:
    """A client as authlib asks it."""

    row: Client

    def get_client_id(self) -> str:
        return str(self.row.pk)

    def get_default_redirect_uri(self) -> str | None:
        """None: the address is always named (OAuth 2.1, 4.1.1, for a client with several)."""
        return None

    def get_allowed_scope(self, scope: str | None) -> str:
        """What it asks for: what it is given is for the person to say."""
        return scope or ""

    def check_redirect_uri(self, redirect_uri: str) -> bool:
        return any(addresses.is_same(redirect_uri, each) for each in self.row.redirect_uris)

    def check_endpoint_auth_method(self, method: str, endpoint: str) -> bool:
        return method in AUTH_METHODS

    def check_response_type(self, response_type: str) -> bool:
        return response_type in RESPONSE_TYPES

    def check_grant_type(self, grant_type: str) -> bool:
        return grant_type in GRANT_TYPES


@dataclass(frozen=True, slots=True)
class Given:
    """A consent as authlib asks it."""

    row: Consent
    code_challenge_method: str = "S256"

    @property
    def code_challenge(self) -> str:
        return self.row.code_challenge

    def get_redirect_uri(self) -> str:
        return self.row.redirect_uri

    def get_scope(self) -> str:
        return " ".join(self.row.scopes)

    def check_client(self, client: Registered) -> bool:
        return self.row.client_id == client.row.pk


class Challenge(CodeChallenge):  # type: ignore[misc]  # has no types
    """PKCE by S256, and nothing else."""

    DEFAULT_CODE_CHALLENGE_METHOD = "S256"
    SUPPORTED_CODE_CHALLENGE_METHOD = list(CHALLENGE_METHODS)

    def validate_code_challenge(self, grant: Any, redirect_uri: Any) -> None:
        super().validate_code_challenge(grant, redirect_uri)
        asked = grant.request.payload.data
        if not asked.get("code_challenge") or asked.get("code_challenge_method") not in CHALLENGE_METHODS:
            raise InvalidRequestError("Send a code_challenge, and code_challenge_method=S256 (RFC 7636).")


class ByCode(AuthorizationCodeGrant):  # type: ignore[misc]  # has no types
    """A person is asked, and the client exchanges the code that it is told."""

    TOKEN_ENDPOINT_AUTH_METHODS = list(AUTH_METHODS)

    def validate_requested_scope(self) -> None:
        """At the beginning of a request, here: which tenant's URL it is for. Scopes are for the person to give."""
        request = self.request
        named = request.payload.datalist.get("resource", [])
        place = places.find(named[0], request.root) if len(named) == 1 else None
        if place is None:
            raise InvalidTarget("Send one resource, the URL of a tenant of this server (RFC 8707).")
        request.place = place

    def save_authorization_code(self, code: Any, request: Any) -> None:
        """The code was made when the consent was kept: see `generate_authorization_code`."""

    def generate_authorization_code(self) -> str:
        request = self.request
        return consents.give(
            client=request.client.row,
            user=request.user,
            resource=request.payload.data["resource"],
            scopes=request.chosen,
            redirect_uri=request.payload.redirect_uri,
            challenge=request.payload.data["code_challenge"],
        )

    def query_authorization_code(self, code: str, client: Registered) -> Given | None:
        found = consents.of_code(code)
        return Given(found) if found is not None and found.client_id == client.row.pk else None

    def authenticate_user(self, authorization_code: Given) -> Any:
        return _user(self.request, authorization_code)

    def delete_authorization_code(self, authorization_code: Given) -> None:
        """It is kept, so that it is known when it is shown again."""


class ByRefreshToken(RefreshTokenGrant):  # type: ignore[misc]  # has no types
    """A client exchanges its refresh token, which is good once."""

    TOKEN_ENDPOINT_AUTH_METHODS = list(AUTH_METHODS)
    INCLUDE_NEW_REFRESH_TOKEN = True

    def authenticate_refresh_token(self, refresh_token: str) -> Given | None:
        found = consents.of_refresh_token(refresh_token)
        return Given(found) if found is not None else None

    def authenticate_user(self, refresh_token: Given) -> Any:
        return _user(self.request, refresh_token)

    def revoke_old_credential(self, refresh_token: Given) -> None:
        """The new one has taken its place."""


class Revocation(RevocationEndpoint):  # type: ignore[misc]  # has no types
    """Ends a consent by either of its tokens (RFC 7009)."""

    CLIENT_AUTH_METHODS = list(AUTH_METHODS)

    def query_token(self, token_string: str, token_type_hint: str | None) -> Given | None:
        found = consents.of_token(token_string)
        return Given(found) if found is not None else None

    def revoke_token(self, token: Given, request: Any) -> None:
        consents.end(token.row, "its client has revoked it")


class Server(AuthorizationServer):  # type: ignore[misc]  # has no types
    """What answers at the endpoints of OAuth."""

    def __init__(self) -> None:
        super().__init__(Client, None)
        self.register_grant(ByCode, [Challenge(required=True)])
        self.register_grant(ByRefreshToken)
        self.register_endpoint(Revocation)

    def load_config(self, config: dict[str, Any]) -> None:
        """The settings of authlib are none of ours."""
        super().load_config({})

    def create_oauth2_request(self, request: HttpRequest) -> Asked:
        return Asked(request)

    def query_client(self, client_id: str) -> Registered | None:
        try:
            found = Client.objects.filter(pk=UUID(client_id)).first()
        except ValueError:
            return None
        return Registered(found) if found is not None else None

    def create_bearer_token_generator(self) -> Any:
        return _answer

    def save_token(self, token: dict[str, Any], request: Any) -> None:
        """Make the tokens, and put them into the answer. Raises InvalidGrantError."""
        given: Given = request.authorization_code or request.refresh_token
        exchange = consents.begin if request.authorization_code else consents.renew
        try:
            tokens = exchange(given.row, request.place, token["scope"].split())
        except consents.Ended as error:
            raise InvalidGrantError(
                "It was exchanged or revoked, or the person may do nothing of it any more."
            ) from error
        scope = " ".join(sorted(tokens.scopes))
        token |= {"access_token": tokens.access, "refresh_token": tokens.refresh, "scope": scope}


def _answer(*, scope: str, **of: Any) -> dict[str, Any]:
    """Of a token that is not made yet: see `Server.save_token`."""
    return {
        "token_type": "Bearer",
        "expires_in": int(consents.ACCESS_LIFETIME.total_seconds()),
        "scope": scope,
    }


def _user(request: Any, given: Given) -> Any:
    """Whose consent it is, if the request is for its resource; None where there is no such person or place any more."""
    named: Collection[str] = request.payload.datalist.get("resource", [])
    if not all(places.is_same(each, given.row.resource) for each in named):
        raise InvalidTarget("The resource is another one than the person has allowed (RFC 8707).")
    place = places.find(given.row.resource, request.root)
    if place is None or place.tenant_id is None or not given.row.user.is_active:
        return None
    request.place = place
    return given.row.user
