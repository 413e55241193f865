"""`emotion video` at work: frames to the service, and a table, a plot and a video of what it says of them."""

from __future__ import annotations

import asyncio
import sys
import time
from contextlib import aclosing
from pathlib import Path
from typing import TYPE_CHECKING

from clients import annotated, exits, outputs, table, timeline
from clients.analysis import analysed
from clients.emotion_client import AsyncEmotionClient, EmotionError, InputError
from clients.footage import FootageError, fingerprint, footage
from clients.journal import Head, Journal, JournalError
from clients.outputs import OutputError
from clients.progress import frame_progress
from clients.records import followed
from clients.summary import Summary, headline, shares_table

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

    from rich.console import Console

    from clients.footage import Footage
    from clients.records import FrameRecord

RETRIES = 6
"""How often in a row to try to reach a service that is gone: for about ten seconds."""

TIMEOUT_SECONDS = 60.0
"""For an answer; the service gives up on a frame long before."""


class UsageError(Exception):
    """The command cannot be run like this. Its text is a sentence for people."""


def run(options: argparse.Namespace, console: Console) -> int:
    """Analyse; gives the exit status, after a sentence that says what went wrong."""
    statuses: dict[type[BaseException], int] = {
        UsageError: exits.USAGE,
        InputError: exits.USAGE,
        JournalError: exits.USAGE,
        FootageError: exits.NO_INPUT,
        EmotionError: exits.UNAVAILABLE,
        OutputError: exits.CANNOT_CREATE,
        KeyboardInterrupt: exits.INTERRUPTED,
    }
    task = _Task(options, console)
    try:
        task.run()
    except tuple(statuses) as error:
        sentence = "Stopped." if isinstance(error, KeyboardInterrupt) else str(error)
        if isinstance(error, JournalError):
            sentence += "; --overwrite starts over."
        print(f"emotion video: {sentence}{task.goes_on}", file=sys.stderr)
        return next(status for kind, status in statuses.items() if isinstance(error, kind))
    return exits.OK


class _Task:
    """One run of the command: an analysis that may have been begun before, and the files made of it."""

    def __init__(self, options: argparse.Namespace, console: Console) -> None:
        self._options, self._console = options, console
        self._out: Path = options.out or Path(f"{options.file.resolve().stem}.emotions{table.CSV}")
        self._kept = self._out.with_name(f"{self._out.name}.partial")
        self._journal: Journal | None = None

    @property
    def goes_on(self) -> str:
        """Say what happens to what is done, if the work is broken off now."""
        if self._journal is None or not self._journal.done:
            return ""
        frames = self._journal.done
        command = "the same command without --overwrite" if self._options.overwrite else "the same command"
        return f" {frames} frame{'s are' if frames > 1 else ' is'} done; {command} goes on from there."

    def run(self) -> None:
        """Analyse, and write the files; the table last, so that what is not finished goes on with the same command."""
        options, started = self._options, time.monotonic()
        self._check()
        source = footage(options.file)
        if options.overwrite:
            self._kept.unlink(missing_ok=True)
        new, labels = asyncio.run(self._analyse(source))
        took = time.monotonic() - started
        journal = self._journal
        assert journal is not None, "the analysis opened it"
        if not journal.done:
            journal.remove()
            raise FootageError(f"{options.file} holds no frame that can be read.")

        def records() -> Iterator[FrameRecord]:
            return followed(journal.records())

        summary = Summary.of(records(), labels)
        if options.plot:
            timeline.draw(options.plot, summary, options.file.name)
        if options.annotate:
            with frame_progress(self._console, "Drawing", source.total) as report:
                annotated.write(options.annotate, source, records(), options.every, report)
        table.write(self._out, records(), labels)
        journal.remove()
        self._console.print(headline(summary), style="bold", highlight=False, soft_wrap=True)
        self._console.print(shares_table(summary), highlight=False)
        rate = f", {new / took:.0f} frames/s" if new else ""
        files = ", ".join(str(path) for path in (self._out, options.plot, options.annotate) if path)
        self._console.print(f"{took:.1f} s{rate}. Written: {files}", markup=False, highlight=False, soft_wrap=True)
        if source.damage:
            print(f"emotion video: {options.file} is damaged: {source.damage}. The rest is written.", file=sys.stderr)

    def _check(self) -> None:
        """Check, before the work, whatever would spoil it at its end."""
        options = self._options
        wanted = ((self._out, (table.CSV, table.JSON_LINES)), (options.plot, (".png",)), (options.annotate, (".mp4",)))
        for path, endings in wanted:
            if path is None:
                continue
            if path.suffix.lower() not in endings:
                raise UsageError(f"{path} should end in {' or '.join(endings)}.")
            outputs.check(path)
            if path.exists() and path.resolve() == options.file.resolve():
                raise UsageError(f"{path} is what is to be analysed.")
            if path.exists() and not options.overwrite and not self._kept.exists():
                raise UsageError(f"{path} is there already; --overwrite replaces it.")

    async def _analyse(self, source: Footage) -> tuple[int, tuple[str, ...]]:
        """Analyse what is not done yet; gives how many frames that were, and the model's labels."""
        options = self._options
        async with AsyncEmotionClient(options.url, retries=RETRIES, timeout=TIMEOUT_SECONDS) as client:
            head = await self._head(client, source)
            with outputs.writing(self._kept):
                self._journal = Journal(self._kept, head)
            before = self._journal.done
            total = None if source.total is None else -(-source.total // options.every)
            frames = source.frames(options.every, first=before * options.every)
            with self._journal, frame_progress(self._console, "Analysing", total, before) as report:
                found = analysed(client, frames, model=head.model, in_flight=options.in_flight)
                async with aclosing(found) as records:
                    async for record in records:
                        with outputs.writing(self._kept):
                            self._journal.add(record)
                        report(self._journal.done)
            return self._journal.done - before, head.labels

    async def _head(self, client: AsyncEmotionClient, source: Footage) -> Head:
        """Wait until the service is ready, and say what is analysed with which model."""
        if (await client.health()).status != "ok":
            self._console.print("The service is starting ...", style="dim")
        health = await client.ready()
        return Head(
            file=source.path.name,
            fingerprint=fingerprint(source.files),
            every=self._options.every,
            model=health.model or "",
            labels=health.labels or (),
        )
