"""The one form of an e-mail address, whatever form people paste it in."""

from __future__ import annotations

import unicodedata
from urllib.parse import unquote

import regex
from email_validator import EmailNotValidError, validate_email

# What can't be seen, and comes along with what is copied from a web page or a chat: marks of direction, joiners, soft
# hyphens, byte order marks.
INVISIBLE = regex.compile(r"[\p{Default_Ignorable_Code_Point}\p{Cf}\u2800]", regex.VERSION1)
NAMED = regex.compile(r"<([^<>]*)>[^<>@]*$")
MAILTO = regex.compile(r"mailto:(?://)?([^?]*).*", regex.IGNORECASE)
# What an address stands in, or what follows it in a sentence or a list.
LEADING = ' <([{"「『“„‘‚«‹【《〈〔'
TRAILING = ' >)]}"」』”“’‘»›】》〉〕.,;:。、'


class NotAnAddress(ValueError):
    """The text is no e-mail address."""


def normal(text: str) -> str:
    """The address in lower case, Unicode's form NFKC and, of the domain, Unicode instead of Punycode.

    It may come with a name before it, in brackets, as a link or with the end of a sentence. Domains are those of
    RFC 5891 (IDNA 2008), letters beyond ASCII before the @-sign those of RFC 6531. Raises NotAnAddress.
    """
    try:
        found = validate_email(plain(text), check_deliverability=False, test_environment=True)
    except EmailNotValidError:
        raise NotAnAddress(text) from None
    return unicodedata.normalize("NFKC", found.normalized.lower())


def plain(text: str) -> str:
    """The same without the rules of addresses: of the beginning of one, or of what is none."""
    text = _visible(text)
    if named := NAMED.search(text):
        text = named[1].strip()
    if link := MAILTO.fullmatch(text):
        text = _visible(unquote(link[1]))
    return _visible(text.lstrip(LEADING).rstrip(TRAILING).lower())


def _visible(text: str) -> str:
    visible: str = INVISIBLE.sub("", unicodedata.normalize("NFKC", text))
    return visible.strip()
