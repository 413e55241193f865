"""A frame's way: bytes -> picture -> faces -> crops -> batcher -> engine -> probabilities."""

from __future__ import annotations

import asyncio
import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from time import perf_counter
from typing import TYPE_CHECKING

import cv2
import numpy as np

from preprocessing import crop
from preprocessing.base64_text import from_base64
from preprocessing.detectors import create_detector
from preprocessing.frame import Frame, decode
from preprocessing.frame_errors import FrameError, FrameLimits, FrameTooLarge
from resemotenet import checkpoint as checkpoints
from resemotenet.batcher import Batcher, QueueFullError
from resemotenet.engine import create_engine
from serving.errors import ApiError

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from preprocessing.faces import Face, FaceDetector
    from resemotenet.config import ModelConfig
    from resemotenet.engine import Engine
    from serving.settings import Settings

#: Every batch up to this size is run once before the service is ready; all of 1024 would take minutes.
WARM_UP_BATCH = 16


@dataclass(frozen=True)
class Timings:
    """Seconds that a frame spent in each stage; ``queue`` is all of its waiting, for a thread and for the engine."""

    decode: float
    detect: float
    queue: float
    infer: float

    def header(self) -> str:
        """Give the value of a Server-Timing header (W3C), in milliseconds."""
        return ", ".join(f"{stage};dur={1e3 * seconds:.2f}" for stage, seconds in vars(self).items())


@dataclass(frozen=True, eq=False)
class Analysis:
    """The faces of a frame, largest first, with each one's probabilities: (N, C) float32, rows in the same order."""

    faces: list[Face]
    probabilities: NDArray[np.float32]
    timings: Timings


@dataclass(frozen=True, eq=False)
class _Prepared:
    faces: list[Face]
    crops: NDArray[np.uint8]  # (N, S, S)
    waited: float
    decode: float
    detect: float


class Pipeline:
    """Takes frames in, gives what their faces show. Its methods run on one event loop; the work runs in threads.

    Args:
        config: of the model that the engine runs.
        engine: gives probabilities for crops.
        detector: finds faces; called from several threads.
        settings: limits, threads and batch size.
    """

    def __init__(self, config: ModelConfig, engine: Engine, detector: FaceDetector, settings: Settings) -> None:
        self.config, self.engine, self.detector = config, engine, detector
        self._limits = FrameLimits(settings.max_image_bytes, settings.max_image_pixels)
        self._batcher = Batcher(engine.probabilities, settings.max_batch_size, settings.max_queue)
        self._threads = ThreadPoolExecutor(preprocess_threads(settings), thread_name_prefix="preprocess")
        self._under_way, self._most = 0, settings.max_queue

    @classmethod
    def load(cls, model: Path, settings: Settings) -> Pipeline:
        """Load a model's folder and everything in front of it, and run it once at each usual batch size.

        Raises:
            CheckpointError, EngineError, DetectorError: what cannot be loaded, and why.
        """
        cv2.setNumThreads(1)  # frames are what runs in parallel
        checkpoint = checkpoints.load(model)
        engine = create_engine(checkpoint, settings.engine, settings.engine_threads, settings.engine_precision)
        detector = create_detector(
            settings.face_detector,
            settings.face_detector_model,
            settings.face_min_confidence,
            preprocess_threads(settings),
        )
        most = settings.max_batch_size
        engine.warm_up({*range(1, min(most, WARM_UP_BATCH) + 1), most})
        detector.detect(Frame(np.zeros((480, 640, 3), np.uint8), 640, 480))
        return cls(checkpoint.config, engine, detector, settings)

    async def analyse(self, frame: str | bytes) -> Analysis:
        """Find the faces of a frame and read them.

        Args:
            frame: a picture file's bytes, or its base64 as text, with or without a data URL's prefix.

        Raises:
            ApiError: 400 for what is no picture, 413 for one over the limits, 503 at once when too much is under way.
        """
        if self._under_way >= self._most:
            raise ApiError.of_status(503)
        self._under_way += 1
        try:
            loop = asyncio.get_running_loop()
            prepared = await loop.run_in_executor(self._threads, self._prepare, frame, perf_counter())
            rows = await self._batcher.submit(prepared.crops)
        except FrameError as error:
            raise ApiError(413 if isinstance(error, FrameTooLarge) else 400, error.code, str(error)) from None
        except QueueFullError:
            raise ApiError.of_status(503) from None
        finally:
            self._under_way -= 1
        queued = max((row.queued for row in rows), default=0.0)
        infer = max((row.ran for row in rows), default=0.0)
        return Analysis(
            prepared.faces,
            np.stack([row.values for row in rows]) if rows else np.empty((0, self.config.num_classes), np.float32),
            Timings(prepared.decode, prepared.detect, prepared.waited + queued, infer),
        )

    async def to_input(self, crops: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Resize (N, H, W) gray crops to the (N, S, S) that the engine takes."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._threads, crop.resize, crops, self.engine.input_size)

    async def classify(self, crops: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Give (N, C) probabilities for (N, S, S) gray crops.

        Raises:
            ApiError: 503 at once when the queue is full.
        """
        try:
            rows = await self._batcher.submit(crops)
        except QueueFullError:
            raise ApiError.of_status(503) from None
        return np.stack([row.values for row in rows])

    async def close(self) -> None:
        """Finish what is under way and free the threads."""
        self._threads.shutdown()
        await self._batcher.close()

    def _prepare(self, frame: str | bytes, submitted: float) -> _Prepared:
        started = perf_counter()
        picture = decode(from_base64(frame, self._limits) if isinstance(frame, str) else frame, self._limits)
        decoded = perf_counter()
        faces = self.detector.detect(picture)
        side = self.engine.input_size
        crops = np.empty((len(faces), side, side), np.uint8)
        for target, face in zip(crops, faces, strict=True):
            target[:] = crop.to_input(picture, face, side)
        return _Prepared(faces, crops, started - submitted, decoded - started, perf_counter() - decoded)


def preprocess_threads(settings: Settings) -> int:
    """Give how many frames are decoded and searched at a time: one for each core that this process may use."""
    return settings.preprocess_threads or len(os.sched_getaffinity(0))
