"""Consents, and the tokens that come of them. All of it is platform work.

# Note [One token of a consent]
A consent has one token of the tenant, whose text changes with each refresh. So a session, a kept answer or an open
confirmation outlives a refresh, the token stands among the others in the list and in the admin, and to revoke it there
ends the consent.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.db.models import QuerySet
from django.db.models.functions import Now
from django.utils import timezone

from mcp_server.sign_in.models import Client, Consent
from mcp_server.sign_in.places import Place
from mcp_server.tokens import resolver
from mcp_server.tokens.members import Member
from mcp_server.tokens.models import ApiToken
from rls.context import platform_context

CODE_LIFETIME = timedelta(minutes=1)
ACCESS_LIFETIME = timedelta(hours=1)
# From the last refresh.
REFRESH_LIFETIME = timedelta(days=30)
# What nobody has used for so long is forgotten, when the next client registers.
CLIENT_LIFETIME = timedelta(days=180)

REFRESH_PREFIX = "tmcpr_"
REFRESH = re.compile(rf"{REFRESH_PREFIX}([0-9a-f]{{32}})\.[A-Za-z0-9_-]{{43}}", re.ASCII)


class Ended(Exception):
    """Nothing more comes of the consent: it was exchanged already or revoked, or the person may do nothing of it."""


class ShownTwice(Ended):
    """Somebody else has exchanged the same code or refresh token at the same moment."""


@dataclass(frozen=True, slots=True)
class Tokens:
    """What a client gets."""

    access: str
    refresh: str
    scopes: frozenset[str]


def give(
    *, client: Client, user: Any, resource: str, scopes: Collection[str], redirect_uri: str, challenge: str
) -> str:
    """Keep what a person has allowed. The answer is the code for the client, which nothing keeps."""
    code = secrets.token_urlsafe(32)
    Consent.objects.create(
        client=client,
        user=user,
        resource=resource,
        scopes=sorted(scopes),
        redirect_uri=redirect_uri,
        code_digest=resolver.digest(code),
        code_challenge=challenge,
        code_expires_at=timezone.now() + CODE_LIFETIME,
    )
    Client.objects.filter(pk=client.pk).update(last_used_at=Now())
    return code


def of_code(code: str) -> Consent | None:
    """The consent of a code that was not used; one that was ends its consent (RFC 6749, 4.1.2)."""
    found = _found(code_digest=resolver.digest(code))
    if found is not None and found.code_used_at is not None:
        end(found, "its code was shown again")
        return None
    return found if found is not None and found.code_expires_at > timezone.now() else None


def of_refresh_token(token: str) -> Consent | None:
    """The consent of a refresh token; one that was exchanged already ends its consent (RFC 9700, 4.14.2)."""
    named = REFRESH.fullmatch(token)
    found = _found(pk=UUID(named[1])) if named else None
    if found is None or found.refresh_digest is None:
        return None
    if not secrets.compare_digest(bytes(found.refresh_digest), resolver.digest(token)):
        end(found, "a former refresh token was shown")
        return None
    is_good = found.refresh_expires_at is not None and found.refresh_expires_at > timezone.now()
    return found if is_good else None


def of_token(token: str) -> Consent | None:
    """The consent of an access token or of a refresh token, as it is now."""
    return _found(access_digest=resolver.digest(token)) or of_refresh_token(token)


def begin(consent: Consent, place: Place, asked: Collection[str]) -> Tokens:
    """Exchange the code of a consent for its tokens, with those of the scopes that the person has now. Raises Ended."""
    with _ending_twins(consent), _working(consent, "its first token"):
        member = _member(consent, place)
        tokens, facts = _new(consent, place.scopes_of(member).intersection(asked))
        token = ApiToken.objects.create(
            tenant_id=place.tenant_id,  # type: ignore[misc]  # a member is one of a tenant
            member=member.id,
            name=consent.client.name,
            **_of_token(tokens),
        )
        unused = Consent.objects.filter(pk=consent.pk, code_used_at=None)
        if not unused.update(code_used_at=Now(), token_id=token.pk, **facts):
            raise ShownTwice
    return tokens


def renew(consent: Consent, place: Place, asked: Collection[str]) -> Tokens:
    """Exchange the refresh token of a consent: both tokens are new. Raises Ended."""
    with _ending_twins(consent), _working(consent, "its next token"):
        member = _member(consent, place)
        tokens, facts = _new(consent, place.scopes_of(member).intersection(asked))
        current = Consent.objects.filter(pk=consent.pk, refresh_digest=consent.refresh_digest)
        kept = _token(consent).filter(member=member.id)
        if not current.update(**facts):
            raise ShownTwice
        if not kept.update(**_of_token(tokens)):
            raise Ended
    return tokens


def end(consent: Consent, why: str) -> None:
    """End a consent and its token now."""
    with _working(consent, f"ended: {why}"):
        # In the order of `renew`, so that neither waits for the other.
        Consent.objects.filter(pk=consent.pk).delete()
        _token(consent).update(revoked_at=Now())


def forget_unused() -> None:
    """Forget codes that nobody has exchanged, consents that can't be renewed any more, and clients that nobody uses."""
    now = timezone.now()
    Consent.objects.filter(code_used_at=None, code_expires_at__lt=now).delete()
    Consent.objects.filter(refresh_expires_at__lt=now).delete()
    Client.objects.filter(last_used_at__lt=now - CLIENT_LIFETIME, mcp_consents=None).delete()


def _member(consent: Consent, place: Place) -> Member:
    """For whom the token acts, and with whom it ends. Raises Ended: the person is no member, or not active."""
    found = place.member(consent.user)
    if found is None:
        raise Ended
    return found


def _new(consent: Consent, scopes: frozenset[str]) -> tuple[Tokens, dict[str, Any]]:
    if not scopes:
        raise Ended
    refresh = f"{REFRESH_PREFIX}{consent.pk.hex}.{secrets.token_urlsafe(32)}"
    tokens = Tokens(resolver.new_token(resolver.TENANT_PREFIX), refresh, scopes)
    return tokens, {
        "access_digest": resolver.digest(tokens.access),
        "refresh_digest": resolver.digest(tokens.refresh),
        "refresh_expires_at": timezone.now() + REFRESH_LIFETIME,
    }


def _of_token(tokens: Tokens) -> dict[str, Any]:
    return {
        "digest": resolver.digest(tokens.access),
        "scopes": sorted(tokens.scopes),
        "expires_at": timezone.now() + ACCESS_LIFETIME,
    }


def _token(consent: Consent) -> QuerySet[ApiToken]:
    """The token of a consent, where it has one that is not revoked."""
    return ApiToken.objects.filter(pk__in=[consent.token_id], revoked_at=None)


def _found(**facts: Any) -> Consent | None:
    return Consent.objects.select_related("client", "user").filter(**facts).first()


@contextmanager
def _ending_twins(consent: Consent) -> Iterator[None]:
    """What is shown twice at one moment ends its consent too: one of the two has stolen it."""
    try:
        yield
    except ShownTwice:
        if (found := _found(pk=consent.pk)) is not None:
            end(found, "what was exchanged was shown twice at once")
        raise


@contextmanager
def _working(consent: Consent, what: str) -> Iterator[None]:
    reason = f"sign-in of {consent.client} at {consent.resource}: {what}"
    with platform_context(actor=consent.user.get_username(), reason=reason, origin=consent.redirect_uri):
        yield
