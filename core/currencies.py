"""Currencies as ISO 4217 has them: which there are, and what part of one its minor unit is."""

from __future__ import annotations

import unicodedata
from functools import cache

from babel.numbers import get_currency_precision, get_currency_symbol
from iso4217 import Currency, raw_xml

# List one of ISO 4217, without what has no unit: gold, the code for tests and their like.
DECIMALS: dict[str, int] = {each.code: each.exponent for each in Currency if each.exponent is not None}
# Units that contracts are reckoned in, and that nobody pays with: the list marks most of them as funds.
UNMARKED_FUNDS = {"UYW", "XAD"}
FUNDS = UNMARKED_FUNDS | {
    entry.findtext("Ccy")
    for entry in raw_xml.iterfind("CcyTbl/CcyNtry[CcyNm]")
    if entry.find("CcyNm[@IsFund]") is not None
}
MONEY = frozenset(DECIMALS.keys() - FUNDS)
NOT_MONEY = {each.code for each in Currency} - MONEY
# What people pay without the decimals that it has: those to which CLDR 47 gives no digits in cash ("Supplemental
# Currency Data"). Written down here, because a later CLDR would change texts about amounts that have not changed.
WRITTEN_WHOLE = {
    *("AFN", "ALL", "AMD", "COP", "CRC", "CZK", "GYD", "HUF", "IDR", "IQD", "IRR", "KPW", "LAK", "LBP"),
    *("MGA", "MMK", "MNT", "MUR", "NOK", "PKR", "RSD", "SEK", "SOS", "SYP", "TWD", "TZS", "UZS", "YER"),
}


@cache
def decimals(code: str) -> int:
    """How many digits of the currency's unit its minor unit is: 2 for EUR.

    A currency that has left the list stays that of a shop which has prices in it: of these CLDR remembers the decimals.
    """
    return DECIMALS[code] if code in DECIMALS else get_currency_precision(code)


@cache
def unit(code: str) -> int:
    """One of the currency, in its minor unit."""
    return int(10 ** decimals(code))


def smallest_used(code: str) -> int:
    """The smallest amount that people reckon with, in the minor unit: one dollar of TWD, one cent of EUR."""
    return unit(code) if is_written_whole(code) else 1


@cache
def is_written_whole(code: str) -> bool:
    """Whether people write a whole amount of it without decimals, as of TWD."""
    return code in WRITTEN_WHOLE or decimals(code) == 0


def split(minor: int, code: str) -> tuple[int, int, int]:
    """The whole units of an amount without its sign, the rest in minor units, and with how many decimals it is written:
    none where it is whole, and the currency is written so."""
    digits = decimals(code)
    whole, fraction = divmod(abs(minor), unit(code))
    return whole, fraction, 0 if not fraction and is_written_whole(code) else digits


@cache
def symbol(code: str) -> str:
    """A sign that no other currency has: NT$ for TWD, US$ for USD; the code where there is none.

    CLDR's root has those which are clear in any language; its languages have a bare $ for a currency of their own.
    """
    sign = get_currency_symbol(code, "root")
    return sign if any(unicodedata.category(each) == "Sc" for each in sign) else code


def meant(text: str) -> str | None:
    """The currency whose code or sign the text is in another writing, such as "usd", "ＵＳＤ" or "NT$"."""
    wanted = unicodedata.normalize("NFKC", text).strip().upper()
    return next((code for code in sorted(MONEY) if wanted in (code, symbol(code))), None)
