"""Bearer tokens in requests, and how one that does not open an endpoint is refused (RFC 6750, sections 2.1 and 3)."""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from mcp_server import metrics

logger = logging.getLogger(__name__)

REALM = "mcp"
# Characters of a log line that whoever calls may choose.
MAX_SLUG_LENGTH = 100
TOKEN_PATTERN = re.compile(r"[A-Za-z0-9._~+/-]+=*")


@dataclass(frozen=True, slots=True)
class Challenge:
    """A refusal: the same for a tenant that exists and for one that does not."""

    status: int
    error: str
    description: str

    @property
    def header(self) -> str:
        """WWW-Authenticate."""
        return self.header_with({})

    def header_with(self, parameters: Mapping[str, str]) -> str:
        """The same with more parameters. Who shows no token is told no error code (RFC 6750, section 3.1)."""
        said = {} if self is TOKEN_MISSING else {"error": self.error, "error_description": self.description}
        told = {"realm": REALM, **said, **parameters}
        return "Bearer " + ", ".join(f'{name}="{value}"' for name, value in told.items())

    @property
    def body(self) -> dict[str, str]:
        """The same in JSON."""
        return {"error": self.error, "error_description": self.description}


TOKEN_MISSING = Challenge(401, "unauthorized", "This address needs a token. Send it as Authorization: Bearer <token>.")
TOKEN_INVALID = Challenge(
    401, "invalid_token", "This token does not open this address: it is unknown, expired, revoked, or made for another."
)
HEADER_MALFORMED = Challenge(
    400, "invalid_request", "Send one Authorization header with one token in it: Authorization: Bearer <token>."
)
SCOPE_INSUFFICIENT = Challenge(
    403, "insufficient_scope", "This token is good and has no scope of this address. Ask for a token that has one."
)
ISSUER_UNAVAILABLE = Challenge(
    503, "temporarily_unavailable", "Whether this token is good can't be found out now: its issuer does not answer."
)


def log_refusal(challenge: Challenge, slug: str) -> None:
    """One line for a caller who was refused at the URL with this slug, '' for the platform's; never with the token."""
    metrics.refused(challenge.error)
    facts = {"tenant": slug[:MAX_SLUG_LENGTH] or "platform", "status": challenge.status, "reason": challenge.error}
    logger.info("a caller was refused", extra=facts)


def token_in(authorization: Sequence[str]) -> str | Challenge:
    """The token in the values of the Authorization headers of a request, or why there is none."""
    if len(authorization) > 1:
        return HEADER_MALFORMED
    scheme, _, token = "".join(authorization).strip().partition(" ")
    if scheme.lower() != "bearer":
        return TOKEN_MISSING
    token = token.strip()
    if not token or re.search(r"[\s,]", token):
        return HEADER_MALFORMED
    return token if TOKEN_PATTERN.fullmatch(token) else TOKEN_INVALID
