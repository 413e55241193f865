"""How far a download is, shown to a person: a bar on a terminal, plain lines in a log."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from contextlib import contextmanager
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from collections.abc import Iterator

#: Takes the bytes so far and, where it is known, the total.
Report = Callable[[int, int | None], None]

#: Between two lines of a log.
LINE_SECONDS = 5.0


@contextmanager
def download_progress(description: str, stream: TextIO | None = None) -> Iterator[Report]:
    """Show a download's progress while the context lasts.

    Args:
        description: what is being fetched.
        stream: where to show it; stderr where it is None.

    Yields:
        ``report(done_bytes, total_bytes)``, to call as often as one likes; the total may be None.
    """
    stream = sys.stderr if stream is None else stream
    with _bar(description, stream) if stream.isatty() else _lines(description, stream) as report:
        yield report


@contextmanager
def _bar(description: str, stream: TextIO) -> Iterator[Report]:
    from rich import console  # noqa: PLC0415 - only a terminal needs so many modules
    from rich import progress as bars  # noqa: PLC0415 - as above

    columns = (
        bars.TextColumn("{task.description}", markup=False),
        bars.BarColumn(),
        bars.DownloadColumn(),
        bars.TransferSpeedColumn(),
        bars.TimeRemainingColumn(),
    )
    with bars.Progress(*columns, console=console.Console(file=stream)) as progress:
        task = progress.add_task(description, total=None)
        yield lambda done, total: progress.update(task, completed=done, total=total)


@contextmanager
def _lines(description: str, stream: TextIO) -> Iterator[Report]:
    from rich.filesize import decimal  # noqa: PLC0415 - as above

    started = shown = time.monotonic()
    received = 0

    def report(done: int, total: int | None) -> None:
        nonlocal received, shown
        received = done
        if time.monotonic() - shown >= LINE_SECONDS:
            shown = time.monotonic()
            of_total = f" of {decimal(total)} ({done / total:.0%})" if total else ""
            write(f"{description}: {decimal(done)}{of_total}")

    def write(line: str) -> None:
        stream.write(line + "\n")
        stream.flush()

    write(f"fetching {description}")
    yield report
    write(f"fetched {decimal(received)} in {time.monotonic() - started:.1f} s")
