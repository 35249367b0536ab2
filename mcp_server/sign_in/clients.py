"""Registration of clients (RFC 7591): anybody may, as a public client, so what is registered is believed in nothing."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import BaseModel, Field, ValidationError

from mcp_server.sign_in import addresses
from mcp_server.sign_in.models import MAX_NAME_LENGTH, Client
from mcp_server.sign_in.protocol import AUTH_METHODS, GRANT_TYPES, RESPONSE_TYPES
from mcp_server.texts import is_storable

MAX_BYTES = 2**14
# What shows nothing, or turns round what stands beside it (Unicode, "General_Category" Cc, Cf and Z*).
UNSEEN = re.compile(r"[\s\x00-\x1f\x7f-\xa0\u00ad\u061c\u200b-\u200f\u2028-\u202f\u2060-\u206f\ufeff]+")


class Refused(Exception):
    """A client can't be registered like this: `code` and a description in ASCII (RFC 7591, 3.2.2)."""

    def __init__(self, code: str, description: str) -> None:
        super().__init__(description)
        self.code, self.description = code, description


class Registration(BaseModel):
    """What is read of the metadata of a client; what else it says is not kept."""

    redirect_uris: Annotated[list[str], Field(min_length=1, max_length=10)]
    client_name: str | None = None
    grant_types: list[str] | None = None
    response_types: list[str] | None = None


def register(body: bytes) -> Client:
    """Keep a client. Raises Refused."""
    if len(body) > MAX_BYTES:
        raise Refused("invalid_client_metadata", f"The metadata has more than {MAX_BYTES} bytes. Send less.")
    try:
        asked = Registration.model_validate_json(body)
    except ValidationError as error:
        named = ", ".join(sorted({str(part) for each in error.errors() for part in each["loc"][:1]})) or "the body"
        is_about_addresses = named == "redirect_uris"
        code = "invalid_redirect_uri" if is_about_addresses else "invalid_client_metadata"
        said = named if named.isascii() and named.isprintable() else "the body"
        raise Refused(code, f"Send a JSON object (RFC 7591, section 2); mend {said}.") from error
    if not all(map(addresses.is_allowed, asked.redirect_uris)):
        raise Refused(
            "invalid_redirect_uri",
            "Write each of redirect_uris with https, or with http and localhost, 127.0.0.1 or [::1]; no fragment.",
        )
    if asked.grant_types is not None and "authorization_code" not in asked.grant_types:
        raise Refused("invalid_client_metadata", "Name authorization_code in grant_types, or leave them out.")
    if asked.response_types is not None and "code" not in asked.response_types:
        raise Refused("invalid_client_metadata", "Name code in response_types, or leave them out.")
    return Client.objects.create(name=shown_name(asked.client_name or ""), redirect_uris=asked.redirect_uris)


def facts(client: Client) -> dict[str, object]:
    """What a client is told of itself. It has no secret, whatever it has asked for (RFC 7591, 3.2.1)."""
    return {
        "client_id": str(client.pk),
        "client_id_issued_at": int(client.created_at.timestamp()),
        "client_name": client.name,
        "redirect_uris": client.redirect_uris,
        "grant_types": list(GRANT_TYPES),
        "response_types": list(RESPONSE_TYPES),
        "token_endpoint_auth_method": AUTH_METHODS[0],
    }


def shown_name(name: str) -> str:
    """What a client calls itself, on one line and in its own direction."""
    found = UNSEEN.sub(" ", name).strip() if is_storable(name) else ""
    return found[:MAX_NAME_LENGTH].strip() or "MCP client"
