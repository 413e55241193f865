"""The newest frame of a camera, whoever else is slow."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import cv2
import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray
    from typing_extensions import Self

# What is wrong is said in a sentence of ours, and not in lines of OpenCV's and FFmpeg's before it.
cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")

TIMEOUT_MS = 5000
"""Milliseconds until a network camera that does not answer is given up."""

CLOSE_SECONDS = 2.0
MAX_FPS = 120.0


class CameraError(Exception):
    """A camera that is not there, or gives no frames. Its text is a sentence for people."""


class CameraLostError(CameraError):
    """A camera that stopped giving frames."""


class Snapshot(NamedTuple):
    """A frame: its number from 1, its pixels (H, W, 3) uint8 in BGR, and when it came (monotonic seconds)."""

    number: int
    picture: NDArray[np.uint8]
    at: float


class Camera:
    """A camera, or what stands in its place, read in a thread of its own that is never held up.

    Args:
        source: The camera's number, a video file, which is played at its own pace, or the URL of a network camera.

    Raises:
        CameraError: There is no such camera, or it gives no frames.
    """

    def __init__(self, source: int | str) -> None:
        self.source = source
        self.is_file = isinstance(source, str) and "://" not in source
        self.error: CameraLostError | None = None
        self.ended = False
        self._newest: Snapshot | None = None
        self._changed = threading.Condition()
        self._stopping = threading.Event()
        self._capture = self._open()
        self._thread = threading.Thread(target=self._read, name="camera", daemon=True)
        self._thread.start()
        if self.wait(0) is None:
            self.close()
            raise CameraError(f"{self.name} gives no frames.")

    @property
    def name(self) -> str:
        """What to call it."""
        return f"Camera {self.source}" if isinstance(self.source, int) else str(self.source)

    @property
    def newest(self) -> Snapshot:
        """The newest frame."""
        assert self._newest is not None, "a camera without a frame is not made"
        return self._newest

    def wait(self, after: int) -> Snapshot | None:
        """Wait for a frame with a number above this one; None if there are no more."""
        with self._changed:
            self._changed.wait_for(lambda: self.ended or self._is_above(after))
            return self._newest if self._is_above(after) else None

    def frames(self, interval: float = 0.0) -> Iterator[Snapshot]:
        """Give the newest frame whenever one is asked for, each once and at least `interval` seconds after the last."""
        last, due = 0, 0.0
        while not self._stopping.wait(max(due - time.monotonic(), 0.0)):
            snapshot = self.wait(last)
            if snapshot is None:
                return
            last, due = snapshot.number, time.monotonic() + interval
            yield snapshot

    def close(self) -> None:
        """Let go of the camera."""
        self._stopping.set()
        self._thread.join(CLOSE_SECONDS)  # a network camera may not answer; the thread then lets go of it later

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _open(self) -> cv2.VideoCapture:
        if isinstance(self.source, int):
            capture = cv2.VideoCapture(self.source)
            missing = f"{self.name} is not there, or another program uses it. --camera names another."
        else:
            if self.is_file and not Path(self.source).is_file():
                raise CameraError(f"There is no file {self.source}.")
            limits = [cv2.CAP_PROP_OPEN_TIMEOUT_MSEC, TIMEOUT_MS, cv2.CAP_PROP_READ_TIMEOUT_MSEC, TIMEOUT_MS]
            capture = cv2.VideoCapture(self.source, cv2.CAP_FFMPEG, limits)
            missing = f"{self.name} is no video." if self.is_file else f"{self.name} does not answer with a video."
        if not capture.isOpened():
            raise CameraError(missing)
        return capture

    def _read(self) -> None:
        pace = 1 / self._fps() if self.is_file else 0.0
        due, number = time.monotonic(), 0
        try:
            while not self._stopping.wait(max(due - time.monotonic(), 0.0)):
                there, picture = self._capture.read()
                if not there:
                    if number and not self.is_file:
                        self.error = CameraLostError(f"{self.name} stopped giving frames. Was it unplugged?")
                    return
                number, due = number + 1, due + pace
                with self._changed:
                    self._newest = Snapshot(number, np.asarray(picture, np.uint8), time.monotonic())
                    self._changed.notify_all()
        finally:
            self._capture.release()
            with self._changed:
                self.ended = True
                self._changed.notify_all()

    def _fps(self) -> float:
        told = self._capture.get(cv2.CAP_PROP_FPS)
        return told if 0 < told <= MAX_FPS else 25.0

    def _is_above(self, number: int) -> bool:
        return self._newest is not None and self._newest.number > number
