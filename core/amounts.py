"""Amounts of money as programs and models write them: a decimal text in the currency's own unit, "480" or "19.99"."""

from __future__ import annotations

import re
from decimal import Decimal

from django.utils.translation import gettext as _

from core import currencies, formats
from mcp_server.errors import Refusal

# In the minor unit: far from the end of a bigint, so that sums of many lines fit too.
MAX_MINOR = 10**15
DECIMAL_TEXT = r"[0-9]+(\.[0-9]+)?"
# What East Asian keyboards write for the characters of a number.
FULL_WIDTH = {0xFF10 + digit: str(digit) for digit in range(10)} | {ord("．"): "."}


class AmountInvalid(Refusal):
    """The currency has no such amount."""


def parse(given: object) -> Decimal:
    """The amount that a decimal text says, digit by digit: "19.90" has two decimals.

    White space around it and full-width digits are taken; so is a number of JSON, which is how some models write it.
    Whatever can be read in two ways is refused. Raises ValueError, in words for the caller.
    """
    written = _written(given)
    text = written.strip().translate(FULL_WIDTH)
    if re.fullmatch(DECIMAL_TEXT, text) is None:
        raise ValueError(
            _(
                "{given} is not an amount: write digits alone, with a point before the decimals, such as 480 or 19.99; "
                "no currency, no sign, no separator of thousands"
            ).format(given=repr(formats.short(written)))
        )
    return Decimal(text)


def minor(amount: Decimal, currency: str) -> int:
    """The amount in the currency's minor unit: Decimal("19.99") of EUR is 1999.

    Raises AmountInvalid: it has more decimals than the currency, or is more than MAX_MINOR.
    """
    digits = currencies.decimals(currency)
    if decimals_of(amount) > digits:
        raise AmountInvalid(_too_many_decimals(amount, currency, digits))
    found = amount.scaleb(digits)
    if found > MAX_MINOR:
        raise AmountInvalid(
            _("{amount} is too large: the largest amount is {most}. Call again with a smaller one.").format(
                amount=_shown(amount), most=formats.money(MAX_MINOR, currency)
            )
        )
    return int(found)


def decimals_of(amount: Decimal) -> int:
    """How many decimals are written of it."""
    exponent = amount.as_tuple().exponent
    return max(-exponent, 0) if isinstance(exponent, int) else 0


def text(minor: int, currency: str) -> str:
    """The decimal text of an amount, which `parse` takes: "19.90" for 1990 of EUR; a whole one of TWD is "480"."""
    whole, fraction, digits = currencies.split(minor, currency)
    sign = "-" if minor < 0 else ""
    return f"{sign}{whole}.{fraction:0{digits}}" if digits else f"{sign}{whole}"


def major(minor: int, currency: str) -> Decimal:
    """The same as a number that keeps its decimals: Decimal("19.90")."""
    return Decimal(text(minor, currency))


def _written(given: object) -> str:
    if isinstance(given, float) and given.is_integer():
        return str(int(given))
    return repr(given) if isinstance(given, int | float) and not isinstance(given, bool) else str(given)


def _shown(amount: Decimal) -> str:
    return formats.short(f"{amount:f}")


def _too_many_decimals(amount: Decimal, currency: str, digits: int) -> str:
    facts = {"amount": _shown(amount), "currency": currency, "decimals": digits}
    if digits == 0:
        return _("{amount} has decimals, and {currency} has none. Call again with a whole amount, such as 480.").format(
            **facts
        )
    return _("{amount} has more than the {decimals} decimals of {currency}. Call again with fewer decimals.").format(
        **facts
    )
