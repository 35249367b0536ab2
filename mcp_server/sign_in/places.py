"""Which tenant's URL a client asks for a token for (RFC 8707), and what somebody may do there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, unquote
from uuid import UUID

from django.http import HttpRequest

from mcp_server import configuration
from mcp_server.app import MCP, mounted
from mcp_server.http.metadata import spellings
from mcp_server.sign_in.callers import SignIn
from mcp_server.texts import is_storable
from mcp_server.tokens import members, resolver
from mcp_server.tokens.members import Member, MemberNotFound


@dataclass(frozen=True, slots=True)
class Place:
    """The endpoint of a slug, whether there is such a tenant or not: then `tenant_id` is None."""

    mcp: MCP
    sign_in: SignIn
    slug: str
    tenant_id: UUID | None

    def member(self, user: Any) -> Member | None:
        """A user as a member of this tenant; None who is none, or not active. It is platform work."""
        if self.tenant_id is None:
            return None
        try:
            return members.get(self.tenant_id, user.get_username())
        except MemberNotFound:
            return None

    def scopes_of(self, member: Member | None) -> frozenset[str]:
        """What a member may do here at this moment; nothing for who is none."""
        if member is None:
            return frozenset()
        return self.mcp.scopes() if member.scopes is None else self.mcp.scopes() & member.scopes


def issuer(request: HttpRequest) -> str:
    """The address of this server, which is its name as an issuer."""
    return configuration.public_url() or f"{request.scheme}://{request.get_host()}"


def find(resource: str, root: str) -> Place | None:
    """The endpoint with this URL below the server's address; None where no server of ours has it."""
    for mcp in mounted():
        above = f"{root}{mcp.at}/"
        if not isinstance(mcp.authenticate, SignIn) or not resource.startswith(above):
            continue
        written = resource.removeprefix(above).removesuffix("/")
        slug = unquote(written)
        if slug and written == quote(slug, safe="") and is_storable(slug):
            return Place(mcp, mcp.authenticate, slug, resolver.active_tenant(slug))
    return None


def is_same(one: str, other: str) -> bool:
    """Whether two URLs are of one endpoint."""
    return one in spellings(other)
