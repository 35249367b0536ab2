"""A client that is written by hand, so that each request can be made wrong."""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

import httpx2

from mcp_server.sign_in import clients
from tests.support import raw
from tests.support.processes import Process
from tests.support.raw import message
from tests.support.visitors import Visitor

BACK = "http://127.0.0.1:1/callback"


@dataclass
class Program:
    """A public client of the shop."""

    shop: Process
    id: str
    verifier: str = field(default_factory=lambda: secrets.token_urlsafe(48))

    @classmethod
    def registered(cls, shop: Process) -> Program:
        """Written into the database: an address may register so many in an hour, and there are more tests than that."""
        found = clients.register(json.dumps({"redirect_uris": [BACK], "client_name": "Test program"}).encode())
        return cls(shop, str(found.pk))

    def url(self, tenant: str = "acme", **other: str | None) -> str:
        """Where it sends its person; what is None is left out."""
        challenge = base64.urlsafe_b64encode(hashlib.sha256(self.verifier.encode()).digest()).rstrip(b"=").decode()
        asked = {
            "response_type": "code",
            "client_id": self.id,
            "redirect_uri": BACK,
            "state": "a state",
            "code_challenge": challenge,
            "code_challenge_method": "S256",
            "resource": self.shop.mcp(tenant),
            "scope": "products:read",
        } | other
        return f"{self.shop.url}/authorize?" + urlencode({k: v for k, v in asked.items() if v is not None})

    def code(self, visitor: Visitor, username: str, tenant: str = "acme", **other: str | None) -> str:
        """The code that it is told after its person has said yes."""
        visitor.open(self.url(tenant, **other)).sign_in(username).send(decision="allow")
        return visitor.told["code"]

    def exchange(self, code: str, /, **other: str) -> httpx2.Response:
        form = {"grant_type": "authorization_code", "code": code, "redirect_uri": BACK, "code_verifier": self.verifier}
        return self.post("token", form | other)

    def refresh(self, token: str, /, **other: str) -> httpx2.Response:
        return self.post("token", {"grant_type": "refresh_token", "refresh_token": token} | other)

    def revoke(self, token: str, /, **other: str) -> httpx2.Response:
        return self.post("revoke", {"token": token} | other)

    def tokens(self, visitor: Visitor, username: str, tenant: str = "acme", **other: str | None) -> dict[str, Any]:
        answer = self.exchange(self.code(visitor, username, tenant, **other))
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    def post(self, endpoint: str, form: dict[str, str]) -> httpx2.Response:
        return httpx2.post(f"{self.shop.url}/{endpoint}", data={"client_id": self.id} | form, timeout=raw.SOON)


def register(shop: Process, metadata: Any) -> httpx2.Response:
    return httpx2.post(f"{shop.url}/register", json=metadata, timeout=raw.SOON)


def listed(shop: Process, tenant: str, token: str) -> httpx2.Response:
    """The answer to tools/list."""
    sent = raw.headers(token, "2026-07-28", "tools/list") | {"Accept": raw.BOTH}
    return httpx2.post(shop.mcp(tenant), json=message("tools/list", {}, "2026-07-28"), headers=sent, timeout=raw.SOON)


def status(shop: Process, tenant: str, token: str) -> int:
    return listed(shop, tenant, token).status_code
