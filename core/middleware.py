"""The Django door: `/t/<tenant>/...` runs as that tenant, for a bearer token of that tenant."""

from __future__ import annotations

from uuid import UUID

from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.urls import resolve
from django.utils import translation

from core import principals
from rls.middleware import TenantMiddleware


class PrincipalMiddleware(TenantMiddleware):
    """Resolves the tenant of every URL that has a `tenant` in it. Views do nothing for isolation."""

    def resolve(self, request: HttpRequest) -> UUID | HttpResponse | None:
        try:
            subdomain = resolve(request.path_info).kwargs.get("tenant")
        except Http404:
            return None
        if subdomain is None:
            return None
        principal = principals.authenticate(bearer_token(request), subdomain=subdomain)
        if principal is None:
            return unauthorized()
        if "Accept-Language" not in request.headers:
            translation.activate(principal.locale)
        return principal.tenant_id


def bearer_token(request: HttpRequest) -> str:
    """The token of `Authorization: Bearer <token>` (RFC 6750 2.1), or ''."""
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


def unauthorized() -> JsonResponse:
    """The one refusal: it tells nothing about whether the tenant exists."""
    return JsonResponse(
        {"error": "invalid_token", "error_description": "Authentication required"},
        status=401,
        headers={"WWW-Authenticate": "Bearer"},
    )
