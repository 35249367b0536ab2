"""Sentences one after the other, in whatever language they are."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable


def joined(sentences: Iterable[str]) -> str:
    """The sentences as one text; '' where there is none. An empty one is left out.

    A space stands between two, but not after a wide mark, such as a Chinese full stop, which holds its own (Unicode
    Standard Annex 11, "East Asian Width").
    """
    text = ""
    for sentence in filter(None, sentences):
        text += sentence if not text or _is_wide(text[-1]) else f" {sentence}"
    return text


def _is_wide(character: str) -> bool:
    return unicodedata.east_asian_width(character) in "WF"
