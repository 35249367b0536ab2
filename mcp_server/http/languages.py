"""Which language a request asks for."""

from __future__ import annotations

from collections.abc import Collection

from django.utils.translation.trans_real import get_supported_language_variant, parse_accept_lang_header


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
