"""The pages of the sign-in: nothing is loaded or run for them, and no other page holds them in a frame."""

from __future__ import annotations

import base64
import functools
import hashlib
from pathlib import Path
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.middleware.csrf import get_token
from django.template import Context, Engine
from django.utils.safestring import mark_safe

from mcp_server.connect import page as connect_page

HERE = Path(__file__).parent
TEMPLATES = HERE / "html"
STYLE = connect_page.STYLE + (HERE / "page.css").read_text(encoding="utf-8")
STYLE_DIGEST = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()


def page(
    request: HttpRequest,
    name: str,
    language: str,
    *,
    status: int = 200,
    sends_to: str = "",
    templates: Path = TEMPLATES,
    **facts: Any,
) -> HttpResponse:
    """A page of a template in `templates`, which may extend "base.html" of ours. A form of it may lead to this server
    and to the origin `sends_to`, and nowhere else.
    """
    shown = {
        **facts,
        "language": language,
        "form_token": get_token(request),
        # A constant; what stands in it would be wrong as a text of HTML.
        "style": mark_safe(STYLE),  # noqa: S308
    }
    text = _engine(templates).get_template(f"{name}.html").render(Context(shown))
    return HttpResponse(text, status=status, headers=_headers(language, sends_to))


def _headers(language: str, sends_to: str) -> dict[str, str]:
    # Browsers hold a redirect after a form against form-action too.
    forms = " ".join(filter(None, ["'self'", sends_to]))
    return connect_page.HEADERS | {
        "Content-Security-Policy": (
            f"default-src 'none'; style-src 'sha256-{STYLE_DIGEST}'; base-uri 'none'; form-action {forms}; "
            "frame-ancestors 'none'"
        ),
        # The address of a page holds what a client asks for. Origin is what Django's check of forms needs.
        "Referrer-Policy": "same-origin",
        "Content-Language": language,
        "Vary": "Accept-Language, Cookie",
    }


@functools.cache
def _engine(templates: Path) -> Engine:
    return Engine(dirs=[str(templates), str(TEMPLATES), str(connect_page.HERE)])
