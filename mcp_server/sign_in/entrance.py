"""Where a person signs in, and in which language pages are. Nothing of it needs the authorization server."""

from __future__ import annotations

import functools
from collections.abc import Callable

from django.conf import settings
from django.contrib.auth import REDIRECT_FIELD_NAME, login
from django.contrib.auth.forms import AuthenticationForm
from django.http import HttpRequest, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.shortcuts import resolve_url
from django.utils import translation
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _
from django.views.decorators.csrf import csrf_protect
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods

from mcp_server.http import languages
from mcp_server.sign_in import rates
from mcp_server.sign_in.pages import page

View = Callable[[HttpRequest], HttpResponseBase]


def in_its_language(view: Callable[[HttpRequest, str], HttpResponseBase]) -> View:
    """A view of a page, in the language that a browser asks for."""

    @functools.wraps(view)
    def shown(request: HttpRequest) -> HttpResponseBase:
        language = languages.of_page(request.headers.get("accept-language", ""))
        with translation.override(language):
            return view(request, language)

    return shown


@sensitive_post_parameters("password")
@csrf_protect
@require_http_methods(["GET", "POST"])
@in_its_language
def sign_in(request: HttpRequest, language: str) -> HttpResponseBase:
    """Where a person signs in, in a project that has no page for it (LOGIN_URL)."""
    form = AuthenticationForm(request, data=request.POST or None)
    problem = ""
    if request.method == "POST":
        with rates.trying(rates.FAILED_PASSWORDS, "password", request) as may_try:
            if not may_try:
                problem = _("Too many passwords were wrong. Wait a minute, then try again.")
            elif form.is_valid():
                login(request, form.get_user())
                return HttpResponseRedirect(_next(request))
            else:
                rates.count(rates.FAILED_PASSWORDS, "password", request)
                problem = " ".join(str(each) for errors in form.errors.values() for each in errors)
    return page(
        request,
        "sign_in",
        language,
        status=403 if problem else 200,
        title=_("Sign in"),
        problem=problem,
        username=request.POST.get("username", ""),
        username_label=form.fields["username"].label,
        password_label=form.fields["password"].label,
        send=_("Sign in"),
    )


def _next(request: HttpRequest) -> str:
    """Where a person goes who has signed in: a page of this server; where none is asked for, LOGIN_REDIRECT_URL's."""
    asked = request.GET.get(REDIRECT_FIELD_NAME, "")
    if url_has_allowed_host_and_scheme(asked, None, require_https=request.is_secure()):
        return asked
    own = settings.is_overridden("LOGIN_REDIRECT_URL")  # type: ignore[misc]  # the settings pass it on
    return resolve_url(settings.LOGIN_REDIRECT_URL) if own else "/"
