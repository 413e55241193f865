"""The table of an analysis: CSV, a row for each face, or JSON Lines, an object for each frame."""

from __future__ import annotations

import csv
from typing import TYPE_CHECKING

from clients.outputs import replacing

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from clients.records import FrameRecord
    from clients.schemas import Face

CSV, JSON_LINES = ".csv", ".jsonl"

COLUMNS = ("frame", "time", "file", "track", "x", "y", "width", "height", "confidence", "emotion")
"""Before the labels' columns; `error` comes after them."""


def write(path: Path, records: Iterable[FrameRecord], labels: Sequence[str]) -> None:
    """Write the table, as CSV or JSON Lines by its name's ending.

    Raises:
        OutputError: It cannot be written.
    """
    with replacing(path) as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
        if path.suffix.lower() == JSON_LINES:
            file.writelines(f"{record.model_dump_json()}\n" for record in records)
        else:
            rows = csv.writer(file, lineterminator="\n")
            rows.writerow((*COLUMNS, *labels, "error"))
            for record in records:
                rows.writerows(_rows(record, labels))


def _rows(record: FrameRecord, labels: Sequence[str]) -> Iterator[tuple[object, ...]]:
    """A row for each face, or one with empty cells."""
    frame = (record.frame, "" if record.time is None else f"{record.time:.6f}", record.file)
    for face in record.faces or (None,):
        yield (*frame, *_cells(face, labels), record.error or "")


def _cells(face: Face | None, labels: Sequence[str]) -> tuple[object, ...]:
    if face is None:
        return ("",) * (len(COLUMNS) - 3 + len(labels))
    box = face.box
    found = (face.track, box.x, box.y, box.width, box.height, face.confidence, face.emotion)
    return (*found, *(face.probabilities.get(label) for label in labels))  # csv writes None as an empty cell
