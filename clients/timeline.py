"""The emotions of the largest face over time, as a picture."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator, PercentFormatter

from clients.outputs import replacing
from clients.palette import colours, on

if TYPE_CHECKING:
    from pathlib import Path

    from matplotlib.axes import Axes
    from numpy.typing import NDArray

    from clients.summary import Summary

WIDTH, HEIGHT, DPI = 14.0, 7.0, 100
"""Inches, inches, pixels an inch."""

POINTS = 200
"""A line with more points than this is smoothed, over as many of them as make it so many."""

NAMED_PART = 0.05
"""A stretch of one emotion is named in the band if it is at least this part of the time."""

DASHES = ("solid", (0, (6, 2)), (0, (2, 1.5)), (0, (8, 2, 2, 2)))


def draw(path: Path, summary: Summary, name: str) -> None:
    """Write a PNG of 1400 x 700 pixels: probabilities over time, the strongest emotion below, its share beside them.

    Args:
        path: Of the PNG.
        summary: Of the analysis.
        name: Of what was analysed.

    Raises:
        OutputError: It cannot be written.
    """
    figure = Figure(figsize=(WIDTH, HEIGHT), dpi=DPI, layout="constrained")
    grid = figure.add_gridspec(2, 2, width_ratios=(4.2, 1), height_ratios=(10, 1))
    lines = figure.add_subplot(grid[0, 0])
    band = figure.add_subplot(grid[1, 0], sharex=lines)
    count = smoothed_over(summary.frames)
    _draw_lines(lines, summary, count)
    _draw_band(band, summary)
    _draw_shares(figure.add_subplot(grid[:, 1]), summary)
    note = f" Smoothed over {count} frames." if count > 1 else ""
    figure.suptitle(f"{name}: the largest face.{note}", x=0.01, ha="left", fontsize=14)
    with replacing(path) as temporary:
        figure.savefig(temporary, format="png")


def smoothed_over(frames: int) -> int:
    """Over how many frames lines are smoothed: an odd number, so that they stay in place."""
    count = frames // POINTS
    return max(count - 1 + count % 2, 1) if count > 1 else 1


def smoothed(values: NDArray[np.float32], count: int) -> NDArray[np.float64]:
    """Give the mean of each `count` values round each; (N,), NaN stays NaN and counts for nothing."""
    seen = ~np.isnan(values)
    window = np.ones(min(count, len(values)))
    sums = np.convolve(np.where(seen, values, 0.0), window, "same")
    counts = np.convolve(seen.astype(float), window, "same")
    return np.where(seen, sums / np.maximum(counts, 1), np.nan)


def _draw_lines(axes: Axes, summary: Summary, count: int) -> None:
    marker = "o" if summary.frames < 40 else None
    for index, (label, colour) in enumerate(colours(summary.labels).items()):
        values = smoothed(summary.probabilities[:, index], count)
        axes.plot(
            summary.at, values, color=colour, linewidth=2, label=label, linestyle=DASHES[index % 4],
            marker=marker, markersize=4,
        )  # fmt: skip
    axes.set_ylim(-0.02, 1.02)
    axes.yaxis.set_major_formatter(PercentFormatter(1.0))
    axes.set_ylabel("probability")
    axes.grid(visible=True, alpha=0.3)
    axes.tick_params(labelbottom=False)
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, 1.09), ncols=8, frameon=False, handlelength=2.6)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)


def _draw_band(axes: Axes, summary: Summary) -> None:
    palette = list(colours(summary.labels).items())
    whole = max(float(summary.spans.sum()), 1e-9)
    for first, last in _stretches(summary.strongest):
        label, colour = palette[summary.strongest[first]]
        start, width = summary.at[first], float(summary.spans[first : last + 1].sum())
        axes.broken_barh([(start, width)], (0, 1), facecolors=colour)
        if width >= NAMED_PART * whole:
            axes.text(start + width / 2, 0.45, label, ha="center", va="center", color=on(colour), clip_on=True)
    axes.set_yticks([])
    axes.set_ylim(0, 1)
    axes.set_xlim(summary.at[0], summary.at[-1] + summary.spans[-1])
    axes.set_xlabel("time" if summary.timed else "image")
    axes.xaxis.set_major_locator(MaxNLocator(10, steps=[1, 2, 3, 6, 10], integer=not summary.timed))
    if summary.timed:
        axes.xaxis.set_major_formatter(FuncFormatter(lambda at, _: clock(at)))
    for side in ("top", "left", "right"):
        axes.spines[side].set_visible(False)


def _draw_shares(axes: Axes, summary: Summary) -> None:
    ranked = sorted(summary.shares.items(), key=lambda item: item[1])
    palette = colours(summary.labels)
    bars = axes.barh(
        [label for label, _ in ranked], [s for _, s in ranked], color=[palette[label] for label, _ in ranked]
    )
    axes.bar_label(bars, labels=[f"{share:.0%}" for _, share in ranked], padding=4)
    axes.set_xlim(0, max(1.25 * max((share for _, share in ranked), default=1.0), 0.1))
    axes.set_xticks([])
    followed = "followed" if summary.timed else "in all"
    axes.set_title(
        f"{summary.frames} frames\n{summary.without_face} without a face\n{summary.faces} faces {followed}\n\n"
        "share of the time with a face",
        loc="left", fontsize=11,
    )  # fmt: skip
    for side in ("top", "right", "bottom"):
        axes.spines[side].set_visible(False)


def _stretches(strongest: NDArray[np.intp]) -> list[tuple[int, int]]:
    """Give the first and last index of each run of one label."""
    edges = np.flatnonzero(np.diff(strongest)) + 1
    starts, ends = [0, *edges.tolist()], [*(edges - 1).tolist(), len(strongest) - 1]
    return [(start, end) for start, end in zip(starts, ends, strict=True) if strongest[start] >= 0]


def clock(seconds: float) -> str:
    """Write seconds as 0:07.5, 1:02 or 1:00:05."""
    tenths = round(seconds * 10)
    whole, tenth = divmod(tenths, 10)
    minutes, second = divmod(whole, 60)
    hours, minute = divmod(minutes, 60)
    text = f"{hours}:{minute:02}:{second:02}" if hours else f"{minute}:{second:02}"
    return f"{text}.{tenth}" if tenth else text
