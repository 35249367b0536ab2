"""An issuer of tokens: what it says of itself (RFC 8414, OpenID Connect Discovery), and how its tokens are signed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from django.core.exceptions import ImproperlyConfigured

from mcp_server.oauth.fetching import Unavailable, fetched, is_loopback, is_secure

# Signed with a private key, which the issuer alone has: never with a secret, and never not at all (RFC 8725, 3.1-3.2).
ALGORITHMS = frozenset({"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"})


@dataclass(frozen=True, slots=True)
class Issuer:
    """Whose tokens are taken.

    Args:
        url: its identifier, the `iss` of its tokens, letter for letter.
        client: the id and the secret of a client that may ask whether a token is still good. Then each token is asked
            for (RFC 7662), at most once a second, and need not be a JWT; without it a JWT is good until it expires.
        algorithms: those of ALGORITHMS by which its tokens may be signed.

    Raises ImproperlyConfigured: the URL is not https, or an algorithm is none of them.
    """

    url: str
    client: tuple[str, str] | None = None
    algorithms: frozenset[str] = ALGORITHMS

    def __post_init__(self) -> None:
        parts = urlsplit(self.url)
        if not is_secure(self.url) or parts.query or parts.fragment:
            raise ImproperlyConfigured(
                f"the issuer {self.url!r} is no https URL without query and fragment (RFC 8414, section 2); write the "
                '`issuer` of its metadata, as "https://login.example.com/realms/desk"'
            )
        if not self.algorithms or not self.algorithms <= ALGORITHMS:
            raise ImproperlyConfigured(
                f"the issuer {self.url!r} may sign with {', '.join(sorted(self.algorithms)) or 'nothing'}; write some "
                f"of {', '.join(sorted(ALGORITHMS))}"
            )


async def metadata(issuer: Issuer) -> dict[str, Any]:
    """What the issuer says of itself. Raises Unavailable: it says nothing, or is another one (RFC 8414, 3.3)."""
    for url in _places(issuer.url):
        found = await fetched(url)
        if found is None:
            continue
        if found.get("issuer") != issuer.url:
            raise Unavailable(f"{url} is of the issuer {found.get('issuer')!r}, and not of {issuer.url!r}")
        return found
    raise Unavailable(f"{issuer.url} has no metadata")


def named(issuer: Issuer, facts: dict[str, Any], name: str) -> str:
    """The URL that its metadata has under a name. Raises Unavailable: there is none that can be believed."""
    url = facts.get(name)
    if not isinstance(url, str) or not is_secure(url) or is_loopback(url) > is_loopback(issuer.url):
        raise Unavailable(f"{issuer.url} has no {name} that is https")
    return url


def _places(url: str) -> list[str]:
    """Where an issuer's metadata is looked for (MCP specification, "Authorization Server Metadata Discovery")."""
    parts = urlsplit(url)
    root, path = f"{parts.scheme}://{parts.netloc}", parts.path.rstrip("/")
    found = [
        f"{root}/.well-known/oauth-authorization-server{path}",
        f"{root}/.well-known/openid-configuration{path}",
        f"{root}{path}/.well-known/openid-configuration",
    ]
    return list(dict.fromkeys(found))
