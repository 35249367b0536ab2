"""Charts as SVG: no script, no style sheet, nothing that is loaded from elsewhere; every text is escaped."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from django.template.loader import render_to_string

from core import formats

WIDTH, HEIGHT = 800, 300
LEFT, TOP, BOTTOM = 10, 50, 30
# Beside each other they stay readable: so many at most, fewer where they are long.
MAX_LABELS = 12
LETTER_WIDTH = 7  # pixels of a Latin letter in the template's font size; a Chinese one has two


@dataclass(frozen=True, slots=True)
class Bar:
    """A bar: `value` is its height, or depth where it is negative, `text` says it to people, `label` stands below."""

    label: str
    value: int
    text: str


def bars(title: str, chart: Sequence[Bar]) -> str:
    """A bar chart (SVG 1.1) with the title above it; of many labels some are left out."""
    highest = max((bar.value for bar in chart), default=0)
    lowest = min((bar.value for bar in chart), default=0)
    scale = _scale(max(highest, 0), min(lowest, 0))
    zero = HEIGHT - BOTTOM + min(lowest, 0) * scale
    step = (WIDTH - 2 * LEFT) / max(len(chart), 1)
    shown = -(-len(chart) // _labels(chart))
    drawn = [
        {
            "x": round(LEFT + number * step + step * 0.1, 1),
            "middle": round(LEFT + (number + 0.5) * step, 1),
            "y": round(zero - max(bar.value, 0) * scale, 1),
            "width": round(step * 0.8, 1),
            "height": round(abs(bar.value) * scale, 1),
            "label": bar.label if shown and number % shown == 0 else "",
            "tip": f"{bar.label}: {bar.text}",
        }
        for number, bar in enumerate(chart)
    ]
    return render_to_string(
        "core/bars.svg",
        {
            "title": title,
            "bars": drawn,
            "highest": next((bar.text for bar in chart if bar.value == highest), ""),
            "width": WIDTH,
            "height": HEIGHT,
            "left": LEFT,
            "right": WIDTH - LEFT,
            "top": TOP,
            "zero": round(zero, 1),
            "base": HEIGHT - BOTTOM,
        },
    )


def _labels(chart: Sequence[Bar]) -> int:
    """How many labels have room beside each other."""
    widest = max((formats.columns(bar.label) for bar in chart), default=0)
    return max(min(MAX_LABELS, (WIDTH - 2 * LEFT) // (LETTER_WIDTH * (widest + 1))), 1)


def _scale(highest: int, lowest: int) -> float:
    """Pixels of one unit of the values."""
    return (HEIGHT - TOP - BOTTOM) / (highest - lowest) if highest > lowest else 0
