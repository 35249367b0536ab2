"""Currencies are those of ISO 4217, with its decimals and with signs that no two of them share."""

from __future__ import annotations

import pytest
from babel.core import get_global
from iso4217 import Currency

from core import currencies, formats
from core.currencies import DECIMALS, MONEY, NOT_MONEY


@pytest.mark.parametrize(
    ("code", "decimals"),
    [
        *[("EUR", 2), ("TWD", 2), ("HUF", 2), ("RSD", 2), ("IDR", 2), ("LBP", 2), ("MGA", 2)],
        *[("JPY", 0), ("KRW", 0), ("VND", 0), ("ISK", 0), ("UYI", 0), ("XOF", 0)],
        *[("KWD", 3), ("IQD", 3), ("TND", 3), ("CLF", 4), ("UYW", 4)],
    ],
)
def test_decimals_are_those_of_iso_4217(code: str, decimals: int) -> None:
    assert currencies.decimals(code) == decimals


@pytest.mark.parametrize(
    "code", ["XTS", "XXX", "XAU", "XAG", "XPT", "XPD", "XDR", "XUA", "XSU", "XBA", "XBB", "XBC", "XBD"]
)
def test_what_has_no_unit_is_no_money(code: str) -> None:
    assert code in NOT_MONEY
    assert code not in DECIMALS


@pytest.mark.parametrize("code", ["USN", "MXV", "CLF", "UYI", "UYW", "BOV", "COU", "CHE", "CHW", "XAD"])
def test_what_only_accounts_are_kept_in_is_no_money(code: str) -> None:
    assert code in NOT_MONEY


@pytest.mark.parametrize("code", ["XOF", "XAF", "XPF", "XCD", "XCG", "CHF", "CLP", "UYU", "BOB", "ZWG", "VES"])
def test_what_people_pay_with_is_money_whatever_its_letter(code: str) -> None:
    assert code in MONEY


@pytest.mark.parametrize(
    "code", ["DEM", "HRK", "BGN", "ANG", "SLL", "ZWL", "BYR", "QQQ", "eur", "ＥＵＲ", "", "EURO", "CNH"]
)
def test_what_is_not_in_the_list_is_no_currency(code: str) -> None:
    assert code not in DECIMALS
    assert code not in NOT_MONEY


def test_each_code_of_the_list_is_one_or_the_other() -> None:
    assert {each.code for each in Currency} == MONEY | NOT_MONEY
    assert not MONEY & NOT_MONEY


@pytest.mark.parametrize("code", ["TWD", "HUF", "RSD", "IDR", "IQD", "JPY", "XOF"])
def test_what_nobody_pays_is_not_written(code: str) -> None:
    assert currencies.is_written_whole(code)


@pytest.mark.parametrize("code", ["EUR", "USD", "CHF", "CAD", "DKK", "KWD", "TND", "SLE"])
def test_what_people_pay_is_written(code: str) -> None:
    assert not currencies.is_written_whole(code)


def test_babel_does_not_say_how_an_amount_is_written(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its data changes: HUF had decimals in one of its versions, and none in another."""
    monkeypatch.setitem(get_global("currency_fractions"), "HUF", (2, 0, 2, 0))
    monkeypatch.setitem(get_global("currency_fractions"), "EUR", (0, 0, 0, 0))

    assert formats.money(199_900, "HUF") == "HUF\u00a01,999"
    assert formats.money(2_000, "EUR") == "€20.00"


def test_what_is_written_whole_is_money_with_decimals() -> None:
    assert all(code in MONEY and DECIMALS[code] > 0 for code in currencies.WRITTEN_WHOLE)


@pytest.mark.parametrize(("code", "decimals"), [("BGN", 2), ("HRK", 2), ("DEM", 2), ("ITL", 0), ("BYR", 0)])
def test_a_currency_that_has_left_the_list_keeps_its_decimals(code: str, decimals: int) -> None:
    assert currencies.decimals(code) == decimals


def test_no_two_currencies_share_a_sign() -> None:
    signs = [currencies.symbol(code) for code in DECIMALS]

    assert len(set(signs)) == len(signs)
    assert not {"$", "¥", "￥", "kr", "Rs"} & set(signs)


@pytest.mark.parametrize(
    ("code", "sign"),
    [
        *[("TWD", "NT$"), ("USD", "US$"), ("CAD", "CA$"), ("AUD", "A$"), ("HKD", "HK$"), ("SGD", "SGD")],
        *[("JPY", "JP¥"), ("CNY", "CN¥"), ("EUR", "€"), ("GBP", "£"), ("XAF", "XAF"), ("XOF", "XOF"), ("SEK", "SEK")],
    ],
)
def test_a_sign_says_which_currency_it_is(code: str, sign: str) -> None:
    assert currencies.symbol(code) == sign


@pytest.mark.parametrize(
    ("text", "code"),
    [("usd", "USD"), ("ＵＳＤ", "USD"), (" Twd ", "TWD"), ("NT$", "TWD"), ("jp¥", "JPY"), ("$", None), ("dem", None)],
)
def test_another_writing_of_a_code_is_known(text: str, code: str | None) -> None:
    assert currencies.meant(text) == code
