"""Which language a request asks for."""

from __future__ import annotations

from collections.abc import Collection

from django.conf import settings
from django.utils.translation.trans_real import get_supported_language_variant, parse_accept_lang_header

# What the texts of pages are in.
LANGUAGES_OF_PAGES = ("en", "zh-hant")


def asked(accept_language: str, *, among: Collection[str] | None = None) -> str | None:
    """The first language of this header that the installation has (Accept-Language, RFC 9110, section 12.5.4), and
    that is one of `among` where that is given; None where there is none.
    """
    for code, _weight in parse_accept_lang_header(accept_language):
        if code == "*":
            break
        try:
            found = get_supported_language_variant(code)
        except LookupError:
            continue
        if among is None or found in among:
            return found
    return None


def of_page(accept_language: str) -> str:
    """The language of a page for a browser that sends this header: of those that pages have, else English."""
    own = settings.LANGUAGE_CODE.lower()
    found = asked(accept_language, among=LANGUAGES_OF_PAGES)
    return found or (own if own in LANGUAGES_OF_PAGES else LANGUAGES_OF_PAGES[0])
