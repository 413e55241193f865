"""A camera whose newest frames the service reads, in a thread, so that nobody who looks at it waits for the network."""

from __future__ import annotations

import threading
import time
from collections import deque
from typing import TYPE_CHECKING, NamedTuple

from clients.errors import ClosedError, EmotionError

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy as np
    from numpy.typing import NDArray
    from typing_extensions import Self

    from clients.camera import Camera
    from clients.emotion_client import EmotionClient
    from clients.schemas import StreamPrediction

STALE_SECONDS = 1.0
"""What was read longer ago is not shown as if it were now."""

RATE_OVER = 20
"""Answers over which the rate is taken."""


class Reading(NamedTuple):
    """What the service said of a frame, when it came (monotonic seconds), and how many seconds after the frame."""

    prediction: StreamPrediction
    at: float
    latency: float


class Watching:
    """Sends a camera's frames to the service, and keeps what it says of the newest.

    Args:
        camera: Gives the frames.
        client: Sends them.
        interval: Least seconds between two frames that are sent.
        smoothing: Time constant in seconds of the smoothing of each face's probabilities.
    """

    def __init__(self, camera: Camera, client: EmotionClient, interval: float, smoothing: float) -> None:
        self.camera, self.client = camera, client
        self.error: EmotionError | None = None
        self.reading: Reading | None = None
        self.stopped = threading.Event()
        self._interval, self._smoothing = interval, smoothing
        self._taken: deque[float] = deque()  # when; of the frames that were not settled yet
        self._settled = 0  # frames answered or dropped
        self._times: deque[float] = deque(maxlen=RATE_OVER)
        self._thread = threading.Thread(target=self._run, name="watching", daemon=True)

    @property
    def over(self) -> bool:
        """Whether there is nothing more to come: stopped, the camera's end, or an error."""
        return self.stopped.is_set() or not self._thread.is_alive()

    @property
    def current(self) -> Reading | None:
        """The newest reading, unless it is stale."""
        reading = self.reading
        return None if reading is None or time.monotonic() - reading.at > STALE_SECONDS + self._interval else reading

    @property
    def rate(self) -> float:
        """Frames read a second, of late."""
        times = list(self._times)
        return (len(times) - 1) / (times[-1] - times[0]) if len(times) > 1 else 0.0

    @property
    def status(self) -> str:
        """A sentence for whoever looks."""
        reading = self.current
        if reading is None:
            return "The service does not answer; trying again ..." if self.reading else "Waiting for the service ..."
        if reading.prediction.problem is not None:
            return reading.prediction.problem.message
        faces = len(reading.prediction.faces)
        seen = "No face in view." if faces == 0 else f"{faces} face{'s' if faces > 1 else ''}."
        return f"{seen} {self.rate:.0f} frames/s, {reading.latency * 1000:.0f} ms"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stopped.set()
        self.camera.close()
        self.client.close()  # a call that is under way ends with it
        self._thread.join()

    def _run(self) -> None:
        try:
            for answer in self.client.stream(self._frames(), smoothing=self._smoothing, track=True):
                now = time.monotonic()
                self.reading = Reading(answer, now, now - self._when(answer.frame))
                self._times.append(now)
        except ClosedError:
            pass  # whoever watched has left
        except EmotionError as error:
            self.error = error

    def _when(self, frame: int) -> float:
        """When the frame with this number was taken; none before it will be asked for."""
        while True:
            self._settled += 1
            at = self._taken.popleft()
            if self._settled == frame:
                return at

    def _frames(self) -> Iterator[NDArray[np.uint8]]:
        for snapshot in self.camera.frames(self._interval):
            self._taken.append(snapshot.at)
            yield snapshot.picture
