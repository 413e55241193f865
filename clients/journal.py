"""What is done of an analysis so far, kept in a file: an interrupted one goes on from there."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict, ValidationError

from clients.records import FrameRecord

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from typing_extensions import Self


class JournalError(Exception):
    """The journal is of another analysis, or damaged. Its text is a sentence for people."""


class Head(BaseModel):
    """What is analysed: the journal's first line."""

    model_config = ConfigDict(frozen=True)

    file: str
    fingerprint: str
    every: int
    model: str
    labels: tuple[str, ...]


class Journal:
    """JSON Lines: the head, and a line for each frame, in order. What a kill tore off the last line is dropped.

    Args:
        path: Of the journal; made where there is none.
        head: What is analysed now.

    Attributes:
        done: How many frames it holds.

    Raises:
        JournalError: It is of another analysis, or damaged.
        OSError: It cannot be read or written.
    """

    def __init__(self, path: Path, head: Head) -> None:
        self.path, self.head, self.done = path, head, 0
        size = self._check() if path.exists() else 0
        self._file = path.open("ab")
        self._file.truncate(size)
        if size == 0:
            self._append(head)

    def add(self, record: FrameRecord) -> None:
        """Take in the next frame."""
        self._append(record)
        self.done += 1

    def records(self) -> Iterator[FrameRecord]:
        """Give the frames that are done."""
        with self.path.open("rb") as lines:
            next(lines)
            for line in lines:
                yield FrameRecord.model_validate_json(line)

    def remove(self) -> None:
        """Delete the file."""
        self.close()
        self.path.unlink()

    def close(self) -> None:
        """Keep the file for later."""
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _append(self, line: BaseModel) -> None:
        self._file.write(line.model_dump_json().encode() + b"\n")
        self._file.flush()

    def _check(self) -> int:
        """Count the frames, and give the size in bytes of all whole lines."""
        size = 0
        with self.path.open("rb") as lines:
            for number, line in enumerate(lines):
                if not line.endswith(b"\n"):
                    break
                self._check_line(number, line)
                size += len(line)
        return size

    def _check_line(self, number: int, line: bytes) -> None:
        try:
            if number == 0:
                self._compare(Head.model_validate_json(line))
                return
            frame = FrameRecord.model_validate_json(line).frame
        except ValidationError:
            frame = -1
        if frame != self.done * self.head.every:
            raise JournalError(f"{self.path} is damaged at line {number + 1}")
        self.done += 1

    def _compare(self, kept: Head) -> None:
        if kept == self.head:
            return
        if (kept.file, kept.fingerprint) != (self.head.file, self.head.fingerprint):
            other = kept.file if kept.file != self.head.file else f"{kept.file} as it was before it changed"
            raise JournalError(f"{self.path} is the beginning of an analysis of {other}")
        if kept.every != self.head.every:
            raise JournalError(f"{self.path} was begun with --every {kept.every}, not {self.head.every}")
        raise JournalError(
            f"{self.path} was begun with the model {kept.model}; the service answers with {self.head.model}"
        )
