"""Texts that have a place of a certain width."""

from __future__ import annotations

import pytest

from core import formats


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("", ""),
        ("Anvil", "Anvil"),
        ("Anvil of iron", "Anvil of…"),
        ("高山烏龍茶", "高山烏龍…"),
        ("高山烏龍", "高山烏龍"),
    ],
)
def test_a_long_text_is_cut_and_chinese_is_twice_as_wide(text: str, shown: str) -> None:
    assert formats.short(text, columns=9) == shown
