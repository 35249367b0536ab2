"""An identity provider over HTTP: it signs tokens, tells its keys, answers about tokens, and registers clients."""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any
from urllib.parse import parse_qs, unquote_plus, urlencode, urlsplit

import jwt
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key as generate_rsa_key
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

CLIENT = ("resource server", "a secret: with/odd+characters")
AUTHORIZATION_SERVER = "/.well-known/oauth-authorization-server"


class Identities:
    """What an issuer knows and says. `hits` counts the requests to each of its paths."""

    def __init__(self, keys_from: int = 1) -> None:
        self.url = ""
        self.hits: Counter[str] = Counter()
        self.is_down = False
        self.metadata_path = AUTHORIZATION_SERVER
        self.more_metadata: dict[str, Any] = {}
        self.keys: dict[str, Any] = {}
        self.good: dict[str, dict[str, Any]] = {}
        self.clients: dict[str, dict[str, Any]] = {}
        self.codes: dict[str, dict[str, str]] = {}
        self.next_key = keys_from
        self.rotate("first")

    def rotate(self, kid: str) -> None:
        """From now on sign with a new key, and tell no other."""
        self.keys = {kid: rsa_key(self.next_key)}
        self.next_key += 1

    def token(
        self,
        audience: str | list[str] | None,
        scope: str = "",
        *,
        kid: str | None = None,
        key: Any = None,
        algorithm: str = "RS256",
        typ: str = "at+jwt",
        header: dict[str, Any] | None = None,
        **claims: Any,
    ) -> str:
        """An access token (RFC 9068); a claim that is given as None is left out."""
        now = int(time.time())
        facts = {"iss": self.url, "sub": "ada", "aud": audience, "scope": scope, "iat": now, "exp": now + 300}
        known = next(iter(self.keys))
        head = {"kid": known if kid is None else kid, "typ": typ} | (header or {})
        payload = {name: value for name, value in (facts | claims).items() if value is not None}
        return jwt.encode(payload, self.keys[known] if key is None else key, algorithm, headers=head)

    def opaque(self, audience: str, scope: str, **claims: Any) -> str:
        """A token that only the issuer can read."""
        token = secrets.token_urlsafe()
        facts = {"active": True, "sub": "ada", "aud": audience, "scope": scope, "exp": int(time.time()) + 300}
        self.good[token] = facts | claims
        return token

    def jwks(self) -> dict[str, Any]:
        """Its public keys."""
        return {"keys": [_public(key) | {"kid": kid, "use": "sig"} for kid, key in self.keys.items()]}

    def metadata(self) -> dict[str, Any]:
        """What it says of itself (RFC 8414)."""
        return {
            "issuer": self.url,
            "jwks_uri": f"{self.url}/jwks",
            "introspection_endpoint": f"{self.url}/introspect",
            "authorization_endpoint": f"{self.url}/authorize",
            "token_endpoint": f"{self.url}/token",
            "registration_endpoint": f"{self.url}/register",
            "response_types_supported": ["code"],
            "grant_types_supported": ["authorization_code", "refresh_token"],
            "code_challenge_methods_supported": ["S256"],
            "token_endpoint_auth_methods_supported": ["none"],
        } | self.more_metadata

    def registered(self, metadata: dict[str, Any]) -> dict[str, Any]:
        """A client that has introduced itself (RFC 7591)."""
        client = {"client_id": secrets.token_hex(8), **metadata, "token_endpoint_auth_method": "none"}
        self.clients[client["client_id"]] = client
        return client

    def agreed(self, asked: dict[str, str]) -> str:
        """Where the browser of a person is sent who agrees to what a client asks for."""
        assert asked["redirect_uri"] in self.clients[asked["client_id"]]["redirect_uris"]
        code = secrets.token_hex(8)
        self.codes[code] = asked
        return f"{asked['redirect_uri']}?{urlencode({'code': code, 'state': asked['state'], 'iss': self.url})}"

    def exchanged(self, form: dict[str, str]) -> dict[str, Any] | None:
        """The token for a code, whose client proves that it has asked for it (RFC 7636)."""
        asked = self.codes.pop(form.get("code", ""), None)
        proof = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
        if asked is None or asked["code_challenge"] != base64.urlsafe_b64encode(proof).rstrip(b"=").decode():
            return None
        token = self.token(form["resource"], asked.get("scope", ""), client_id=asked["client_id"])
        return {"access_token": token, "token_type": "Bearer", "expires_in": 300, "scope": asked.get("scope", "")}

    def introspected(self, token: str) -> dict[str, Any]:
        """Whether a token is good (RFC 7662)."""
        return self.good.get(token, {"active": False})


class Handler(BaseHTTPRequestHandler):
    """The requests to an issuer."""

    server: IssuerServer

    def do_GET(self) -> None:
        known, place = self._begun()
        if known.is_down:
            self._answer(500, {})
        elif place.path == known.metadata_path:
            self._answer(200, known.metadata())
        elif place.path == "/jwks":
            self._answer(200, known.jwks())
        elif place.path == "/large":
            self._answer(200, {"keys": ["x" * 2**20]})
        elif place.path == "/authorize":
            asked = {name: values[0] for name, values in parse_qs(place.query).items()}
            self._answer(302, {}, Location=known.agreed(asked))
        elif place.path == "/elsewhere":
            self._answer(302, {}, Location=f"{known.url}/jwks")
        else:
            self._answer(404, {})

    def do_POST(self) -> None:
        known, place = self._begun()
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        form = {name: values[0] for name, values in parse_qs(body).items()}
        if known.is_down:
            self._answer(500, {})
        elif place.path == "/register":
            self._answer(201, known.registered(json.loads(body)))
        elif place.path == "/token":
            found = known.exchanged(form)
            self._answer(200 if found else 400, found or {"error": "invalid_grant"})
        elif place.path == "/introspect" and self._client() == CLIENT:
            self._answer(200, known.introspected(form["token"]))
        else:
            self._answer(401, {})

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""

    def _begun(self) -> tuple[Identities, Any]:
        place = urlsplit(self.path)
        self.server.known.hits[place.path] += 1
        return self.server.known, place

    def _client(self) -> tuple[str, ...]:
        _, _, encoded = self.headers.get("Authorization", "").partition(" ")
        return tuple(map(unquote_plus, base64.b64decode(encoded).decode().split(":", 1)))

    def _answer(self, status: int, said: dict[str, Any], **headers: str) -> None:
        body = json.dumps(said).encode()
        self.send_response(status)
        for name, value in (headers | {"Content-Type": "application/json", "Content-Length": str(len(body))}).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)


class IssuerServer(ThreadingHTTPServer):
    """The HTTP server of an issuer."""

    known: Identities


@contextmanager
def issuing(keys_from: int = 1) -> Iterator[Identities]:
    """An issuer that answers on the loopback interface. Two that have to differ have keys from different numbers on."""
    with IssuerServer(("127.0.0.1", 0), Handler) as server:
        server.known = Identities(keys_from)
        server.known.url = f"http://127.0.0.1:{server.server_port}"
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield server.known
        finally:
            server.shutdown()
            thread.join()


@cache
def rsa_key(number: int) -> RSAPrivateKey:
    """A key for RS256, made once in this process; issuers have those from 1 on."""
    return generate_rsa_key(65537, 2048)


def elliptic_key() -> Any:
    """A key for ES256."""
    return generate_private_key(SECP256R1())


def _public(key: Any) -> dict[str, Any]:
    algorithm: Any = RSAAlgorithm if isinstance(key, RSAPrivateKey) else ECAlgorithm
    return dict(algorithm.to_jwk(key.public_key(), as_dict=True))
