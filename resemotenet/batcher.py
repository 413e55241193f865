"""Adaptive batching in front of an engine, in process and work-conserving.

An item that finds the engine idle starts at once; what queues while the engine is busy is the next batch, up to a
maximum. So a lone item never waits for company, and under load the batches grow by themselves.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from time import perf_counter
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    #: (N, S, S) uint8 crops to (N, C) float32 rows.
    Run = Callable[[NDArray[np.uint8]], NDArray[np.float32]]

logger = logging.getLogger(__name__)


class QueueFullError(RuntimeError):
    """The queue holds as many items as it may; nothing of what was submitted was taken."""


@dataclass(frozen=True, eq=False)
class Row:
    """What the engine gave for one item: (C,) float32 values, seconds in the queue, seconds in the engine."""

    values: NDArray[np.float32]
    queued: float
    ran: float


@dataclass(eq=False)
class _Item:
    crop: NDArray[np.uint8]
    future: asyncio.Future[Row]
    arrived: float = field(default_factory=perf_counter)


class Batcher:
    """Gathers single crops into batches for an engine. Everything but the engine's call runs on one event loop.

    Args:
        run: the engine: (N, S, S) uint8 to (N, C) float32, called in a thread of the batcher's own, one call at a time.
        max_batch: the most items in one call.
        max_queue: when this many items wait, callers are refused at once. One who is not brings all of its crops.
    """

    def __init__(self, run: Run, max_batch: int, max_queue: int) -> None:
        self._run, self.max_batch, self.max_queue = run, max_batch, max_queue
        self._queue: deque[_Item] = deque()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="engine")
        self._worker: asyncio.Task[None] | None = None

    def __len__(self) -> int:
        """How many items wait."""
        return len(self._queue)

    async def submit(self, crops: NDArray[np.uint8]) -> list[Row]:
        """Run (N, S, S) uint8 crops, in batches with whatever else is waiting; gives a row for each, in order.

        A caller that is cancelled takes its items out of the queue.

        Raises:
            QueueFullError: at once, when the queue is full.
            Exception: what the engine raised for one of these crops; other callers' crops are not touched by it.
        """
        if len(crops) == 0:
            return []
        if len(self._queue) >= self.max_queue:
            raise QueueFullError(f"{len(self._queue)} items wait, of at most {self.max_queue}")
        loop = asyncio.get_running_loop()
        items = [_Item(crop, loop.create_future()) for crop in crops]
        self._queue.extend(items)
        if self._worker is None or self._worker.done():
            self._worker = loop.create_task(self._drain())
        try:
            return await asyncio.gather(*(item.future for item in items))
        finally:
            if not all(item.future.done() and not item.future.cancelled() for item in items):
                for item in items:
                    item.future.cancel()
                self._queue = deque(item for item in self._queue if not item.future.cancelled())

    async def close(self) -> None:
        """Finish what is queued, then free the engine's thread."""
        if self._worker is not None:
            await self._worker
        self._thread.shutdown()

    async def _drain(self) -> None:
        # A cancelled caller's items leave the queue a moment after its future is done: they are passed over till then.
        while live := [item for item in self._queue if not item.future.done()]:
            self._queue = deque(live[self.max_batch :])
            await self._answer(live[: self.max_batch])

    async def _answer(self, batch: list[_Item]) -> None:
        """Run a batch; if it fails, run its items one by one, so that only the bad ones fail."""
        started = perf_counter()
        try:
            crops = np.stack([item.crop for item in batch])
            rows = await asyncio.get_running_loop().run_in_executor(self._thread, self._run, crops)
            answers = list(zip(batch, rows, strict=True))
        except Exception as error:  # noqa: BLE001  (the engine's, and belongs to the items' callers)
            if len(batch) == 1:
                if not batch[0].future.done():
                    batch[0].future.set_exception(error)
                return
            logger.warning("a batch of %d failed (%s); running its items one by one", len(batch), type(error).__name__)
            for item in batch:
                if not item.future.done():
                    await self._answer([item])
            return
        ran = perf_counter() - started
        for item, values in answers:
            if not item.future.done():
                item.future.set_result(Row(values, started - item.arrived, ran))
