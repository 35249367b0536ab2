"""The languages there are, and what holds for a tenant that has chosen nothing: named here alone.

Migrations repeat the values: they say what held when they were written.
"""

from __future__ import annotations

from enum import StrEnum


class Locale(StrEnum):
    """A language that texts are translated into, as Django writes its code."""

    ZH_HANT = "zh-hant"
    EN = "en"


# As Django's setting LANGUAGES and the choices of a field have them, each in its own words.
LANGUAGES = [(Locale.ZH_HANT.value, "繁體中文"), (Locale.EN.value, "English")]
LOCALE = Locale.ZH_HANT.value
CURRENCY = "TWD"  # ISO 4217
TIME_ZONE = "Asia/Taipei"  # IANA
