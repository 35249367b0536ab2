"""Amounts as decimal texts: taken or refused, and never read as another amount."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
from django.utils import translation
from hypothesis import given
from hypothesis import strategies as st

from core import amounts, currencies
from core.amounts import MAX_MINOR, AmountInvalid
from core.currencies import DECIMALS


@pytest.fixture(autouse=True)
def in_english() -> Iterator[None]:
    with translation.override("en"):
        yield


CODES = st.sampled_from(sorted(DECIMALS))
MINORS = st.integers(min_value=0, max_value=MAX_MINOR)


@given(code=CODES, minor=MINORS)
def test_an_amount_survives_its_text(code: str, minor: int) -> None:
    written = amounts.text(minor, code)

    assert amounts.minor(amounts.parse(written), code) == minor
    assert amounts.text(amounts.minor(amounts.parse(written), code), code) == written
    assert Decimal(written).scaleb(currencies.decimals(code)) == minor


@given(code=CODES, minor=MINORS)
def test_the_text_of_a_negative_amount_is_that_of_the_amount_with_a_sign(code: str, minor: int) -> None:
    assert amounts.text(-minor, code) == ("-" if minor else "") + amounts.text(minor, code)


@pytest.mark.parametrize("code", sorted(DECIMALS))
def test_each_currency_takes_its_decimals_and_not_one_more(code: str) -> None:
    digits = DECIMALS[code]
    fitting = f"1.{'5' * digits}" if digits else "1"
    too_many = f"1.{'5' * (digits + 1)}"

    assert amounts.minor(amounts.parse(fitting), code) == int("1" + "5" * digits)
    with pytest.raises(AmountInvalid, match=f"{too_many.replace('.', '[.]')} has .*decimals.*{code}.*Call again with"):
        amounts.minor(amounts.parse(too_many), code)


@pytest.mark.parametrize(
    ("given", "minor"),
    [
        *[("480", 48_000), ("480.5", 48_050), ("480.50", 48_050), ("0", 0), ("0.00", 0), ("0480", 48_000)],
        *[(" 480 ", 48_000), ("　480\n", 48_000), ("１９９９", 199_900), ("１９．９０", 1_990)],
        *[(480, 48_000), (19.9, 1_990), (1e3, 100_000), (0.1, 10), (0, 0), (10**13, MAX_MINOR)],
    ],
)
def test_an_amount_is_taken(given: Any, minor: int) -> None:
    assert amounts.minor(amounts.parse(given), "TWD") == minor


@pytest.mark.parametrize(
    "given",
    [
        *["1,999", "19,99", "1.999.00", "1 999", "1_999", "１，９９９", "1'999", "1\u00a0999"],
        *["NT$480", "$480", "480 TWD", "TWD480", "480元", "€5", "５００円"],
        *[
            "-5",
            "+5",
            "−5",
            "－5",
            "(5)",
            "5-",
            "1e3",
            "1E3",
            "0x10",
            "480.",
            ".5",
            ".",
            "1.2.3",
            "1/2",
            "½",
            "5²",
            "٤٨٠",
        ],
        *["NaN", "nan", "Infinity", "-Infinity", "inf", "free", "", " "],
        *[True, False, None, -5, -0.5, 1e-7, float("nan"), float("inf"), [], {}, ["480"], {"price": "480"}],
    ],
)
def test_what_can_be_read_in_two_ways_or_in_none_is_refused_in_words(given: Any) -> None:
    with pytest.raises(ValueError, match=r"is not an amount: write digits alone, .* such as 480 or 19\.99"):
        amounts.parse(given)


@pytest.mark.parametrize(
    ("given", "code", "words"),
    [
        ("19.990", "EUR", "19.990 has more than the 2 decimals of EUR. Call again with fewer decimals."),
        ("480.0", "JPY", "480.0 has decimals, and JPY has none. Call again with a whole amount, such as 480."),
        ("1.0005", "KWD", "1.0005 has more than the 3 decimals of KWD."),
        (0.1 + 0.2, "EUR", "0.30000000000000004 has more than the 2 decimals of EUR."),
        ("10000000000000.01", "EUR", "is too large: the largest amount is €10,000,000,000,000.00."),
        ("9" * 300, "TWD", "9… is too large: the largest amount is NT$10,000,000,000,000."),
        ("0." + "0" * 300, "TWD", "0… has more than the 2 decimals of TWD."),
        (1e22, "JPY", "10000000000000000000000 is too large"),
        ("9" * 20, "JPY", "is too large: the largest amount is JP¥1,000,000,000,000,000."),
    ],
)
def test_what_the_currency_does_not_have_is_refused_in_words(given: Any, code: str, words: str) -> None:
    with pytest.raises(AmountInvalid) as refusal:
        amounts.minor(amounts.parse(given), code)

    assert words in str(refusal.value)


@given(st.one_of(st.text(max_size=50), st.floats(), st.integers(), st.booleans(), st.none()))
def test_whatever_is_given_is_an_amount_or_refused(given: Any) -> None:
    try:
        amount = amounts.parse(given)
    except ValueError:
        return
    assert amount >= 0
    assert amount.is_finite()


@pytest.mark.parametrize(
    ("minor", "code", "text"),
    [
        *[(48_000, "TWD", "480"), (48_050, "TWD", "480.50"), (199_900, "HUF", "1999"), (500, "JPY", "500")],
        *[(1_990, "USD", "19.90"), (2_000, "USD", "20.00"), (5, "EUR", "0.05"), (0, "EUR", "0.00"), (0, "TWD", "0")],
        *[(1_500, "KWD", "1.500"), (10_000, "CLF", "1.0000"), (-1_250, "EUR", "-12.50")],
    ],
)
def test_a_text_has_the_decimals_that_people_use(minor: int, code: str, text: str) -> None:
    assert amounts.text(minor, code) == text
    assert str(amounts.major(minor, code)) == text
