"""The engines alone: milliseconds a batch, in eager PyTorch and in OpenVINO."""

from __future__ import annotations

import statistics
import time
from typing import TYPE_CHECKING

import numpy as np

from resemotenet.engine import OpenVINOEngine, TorchEngine

if TYPE_CHECKING:
    from collections.abc import Sequence

    from resemotenet.checkpoint import Checkpoint
    from resemotenet.engine import Engine


def measure(checkpoint: Checkpoint, batches: Sequence[int], repeats: int) -> dict[str, dict[int, float]]:
    """Give each engine's median milliseconds for each batch size; the engines take turns in every repeat."""
    engines: list[Engine] = [
        TorchEngine(checkpoint, "f32"),
        OpenVINOEngine(checkpoint, precision="f32"),
        OpenVINOEngine(checkpoint, precision="bf16"),
    ]
    rng = np.random.default_rng(0)
    times: dict[str, dict[int, float]] = {engine.name: {} for engine in engines}
    for batch in batches:
        crops = rng.integers(0, 256, (batch, engines[0].input_size, engines[0].input_size), np.uint8)
        taken: dict[str, list[float]] = {engine.name: [] for engine in engines}
        for repeat in range(repeats + 1):
            for engine in engines:
                started = time.perf_counter()
                engine.logits(crops)
                if repeat:  # the first is the warm-up
                    taken[engine.name].append(1e3 * (time.perf_counter() - started))
        for name, values in taken.items():
            times[name][batch] = statistics.median(values)
    return times
