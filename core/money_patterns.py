"""How a language writes amounts of a currency: taken from Babel once, which reads its pattern for each amount."""

from __future__ import annotations

from dataclasses import dataclass

from babel import Locale
from babel.numbers import get_decimal_symbol, get_group_symbol

from core import currencies
from core.number_patterns import grouped

# What CLDR sets between a currency and a number beside it that would run together (UTS 35, part 3, 3.3).
GAP = "\u00a0"


@dataclass(frozen=True, slots=True)
class MoneyPattern:
    """What stands around an amount and within it; `groups` are the sizes of the last group and of those before it."""

    currency: str
    positive: tuple[str, str]
    negative: tuple[str, str]
    groups: tuple[int, int]
    group_symbol: str
    decimal_symbol: str

    def write(self, minor: int) -> str:
        """An amount in the currency's minor unit."""
        whole, fraction, digits = currencies.split(minor, self.currency)
        before, after = self.negative if minor < 0 else self.positive
        decimals = f"{self.decimal_symbol}{fraction:0{digits}}" if digits else ""
        return f"{before}{grouped(whole, self.groups, self.group_symbol)}{decimals}{after}"


def of(locale: Locale, currency: str) -> MoneyPattern:
    """How the language writes the currency."""
    pattern = locale.currency_formats["standard"]
    sign = currencies.symbol(currency)
    positive, negative = (
        (_before(pattern.prefix[side], sign), _after(pattern.suffix[side], sign)) for side in (False, True)
    )
    return MoneyPattern(
        currency=currency,
        positive=positive,
        negative=negative,
        groups=pattern.grouping,
        group_symbol=get_group_symbol(locale),
        decimal_symbol=get_decimal_symbol(locale),
    )


def _before(text: str, sign: str) -> str:
    return text.replace("¤", sign + GAP * (text.endswith("¤") and sign[-1].isalpha()))


def _after(text: str, sign: str) -> str:
    return text.replace("¤", GAP * (text.startswith("¤") and sign[0].isalpha()) + sign)
