"""`/t/<tenant>/...` in Django runs as that tenant, for a bearer token of that tenant."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar
from uuid import UUID

from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.urls import resolve
from django.utils import translation

from core.scopes import Scope
from mcp_server.http import bearer
from mcp_server.http.bearer import Challenge
from mcp_server.tokens import resolver
from rls.middleware import TenantMiddleware

View = TypeVar("View", bound=Callable[..., Any])

# The scope that each view of a tenant needs.
SCOPES_OF_VIEWS: dict[Callable[..., Any], Scope] = {}
# The views of a tenant whose URL is the authority: it holds a signature, which the view checks.
SIGNED_VIEWS: set[Callable[..., Any]] = set()


class PrincipalMiddleware(TenantMiddleware):
    """Resolves the tenant of every URL that has a `tenant` in it. Views do nothing for isolation."""

    def resolve(self, request: HttpRequest) -> UUID | HttpResponse | None:
        try:
            match = resolve(request.path_info)
        except Http404:
            return None
        subdomain = match.kwargs.get("tenant")
        if subdomain is None:
            return None
        if match.func in SIGNED_VIEWS:
            return signed_tenant(subdomain)
        token = bearer.token_in([request.headers["Authorization"]] if "Authorization" in request.headers else [])
        principal = resolver.authenticate(token, slug=subdomain) if isinstance(token, str) else None
        if principal is None:
            challenge = bearer.TOKEN_INVALID if isinstance(token, str) else token
            bearer.log_refusal(challenge, subdomain)
            return unauthorized(challenge)
        scope = SCOPES_OF_VIEWS[match.func]
        if scope not in principal.scopes:
            bearer.log_refusal(bearer.SCOPE_INSUFFICIENT, subdomain)
            return forbidden(scope)
        if "Accept-Language" not in request.headers:
            translation.activate(principal.locale)
        return principal.tenant_id


def requires(scope: Scope) -> Callable[[View], View]:
    """Say which scope a view of a tenant needs. One that says none fails: nothing is open by being forgotten."""

    def declare(view: View) -> View:
        SCOPES_OF_VIEWS[view] = scope
        return view

    return declare


def signed(view: View) -> View:
    """Say that whoever has the URL of this view may call it: the view checks what is signed in it, or answers 404."""
    SIGNED_VIEWS.add(view)
    return view


def signed_tenant(subdomain: str) -> UUID:
    """The active tenant with this subdomain. Raises Http404, as the view does for a signature that is not good."""
    principal = resolver.open_endpoint(subdomain)
    if principal is None or principal.tenant_id is None:
        raise Http404
    return principal.tenant_id


def unauthorized(challenge: Challenge) -> JsonResponse:
    """A refusal that tells nothing about whether the tenant exists."""
    return JsonResponse(challenge.body, status=challenge.status, headers={"WWW-Authenticate": challenge.header})


def forbidden(scope: Scope) -> JsonResponse:
    """The token is good, but not for this (RFC 6750 3.1)."""
    return JsonResponse(
        {"error": "insufficient_scope", "error_description": f"This token lacks the scope {scope}"},
        status=403,
        headers={"WWW-Authenticate": f'Bearer error="insufficient_scope", scope="{scope}"'},
    )
