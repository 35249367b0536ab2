"""The pages of a person who works for tenants: where one signs in and out, and makes and revokes tokens of one's own.

They are platform work, as the admin's pages are: who signs in is of no tenant yet.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from django.contrib.auth import REDIRECT_FIELD_NAME
from django.contrib.auth import logout as end_session
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.urls import reverse
from django.utils import formats, timezone
from django.utils.translation import gettext as _
from django.views.decorators.csrf import csrf_protect
from django.views.decorators.http import require_http_methods, require_POST

from core.models import Membership
from core.roles import Role
from core.services import members
from mcp_server.errors import Refusal
from mcp_server.sign_in.entrance import in_its_language
from mcp_server.sign_in.pages import page
from mcp_server.tokens import tokens
from mcp_server.tokens.models import ApiToken
from rls.admin import origin
from rls.context import platform_context

TEMPLATES = Path(__file__).parent / "templates" / "accounts"
LIFETIME = timedelta(days=90)
MAX_NAME_LENGTH = 100


@dataclass(frozen=True, slots=True)
class ShownToken:
    """A token, in words."""

    id: UUID
    name: str
    about: str
    revoke: str


@dataclass(frozen=True, slots=True)
class ShownTenant:
    """A tenant that one works for, with one's tokens."""

    slug: str
    title: str
    about: str
    tokens: Sequence[ShownToken]


@csrf_protect
@require_http_methods(["GET", "POST"])
@in_its_language
def own_tokens(request: HttpRequest, language: str) -> HttpResponseBase:
    """Shows the tokens of whoever is signed in, makes one, or revokes one. A new one is shown once."""
    user: Any = request.user
    if not user.is_authenticated:
        asked = urlencode({REDIRECT_FIELD_NAME: request.get_full_path()})
        return HttpResponseRedirect(f"{reverse('sign_in')}?{asked}")
    secret = problem = ""
    reason = f"own tokens: {request.method} {request.path}"
    with platform_context(actor=user.get_username(), reason=reason, origin=origin(request)):
        if request.method == "POST":
            try:
                secret = _changed(request, members.memberships_of(user))
            except Refusal as error:
                problem = str(error)
        return _shown(request, language, members.memberships_of(user), secret=secret, problem=problem)


@csrf_protect
@require_POST
def leave(request: HttpRequest) -> HttpResponse:
    """Ends the session."""
    end_session(request)
    return HttpResponseRedirect(reverse("sign_in"))


def _changed(request: HttpRequest, memberships: Sequence[Membership]) -> str:
    """Does what the form says: the new token, '' where one was revoked. Raises Refusal."""
    if revoked := request.POST.get("revoke"):
        members.revoke_token(memberships, revoked)
        return ""
    slug = request.POST.get("tenant", "")
    membership = next((each for each in memberships if each.tenant.subdomain == slug), None)
    if membership is None:
        raise Refusal(_("You do not work for {tenant} any more.").format(tenant=slug[:63]))
    name = request.POST.get("name", "").strip()
    if not 0 < len(name) <= MAX_NAME_LENGTH:
        raise Refusal(_("Say in 1 to {length} characters what uses the token.").format(length=MAX_NAME_LENGTH))
    return members.create_token(
        membership,
        name=name,
        is_read_only="read_only" in request.POST,
        expires_at=timezone.now() + LIFETIME,
    )


def _shown(
    request: HttpRequest, language: str, memberships: Sequence[Membership], *, secret: str, problem: str
) -> HttpResponse:
    found = tokens.of_members(each.pk for each in memberships)
    texts = [_("You are signed in as {user}.").format(user=request.user.get_username())]
    if not memberships:
        texts.append(_("You work for no shop yet. Ask whoever runs this server to make you a member of one."))
    return page(
        request,
        "tokens",
        language,
        status=400 if problem else 200,
        templates=TEMPLATES,
        title=_("Your tokens"),
        texts=texts,
        problem=problem,
        secret=secret,
        secret_text=_("The new token. Copy it now: it is shown this once."),
        places=[_tenant(each, found) for each in memberships],
        legend=_("A new token"),
        name_label=_("What uses it, as: laptop"),
        read_only_label=_("It only reads"),
        create=_("Make a token"),
        revoke=_("Revoke"),
        leave=_("Sign out"),
        leave_url=reverse("sign_out"),
    )


def _tenant(membership: Membership, found: Sequence[ApiToken]) -> ShownTenant:
    role = Role(membership.role).label
    return ShownTenant(
        membership.tenant.subdomain,
        membership.tenant.name,
        _("You are {role} here. A token may do what you may, and ends after 90 days, or with you.").format(role=role),
        [_token(each) for each in found if each.member == membership.pk],
    )


def _token(token: ApiToken) -> ShownToken:
    facts = [_("reads only")] if token.is_read_only else []
    if token.last_used_at:
        facts.append(_("last used on {day}").format(day=formats.date_format(token.last_used_at)))
    if token.expires_at:
        has_expired = token.expires_at <= timezone.now()
        text = _("expired on {day}") if has_expired else _("good until {day}")
        facts.append(text.format(day=formats.date_format(token.expires_at)))
    return ShownToken(token.pk, token.name, _(", ").join(facts), _("Revoke {name}").format(name=token.name))
