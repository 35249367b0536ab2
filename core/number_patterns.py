"""How a language writes whole numbers: taken from Babel once, which reads a pattern and symbols for each number."""

from __future__ import annotations

from dataclasses import dataclass

from babel import Locale
from babel.numbers import get_group_symbol


@dataclass(frozen=True, slots=True)
class NumberPattern:
    """What stands around a whole number and within it."""

    positive: tuple[str, str]
    negative: tuple[str, str]
    groups: tuple[int, int]
    group_symbol: str

    def write(self, number: int) -> str:
        """The number with its separators."""
        before, after = self.negative if number < 0 else self.positive
        return f"{before}{grouped(abs(number), self.groups, self.group_symbol)}{after}"


def of(locale: Locale) -> NumberPattern:
    """How the language writes whole numbers."""
    pattern = locale.decimal_formats[None]
    positive, negative = ((pattern.prefix[side], pattern.suffix[side]) for side in (False, True))
    return NumberPattern(positive, negative, pattern.grouping, get_group_symbol(locale))


def grouped(whole: int, groups: tuple[int, int], symbol: str) -> str:
    """The digits of a number without a sign; `groups` are the sizes of the last group and of those before it."""
    if groups == (3, 3):
        return f"{whole:,}".replace(",", symbol)
    digits = str(whole)
    size, other = groups
    parts: list[str] = []
    while len(digits) > size:
        digits, part = digits[:-size], digits[-size:]
        parts.insert(0, part)
        size = other
    return symbol.join([digits, *parts])
