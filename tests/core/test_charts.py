"""Charts: harmless, readable, and of the right size."""

from __future__ import annotations

from itertools import pairwise
from xml.etree import ElementTree

import pytest
from django.utils import translation

from core import charts
from core.charts import Bar

SVG = "{http://www.w3.org/2000/svg}"


def drawn(svg: str) -> list[tuple[float, float, str]]:
    """Height, lower end and words of each bar."""
    found = ElementTree.fromstring(svg).findall(f"{SVG}rect[{SVG}title]")
    return [
        (float(bar.attrib["height"]), float(bar.attrib["y"]) + float(bar.attrib["height"]), bar[0].text or "")
        for bar in found
    ]


def test_bars_are_as_high_as_their_values() -> None:
    svg = charts.bars("Revenue", [Bar("Mon", 50, "€0.50"), Bar("Tue", 100, "€1.00"), Bar("Wed", 0, "€0.00")])

    (monday, tuesday, wednesday) = drawn(svg)
    assert (monday[0] * 2, wednesday[0]) == (tuesday[0], 0)
    assert monday[1] == tuesday[1] == wednesday[1]
    assert tuesday[2] == "Tue: €1.00"


def test_a_negative_bar_hangs_from_where_the_others_stand() -> None:
    svg = charts.bars("Revenue", [Bar("Mon", 300, "€3.00"), Bar("Tue", -100, "-€1.00"), Bar("Wed", 0, "€0.00")])

    (monday, tuesday, wednesday) = drawn(svg)
    assert monday[0] == pytest.approx(3 * tuesday[0], abs=0.2)
    assert tuesday[1] - tuesday[0] == pytest.approx(monday[1], abs=0.11)
    assert wednesday[1] == monday[1]
    assert tuesday[1] == charts.HEIGHT - charts.BOTTOM


@pytest.mark.parametrize("text", ["<script>alert(1)</script>", '"><svg onload="x">', "]]>", "&lt;", "台北 🍵"])
def test_every_text_is_inert(text: str) -> None:
    svg = charts.bars(text, [Bar(text, 1, text)])

    root = ElementTree.fromstring(svg)
    assert {element.tag for element in root.iter()} <= {SVG + name for name in ("svg", "title", "rect", "text", "path")}
    assert not any(name.startswith("on") or "href" in name for each in root.iter() for name in each.attrib)
    assert root.findtext(f"{SVG}title") == text


def test_of_many_labels_some_are_left_out() -> None:
    svg = charts.bars("A quarter", [Bar(f"day {number}", number, str(number)) for number in range(92)])

    labels = [element.text for element in ElementTree.fromstring(svg).findall(f"{SVG}text[@text-anchor]")]
    assert len(drawn(svg)) == 92
    assert labels[:2] == ["day 0", "day 8"]
    assert len(labels) == 12
    assert len(svg) < 20_000


def test_long_labels_have_room_beside_each_other() -> None:
    svg = charts.bars("A month", [Bar(f"2026年11月{day}日", day, str(day)) for day in range(1, 31)])

    middles = [float(each.attrib["x"]) for each in ElementTree.fromstring(svg).findall(f"{SVG}text[@text-anchor]")]
    assert len(middles) > 4
    assert all(after - before > 14 * 7 for before, after in pairwise(middles))


@pytest.mark.parametrize("values", [[], [0, 0]])
def test_a_chart_of_nothing_is_a_chart(values: list[int]) -> None:
    svg = charts.bars("Nothing", [Bar("x", value, "0") for value in values])

    assert all(height == 0 for height, _end, _text in drawn(svg))


def test_numbers_are_written_for_programs_in_every_language() -> None:
    with translation.override("zh-hant"):
        svg = charts.bars("長條圖", [Bar(str(number), number, "x") for number in range(7)])

    for element in ElementTree.fromstring(svg).findall(f"{SVG}rect[{SVG}title]"):
        assert all(float(element.attrib[name]) >= 0 for name in ("x", "y", "width", "height"))
