"""The largest face of each frame over time, and how much of the time it shows each emotion."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from rich.table import Table

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

    from clients.records import FrameRecord


@dataclass(frozen=True, eq=False)
class Summary:
    """An analysis as numbers.

    `at` is (N,) float64: the frames' times in seconds, or the images' numbers from 1. `probabilities` is (N, C)
    float32: the largest face's, NaN where there is none. `timed` says that `at` are seconds; then `faces` is how many
    were followed, else how many there are on all images. `refused` is how many frames could not be read.
    """

    labels: tuple[str, ...]
    at: NDArray[np.float64]
    probabilities: NDArray[np.float32]
    timed: bool
    faces: int
    refused: int

    @classmethod
    def of(cls, records: Iterable[FrameRecord], labels: Sequence[str]) -> Summary:
        """Sum up records whose faces are numbered."""
        at, rows, tracks, faces, refused, timed = [], [], 0, 0, 0, True
        nobody = [np.nan] * len(labels)
        for record in records:
            timed = timed and record.time is not None
            at.append(record.frame + 1.0 if record.time is None else record.time)
            largest = record.faces[0].probabilities if record.faces else None
            rows.append(nobody if largest is None else [largest.get(label, np.nan) for label in labels])
            tracks = max(tracks, *(face.track or 0 for face in record.faces), 0)
            faces += len(record.faces)
            refused += record.error is not None
        probabilities = np.array(rows, np.float32).reshape(len(rows), len(labels))
        return cls(tuple(labels), np.array(at), probabilities, timed, tracks if timed else faces, refused)

    @property
    def frames(self) -> int:
        """How many were analysed."""
        return len(self.at)

    @cached_property
    def seen(self) -> NDArray[np.bool_]:
        """Which frames show a face: (N,)."""
        return np.asarray(~np.isnan(self.probabilities).any(axis=1), np.bool_)

    @property
    def without_face(self) -> int:
        """How many frames were read, and show none."""
        return int((~self.seen).sum()) - self.refused

    @cached_property
    def spans(self) -> NDArray[np.float64]:
        """How long each frame lasts, until the next; the last as long as the one before it: (N,)."""
        if len(self.at) < 2:
            return np.ones(len(self.at))
        steps = np.maximum(np.diff(self.at), 0.0) if self.timed else np.ones(len(self.at) - 1)
        return np.append(steps, steps[-1])

    @cached_property
    def strongest(self) -> NDArray[np.intp]:
        """The label that each frame's largest face shows, as its index; -1 without a face: (N,)."""
        return np.where(self.seen, np.nan_to_num(self.probabilities).argmax(axis=1), -1)

    @cached_property
    def shares(self) -> dict[str, float]:
        """Of the time with a face, the part in which the largest shows each label; 0 to 1."""
        spans = np.array([self.spans[self.strongest == index].sum() for index in range(len(self.labels))])
        return dict(zip(self.labels, (spans / max(spans.sum(), 1e-9)).tolist(), strict=True))


def headline(summary: Summary) -> str:
    """Say how many frames and faces there were."""
    faces = f"{summary.faces} face{'' if summary.faces == 1 else 's'} {'followed' if summary.timed else 'in all'}"
    refused = f", {summary.refused} not read" if summary.refused else ""
    return f"{summary.frames} frames, {summary.without_face} without a face{refused}, {faces}"


def shares_table(summary: Summary) -> Table:
    """Say which part of the time the largest face shows which emotion."""
    table = Table(box=None, show_header=False, padding=(0, 1))
    table.add_column(justify="right")
    table.add_column(justify="right")
    for label, share in sorted(summary.shares.items(), key=lambda item: -item[1]):
        table.add_row(label, f"{share:.0%}")
    return table
