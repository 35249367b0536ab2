"""The patterns write what Babel writes, but for the gap that Babel leaves out between letters and digits."""

from __future__ import annotations

import re
from copy import copy
from decimal import Decimal

import pytest
from babel import Locale
from babel.numbers import format_currency, get_currency_symbol
from django.utils import translation

from core import currencies, formats, money_patterns
from core.currencies import DECIMALS

# The languages of the shop, and others that differ in where the sign, the minus and the separators stand.
LANGUAGES = ["en", "zh_Hant", "de", "de_CH", "fr", "ja", "hi", "en_IN", "nl", "da", "lv", "es", "pl", "pt", "fa", "he"]
MINORS = [0, 1, 9, 99, 100, 101, 1_000, 48_000, 199_900, 1_234_567, 12_345_678_901, 10**15, 10**15 + 7]
GAP = money_patterns.GAP


def by_babel(minor: int, code: str, locale: Locale) -> str:
    """With as many decimals as the pattern has."""
    _whole, _fraction, digits = currencies.split(minor, code)
    pattern = copy(locale.currency_formats["standard"])
    pattern.frac_prec = (digits, digits)
    amount = Decimal(minor).scaleb(-currencies.decimals(code))
    written = format_currency(amount, code, pattern, locale=locale, currency_digits=False)
    return str(written).replace(get_currency_symbol(code, locale), currencies.symbol(code))


def without_gap(text: str) -> str:
    return re.sub(rf"(?<=[A-Z]){GAP}(?=[0-9])|(?<=[0-9]){GAP}(?=[A-Z])", "", text)


@pytest.mark.parametrize("language", LANGUAGES)
def test_an_amount_is_written_as_babel_writes_it(language: str) -> None:
    locale = Locale.parse(language)

    for code in DECIMALS:
        pattern = money_patterns.of(locale, code)
        for minor in [*MINORS, *(-minor for minor in MINORS if minor)]:
            assert without_gap(pattern.write(minor)) == without_gap(by_babel(minor, code, locale)), (code, minor)


@pytest.mark.parametrize("language", ["en", "zh-hant"])
@pytest.mark.parametrize(
    ("minor", "code", "text"),
    [
        *[(48_000, "TWD", "NT$480"), (48_050, "TWD", "NT$480.50"), (199_900_000, "TWD", "NT$1,999,000")],
        *[(199_900, "HUF", "HUF\u00a01,999"), (199_950, "HUF", "HUF\u00a01,999.50"), (500, "JPY", "JP¥500")],
        *[(1_990, "USD", "US$19.90"), (2_000, "USD", "US$20.00"), (1_990, "CAD", "CA$19.90"), (100, "AUD", "A$1.00")],
        *[(100, "HKD", "HK$1.00"), (100, "CNY", "CN¥1.00"), (1_999, "EUR", "€19.99"), (1_500, "KWD", "KWD\u00a01.500")],
        *[
            (5, "XAF", "XAF\u00a05"),
            (5, "XOF", "XOF\u00a05"),
            (12_345, "CLF", "CLF\u00a01.2345"),
            (-1_999, "EUR", "-€19.99"),
        ],
    ],
)
def test_no_reader_mistakes_the_currency(minor: int, code: str, text: str, language: str) -> None:
    with translation.override(language):
        assert formats.money(minor, code) == text
