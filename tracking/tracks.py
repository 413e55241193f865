"""Faces followed from frame to frame: numbers that stay, and probabilities that do not flicker."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

MIN_OVERLAP = 0.3
"""Intersection over union from which a face is taken for the one of an earlier frame."""

FORGET_SECONDS = 1.0
"""A face that was not seen for longer than this is a new one when it comes back."""


class Box(Protocol):
    """A rectangle in pixels of the frame, origin top left."""

    @property
    def x(self) -> float:
        """Left edge."""

    @property
    def y(self) -> float:
        """Top edge."""

    @property
    def width(self) -> float:
        """From the left edge to the right."""

    @property
    def height(self) -> float:
        """From the top edge to the bottom."""


@dataclass(eq=False)
class _Track:
    number: int
    box: Box
    probabilities: NDArray[np.float32]
    seen: float


class Tracker:
    """Follows the faces of one stream of frames.

    Args:
        smoothing: Time constant in seconds of the exponential smoothing of each face's probabilities; 0 is none. After
            that time a change is shown to 63 %, whatever the frame rate.
    """

    def __init__(self, smoothing: float = 0.0) -> None:
        self._smoothing = smoothing
        self._tracks: list[_Track] = []
        self._numbers = itertools.count(1)

    def update(
        self, boxes: Sequence[Box], probabilities: NDArray[np.float32], at: float
    ) -> tuple[list[int], NDArray[np.float32]]:
        """Take in a frame's faces.

        Args:
            boxes: Of the faces, in pixels of the frame.
            probabilities: (N, C) float32, a row for each box.
            at: When the frame came, in seconds; not before the last frame.

        Returns:
            The number of each face, and its smoothed probabilities, (N, C) float32. Two faces never have one number.
        """
        self._tracks = [track for track in self._tracks if at - track.seen <= FORGET_SECONDS]
        matches = _match([track.box for track in self._tracks], boxes)
        tracks = []
        for index, (box, row) in enumerate(zip(boxes, probabilities, strict=True)):
            if index in matches:
                track = self._tracks[matches[index]]
                track.probabilities = track.probabilities + self._weight(at - track.seen) * (row - track.probabilities)
                track.box, track.seen = box, at
            else:
                track = _Track(next(self._numbers), box, row, at)
            tracks.append(track)
        self._tracks += [track for track in tracks if track not in self._tracks]
        smoothed = np.stack([track.probabilities for track in tracks]) if tracks else probabilities
        return [track.number for track in tracks], smoothed.astype(np.float32)

    def _weight(self, seconds: float) -> float:
        """Of the newest frame, this long after the last one."""
        return 1.0 if self._smoothing == 0 else -math.expm1(-seconds / self._smoothing)


def _match(old: Sequence[Box], new: Sequence[Box]) -> dict[int, int]:
    """Pair boxes, those that overlap most first, each at most once: index of the new one -> of the old one."""
    overlaps = [(_overlap(a, b), i, j) for i, a in enumerate(old) for j, b in enumerate(new)]
    pairs: dict[int, int] = {}
    taken = set()
    for overlap, i, j in sorted(overlaps, reverse=True):
        if overlap < MIN_OVERLAP:
            break
        if i not in taken and j not in pairs:
            pairs[j] = i
            taken.add(i)
    return pairs


def _overlap(a: Box, b: Box) -> float:
    """Intersection over union."""
    width = min(a.x + a.width, b.x + b.width) - max(a.x, b.x)
    height = min(a.y + a.height, b.y + b.height) - max(a.y, b.y)
    shared = max(width, 0.0) * max(height, 0.0)
    return shared / (a.width * a.height + b.width * b.height - shared)
