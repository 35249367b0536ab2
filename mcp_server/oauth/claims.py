"""What a token that is believed says of its bearer."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from mcp_server.texts import is_storable

# By which people know somebody, best first.
NAME_CLAIMS = ("preferred_username", "email", "name", "username", "client_id", "azp", "sub")
# Characters of a name in logs and audit rows, and of an id.
MAX_NAME_LENGTH = 100
MAX_SUBJECT_LENGTH = 255


@dataclass(frozen=True, slots=True)
class Reading:
    """How the claims of a project's issuers are read.

    Args:
        tenant_claim: the claim with the tenants of the bearer: a slug, a list of them, or an object with them as its
            names; '' where the audience alone says which tenant a token is for.
        scope_claims: those with what the bearer may do: a text of words, or a list.
        scopes: what a word stands for, where it is not the name of a scope.
    """

    tenant_claim: str = ""
    scope_claims: Collection[str] = ("scope", "scp")
    scopes: Mapping[str, Collection[str]] | None = field(default=None)

    def is_of(self, claims: Mapping[str, Any], slug: str) -> bool:
        """Whether the bearer belongs to a tenant."""
        if not self.tenant_claim:
            return True
        found = claims.get(self.tenant_claim)
        return found == slug if isinstance(found, str) else isinstance(found, list | dict) and slug in found

    def scopes_in(self, claims: Mapping[str, Any]) -> frozenset[str]:
        """What the bearer may do, as scopes."""
        words = {word for name in self.scope_claims for word in _words(claims.get(name))}
        if self.scopes is None:
            return frozenset(words)
        return frozenset(str(scope) for word in words for scope in self.scopes.get(word, ()))

    def words_for(self, scopes: Collection[str]) -> list[str]:
        """What to ask an issuer for, to be granted some of these scopes."""
        if self.scopes is None:
            return sorted(scopes)
        return sorted(word for word, granted in self.scopes.items() if not set(map(str, granted)).isdisjoint(scopes))


def subject(claims: Mapping[str, Any]) -> str | None:
    """The id of the bearer at its issuer; None where the token has none that can be kept."""
    found = claims.get("sub") or claims.get("client_id")
    is_usable = isinstance(found, str) and 0 < len(found) <= MAX_SUBJECT_LENGTH and is_storable(found)
    return found if is_usable else None


def name(claims: Mapping[str, Any]) -> str:
    """What people call the bearer, on one line."""
    for claim in NAME_CLAIMS:
        found = claims.get(claim)
        words = re.sub(r"[\s\x00-\x1f\x7f]+", " ", found).strip() if isinstance(found, str) else ""
        if words and is_storable(words):
            return words[:MAX_NAME_LENGTH]
    return "somebody"


def _words(found: object) -> list[str]:
    if isinstance(found, str):
        return found.split()
    return [each for each in found if isinstance(each, str)] if isinstance(found, list) else []
