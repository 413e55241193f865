"""Colours that people with any colour vision tell apart: Okabe and Ito, "Color Universal Design" (2008)."""

from __future__ import annotations

VERMILLION, PURPLE, GREEN, ORANGE = "#d55e00", "#cc79a7", "#009e73", "#e69f00"
BLUE, SKY_BLUE, GREY, YELLOW = "#0072b2", "#56b4e9", "#999999", "#f0e442"

IN_ORDER = (VERMILLION, PURPLE, GREEN, ORANGE, BLUE, SKY_BLUE, GREY, YELLOW)
"""For a model's labels in their order."""


def colours(labels: tuple[str, ...] | list[str]) -> dict[str, str]:
    """Give each label its colour, as #rrggbb."""
    return {label: IN_ORDER[index % len(IN_ORDER)] for index, label in enumerate(labels)}


def on(colour: str) -> str:
    """Black or white, whichever reads better on a colour (WCAG 2.2's relative luminance)."""
    channels = [int(colour[start : start + 2], 16) / 255 for start in (1, 3, 5)]
    linear = [value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4 for value in channels]
    luminance = 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
    return "#000000" if luminance > 0.179 else "#ffffff"
