"""How far the frames are: a bar on a terminal, a line every few seconds elsewhere."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeAlias

from rich import progress
from rich.text import Text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.console import Console

Report: TypeAlias = Callable[[int], None]
"""Takes how many frames are done."""

LINE_SECONDS = 5.0
"""Between two lines."""


@contextmanager
def frame_progress(console: Console, description: str, total: int | None, done: int = 0) -> Iterator[Report]:
    """Show progress while the context lasts.

    Args:
        console: Where.
        description: What is done to the frames.
        total: How many frames there are, or None.
        done: How many of them were done before.
    """
    with (_bar if console.is_terminal else _lines)(console, description, total, done) as report:
        yield report


class _Rate(progress.ProgressColumn):
    """Frames a second."""

    def render(self, task: progress.Task) -> Text:
        speed = task.finished_speed or task.speed
        return Text("" if speed is None else f"{speed:.0f} frames/s", style="progress.data.speed")


@contextmanager
def _bar(console: Console, description: str, total: int | None, done: int) -> Iterator[Report]:
    columns = (
        progress.TextColumn("{task.description}", markup=False),
        progress.BarColumn(),
        progress.MofNCompleteColumn(),
        _Rate(),
        progress.TimeRemainingColumn(elapsed_when_finished=True),
    )
    with progress.Progress(*columns, console=console) as bars:
        task = bars.add_task(description, total=total, completed=done)
        yield lambda now: bars.update(task, completed=now, total=None if total is None else max(total, now))


@contextmanager
def _lines(console: Console, description: str, total: int | None, done: int) -> Iterator[Report]:
    started = shown = time.monotonic()

    def report(now: int) -> None:
        nonlocal shown
        moment = time.monotonic()
        if moment - shown >= LINE_SECONDS:
            shown = moment
            line = _line(now, total, (now - done) / (moment - started))
            console.print(f"{description}: {line}", markup=False, highlight=False, soft_wrap=True)

    yield report


def _line(done: int, total: int | None, rate: float) -> str:
    """Say how many frames are done, how fast, and how long the others will take."""
    if total is None or done > total:
        return f"{done} frames, {rate:.0f} frames/s"
    left = f", {(total - done) / rate:.0f} s left" if rate > 0 else ""
    return f"{done} of {total} frames ({done / total:.0%}), {rate:.0f} frames/s{left}"
