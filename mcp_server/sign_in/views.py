"""The endpoints of the authorization server, as Django's views."""

from __future__ import annotations

import functools
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from authlib.common.urls import add_params_to_uri
from authlib.oauth2 import OAuth2Error
from authlib.oauth2.rfc6749 import InsecureTransportError
from django.conf import settings
from django.contrib.auth import REDIRECT_FIELD_NAME
from django.http import HttpRequest, HttpResponse, HttpResponseBase, HttpResponseRedirect, JsonResponse, QueryDict
from django.shortcuts import resolve_url
from django.urls import reverse
from django.utils.cache import patch_vary_headers
from django.utils.translation import gettext as _
from django.views.decorators.csrf import csrf_exempt, csrf_protect
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from mcp_server.http import hosts
from mcp_server.sign_in import addresses, clients, consents, places, rates
from mcp_server.sign_in.entrance import View, in_its_language
from mcp_server.sign_in.models import Client
from mcp_server.sign_in.pages import page
from mcp_server.sign_in.places import Place
from mcp_server.sign_in.protocol import AUTH_METHODS, CHALLENGE_METHODS, GRANT_TYPES, RESPONSE_TYPES, Server
from rls.checks.settings import tenant_model
from rls.context import platform_context

# What a browser is told that asks whether a page may send JSON, or the version of the protocol.
PREFLIGHT = {
    "Access-Control-Allow-Methods": "GET, POST",
    "Access-Control-Allow-Headers": "Content-Type, MCP-Protocol-Version",
}
NO_STORE = {"Cache-Control": "no-store", "Pragma": "no-cache"}
# Characters of one parameter of a request.
MAX_VALUE_LENGTH = 4000


@dataclass(frozen=True, slots=True)
class Choice:
    """A scope that a person may give."""

    scope: str
    words: str
    is_chosen: bool


@functools.cache
def server() -> Server:
    """The one of this process, which holds nothing but how it answers."""
    return Server()


def shared(view: View) -> View:
    """A view for programs that the pages of MCP_ALLOWED_ORIGINS may call too (Fetch Standard, "CORS protocol")."""

    @functools.wraps(view)
    def answered(request: HttpRequest) -> HttpResponseBase:
        origin = request.headers.get("Origin", "")
        if origin.lower() not in hosts.allowed_origins():
            return view(request)
        is_asked_before = request.method == "OPTIONS" and "Access-Control-Request-Method" in request.headers
        response = HttpResponse(status=204, headers=PREFLIGHT) if is_asked_before else view(request)
        response.headers["Access-Control-Allow-Origin"] = origin
        patch_vary_headers(response, ["Origin"])
        return response

    return answered


@shared
@require_safe
def metadata(request: HttpRequest) -> JsonResponse:
    """What this server says of itself (RFC 8414)."""
    root = places.issuer(request)
    return JsonResponse(
        {
            "issuer": root,
            **{
                f"{name}_endpoint": f"{root}{reverse(f'mcp_sign_in:{view}')}"
                for name, view in [
                    ("authorization", "authorize"),
                    ("token", "token"),
                    ("registration", "register"),
                    ("revocation", "revoke"),
                ]
            },
            "response_types_supported": RESPONSE_TYPES,
            "grant_types_supported": GRANT_TYPES,
            "token_endpoint_auth_methods_supported": AUTH_METHODS,
            "revocation_endpoint_auth_methods_supported": AUTH_METHODS,
            "code_challenge_methods_supported": CHALLENGE_METHODS,
            "authorization_response_iss_parameter_supported": True,
            "ui_locales_supported": ["en", "zh-Hant"],
        }
    )


@csrf_exempt
@shared
@require_POST
def register(request: HttpRequest) -> JsonResponse:
    """Registers a client (RFC 7591, 3)."""
    if not rates.count(rates.REGISTRATIONS, "registration", request):
        said = "Too many clients were registered from your address. Use one that is, or come back in an hour."
        return JsonResponse(
            {"error": "temporarily_unavailable", "error_description": said}, status=429, headers=NO_STORE
        )
    consents.forget_unused()
    try:
        client = clients.register(request.body)
    except clients.Refused as error:
        return JsonResponse({"error": error.code, "error_description": error.description}, status=400, headers=NO_STORE)
    return JsonResponse(clients.facts(client), status=201, headers=NO_STORE)


@csrf_protect
@require_http_methods(["GET", "POST"])
@in_its_language
def authorize(request: HttpRequest, language: str) -> HttpResponseBase:
    """Asks a person what a client may do (RFC 6749, 4.1.1). Where it can't be said who would be told, nobody is sent
    anywhere.
    """
    if not _is_plain(request.GET):
        return _refused(request, language)
    try:
        grant = server().get_consent_grant(request, end_user=request.user)
    except OAuth2Error as error:
        return _told(request, language, error)
    if not request.user.is_authenticated:
        return HttpResponseRedirect(_sign_in_url(request))
    if request.POST.get("decision") == "refuse":
        return _sent_back(request, server().create_authorization_response(request, grant_user=None, grant=grant))
    return _asked(request, language, grant)


def _told(request: HttpRequest, language: str, error: OAuth2Error) -> HttpResponseBase:
    """What is wrong with a request, told to the client where it is known, and to the person where it is not.

    Anybody may register a client, so nobody is sent to one who has not signed in and said so: an address of this server
    would lead wherever somebody likes (RFC 9700, 4.11.2).
    """
    if isinstance(error, InsecureTransportError):
        said = _("This page needs https. Tell whoever runs this server.")
        return page(request, "refused", language, status=400, title=_("This can't be answered"), texts=[said])
    if not error.redirect_uri:
        return _refused(request, language)
    if not request.user.is_authenticated:
        return HttpResponseRedirect(_sign_in_url(request))
    if request.POST.get("decision") == "refuse":
        return _sent_back(request, server().handle_error_response(None, error))
    origin = addresses.origin(error.redirect_uri)
    return page(
        request,
        "consent",
        language,
        status=400,
        sends_to=origin,
        title=_("This can't be answered"),
        texts=[_("A program has asked for something in a way that this server does not know. Nothing was allowed.")],
        warning=_("You are sent back to {origin}. Go there only where you know it.").format(origin=origin),
        refuse=_("Go back to the program"),
        other=_("Sign in as somebody else"),
        other_url=_sign_in_url(request),
    )


def _asked(request: HttpRequest, language: str, grant: Any) -> HttpResponseBase:
    """The page that asks, or what becomes of a yes."""
    place: Place = grant.request.place
    user: Any = request.user
    with platform_context(
        actor=user.get_username(), reason=f"sign-in: what somebody may do at {place.slug}", origin=request.path
    ):
        member = place.member(user)
        granted = place.scopes_of(member)
        tenant = _tenant_name(place) if member is not None else ""
    offered = sorted(granted & (set(grant.request.scope.split()) or place.mcp.default_scopes()))
    chosen = [scope for scope in offered if scope in request.POST.getlist("allowed")]
    if request.POST.get("decision") == "allow" and chosen:
        grant.request.chosen = chosen
        return _sent_back(request, server().create_authorization_response(request, grant_user=user, grant=grant))
    return _consent_page(request, language, grant, tenant=tenant, offered=offered)


def _consent_page(
    request: HttpRequest, language: str, grant: Any, *, tenant: str, offered: Collection[str]
) -> HttpResponse:
    """The page that asks; `tenant` is '' for whoever does not belong to it."""
    client: Client = grant.client.row
    place: Place = grant.request.place
    words = place.sign_in.scope_words
    facts = {"client": client.name, "user": request.user.get_username(), "slug": place.slug, "tenant": tenant}
    title = _("Let {client} in?") if offered else _("You can't let this program in")
    if offered:
        text = _("{client} asks to work at {tenant} in your name, {user}.")
    elif tenant:
        text = _("{client} asks for what {user} may not do at {tenant}. Ask somebody there for a role that may.")
    else:
        text = _("You are signed in as {user}, who does not belong to {slug}. Ask somebody there to add you.")
    origin = addresses.origin(grant.redirect_uri)
    return page(
        request,
        "consent",
        language,
        status=200 if offered else 403,
        sends_to=origin,
        title=title.format(**facts),
        texts=[text.format(**facts)],
        problem=_("Choose what it may do, or refuse.") if request.POST.get("decision") == "allow" and offered else "",
        legend=_("It may:"),
        choices=[Choice(scope, str(words.get(scope, "")), not request.POST) for scope in offered],
        warning=_(
            "The program chose its name itself. You are sent back to {origin}. Allow it only where you have started it "
            "a moment ago, and trust it."
        ).format(origin=origin),
        allow=_("Allow"),
        refuse=_("Refuse"),
        other=_("Sign in as somebody else"),
        other_url=_sign_in_url(request),
    )


def _tenant_name(place: Place) -> str:
    """What people call a tenant."""
    model: Any = tenant_model()
    return str(model._default_manager.get(pk=place.tenant_id))


@csrf_exempt
@shared
@require_POST
@sensitive_post_parameters()
def token(request: HttpRequest) -> HttpResponseBase:
    """Exchanges a code or a refresh token (RFC 6749, 3.2)."""
    return _answered(request, lambda: server().create_token_response(request))


@csrf_exempt
@shared
@require_POST
@sensitive_post_parameters()
def revoke(request: HttpRequest) -> HttpResponseBase:
    """Ends a consent (RFC 7009, 2)."""
    return _answered(request, lambda: server().create_endpoint_response("revocation", request))


def _sign_in_url(request: HttpRequest) -> str:
    """The page of the project for it, where it has one, and ours where it has none."""
    own = settings.is_overridden("LOGIN_URL")  # type: ignore[misc]  # the settings pass it on
    url = resolve_url(settings.LOGIN_URL) if own else reverse("mcp_sign_in:sign_in")
    return f"{url}?{urlencode({REDIRECT_FIELD_NAME: request.get_full_path()})}"


def _answered(request: HttpRequest, answer: Callable[[], HttpResponseBase]) -> HttpResponseBase:
    """The answer to a form. A parameter comes once, in the body (RFC 6749, 3.2)."""
    if request.GET or not _is_plain(request.POST):
        said = "Send each parameter once, in the body, in printable ASCII."
        return JsonResponse({"error": "invalid_request", "error_description": said}, status=400, headers=NO_STORE)
    try:
        return answer()
    except OAuth2Error as error:
        refused: HttpResponse = server().handle_response(*error())
        return refused


def _is_plain(parameters: QueryDict) -> bool:
    """Whether each comes once and is printable ASCII without quotes, which descriptions of errors repeat."""
    return all(
        len(values) == 1
        and len(values[0]) <= MAX_VALUE_LENGTH
        and values[0].isascii()
        and (name == "state" or (values[0].isprintable() and not {'"', "\\"} & set(values[0])))
        for name, values in parameters.lists()
    )


def _refused(request: HttpRequest, language: str) -> HttpResponse:
    """The page for a request that names no client, or no address of it: whoever made it is told nothing."""
    texts = [
        _("The address that you have followed is not one that a program of yours has made, or it is out of date."),
        _("Nothing was allowed. Connect the program again."),
    ]
    return page(request, "refused", language, status=400, title=_("This can't be answered"), texts=texts)


def _sent_back(request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
    """A redirect to a client, which is told who answers (RFC 9207)."""
    if "Location" in response.headers:
        response.headers["Location"] = add_params_to_uri(response.headers["Location"], {"iss": places.issuer(request)})
    response.headers["Cache-Control"] = "no-store"
    response.headers["Referrer-Policy"] = "no-referrer"
    return response
