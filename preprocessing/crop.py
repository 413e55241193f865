"""A face -> the gray crop that an engine takes, resized exactly as training resized it.

Torchvision's `Grayscale -> Resize(antialias=True)` on a PIL picture is Pillow's bilinear resize, which widens its
filter when it shrinks; cv2.INTER_LINEAR does not, and gives other pixels.
"""

import math

import cv2
import numpy as np
from cv2.typing import MatLike
from PIL import Image

from preprocessing.faces import Face
from preprocessing.frame import Frame, Pixels


def to_input(frame: Frame, face: Face, size: int) -> Pixels:
    """Cuts the square of a face out of its frame.

    What lies outside of the frame repeats the frame's edge. A square is taken as one pixel of `frame.image` at least.

    Args:
        frame: The frame in which the face was found.
        face: Its `square`, in pixels of the original frame, is cut.
        size: Side of the crop in pixels.

    Returns:
        (size, size) uint8, gray (ITU-R 601).
    """
    height, width = frame.image.shape[:2]
    across, down = frame.scale
    left, right = _span(face.square.x / across, face.square.width / across)
    top, bottom = _span(face.square.y / down, face.square.height / down)

    columns = np.arange(math.floor(left), math.ceil(right))
    rows = np.arange(math.floor(top), math.ceil(bottom))
    x, y = columns.clip(0, width - 1), rows.clip(0, height - 1)
    gray = cv2.cvtColor(frame.image[y[0] : y[-1] + 1, x[0] : x[-1] + 1], cv2.COLOR_BGR2GRAY)
    if gray.shape != (len(rows), len(columns)):
        gray = gray[np.ix_(y - y[0], x - x[0])]

    # Cut first, then resize: Pillow's filter would otherwise reach beyond the square.
    box = (left - columns[0], top - rows[0], right - columns[0], bottom - rows[0])
    return _resize(gray, size, box)


def resize(crops: Pixels, size: int) -> Pixels:
    """Resizes gray crops that a client cut itself.

    Args:
        crops: (N, H, W) uint8, gray.
        size: Side of the result in pixels.

    Returns:
        (N, size, size) uint8; `crops` itself where it has that size already.

    Raises:
        ValueError: `crops` is not (N, H, W) uint8 with at least one pixel a crop.
    """
    if crops.dtype != np.uint8 or crops.ndim != 3 or 0 in crops.shape[1:]:
        raise ValueError(f"Crops are {crops.dtype} of shape {crops.shape}: expected uint8 of shape (N, H, W).")
    if crops.shape[1:] == (size, size):
        return crops
    resized = np.empty((len(crops), size, size), np.uint8)
    for crop, target in zip(crops, resized, strict=True):
        target[:] = _resize(crop, size)
    return resized


def _span(start: float, length: float) -> tuple[float, float]:
    """Where a side of the square begins and ends, widened round its middle to one pixel at least."""
    missing = max(1.0 - length, 0.0)
    return start - missing / 2, start + length + missing / 2


def _resize(gray: MatLike, size: int, box: tuple[float, float, float, float] | None = None) -> Pixels:
    picture = Image.fromarray(gray).resize((size, size), Image.Resampling.BILINEAR, box=box)
    return np.array(picture)
