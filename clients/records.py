"""What is known of a frame once it is analysed, and faces followed from frame to frame."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from pydantic import BaseModel, ConfigDict

from clients.schemas import Face
from tracking.tracks import Tracker

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


class FrameRecord(BaseModel):
    """A frame and its faces, largest first.

    `frame` is its index in the video or the folder, from 0. `time` is in seconds from the video's start; images have
    none. `error` is a sentence where the frame could not be read.
    """

    model_config = ConfigDict(frozen=True)

    frame: int
    time: float | None
    file: str
    faces: tuple[Face, ...] = ()
    error: str | None = None


def followed(records: Iterable[FrameRecord]) -> Iterator[FrameRecord]:
    """Give each face of a video a number that stays with it; images, which have no time, stay as they are."""
    tracker = Tracker()
    for record in records:
        if record.time is None:
            yield record
            continue
        rows = np.array([list(face.probabilities.values()) for face in record.faces], np.float32)
        tracks, _ = tracker.update([face.box for face in record.faces], rows, record.time)
        faces = tuple(
            face.model_copy(update={"track": track}) for face, track in zip(record.faces, tracks, strict=True)
        )
        yield record.model_copy(update={"faces": faces})
