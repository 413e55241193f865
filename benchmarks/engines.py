"""The engines alone: milliseconds a batch, in eager PyTorch and in OpenVINO."""

from __future__ import annotations

import statistics
import time
from typing import TYPE_CHECKING

import numpy as np
import torch

from resemotenet import model as networks
from resemotenet.engine import OpenVINOEngine, TorchEngine

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from resemotenet.checkpoint import Checkpoint


#: Calls in a turn; the first finds its weights out of the cache, and is not counted.
CALLS = 4


def measure(checkpoint: Checkpoint, batches: Sequence[int], repeats: int) -> dict[str, dict[int, float]]:
    """Give each engine's median milliseconds for each batch size; the engines take turns in every repeat."""
    engines: dict[str, Callable[[NDArray[np.uint8]], object]] = {
        "eager PyTorch f32, as in the old design": eager(checkpoint)
    }
    for engine in (
        TorchEngine(checkpoint, "f32"),
        OpenVINOEngine(checkpoint, precision="f32"),
        OpenVINOEngine(checkpoint, precision="bf16"),
    ):
        engines[engine.name] = engine.logits
    rng = np.random.default_rng(0)
    size = checkpoint.config.input_size
    times: dict[str, dict[int, float]] = {name: {} for name in engines}
    for batch in batches:
        crops = rng.integers(0, 256, (batch, size, size), np.uint8)
        taken: dict[str, list[float]] = {name: [] for name in engines}
        for _ in range(repeats):
            for name, run in engines.items():
                for call in range(CALLS):
                    started = time.perf_counter()
                    run(crops)
                    if call:
                        taken[name].append(1e3 * (time.perf_counter() - started))
        for name, values in taken.items():
            times[name][batch] = statistics.median(values)
    return times


def eager(checkpoint: Checkpoint) -> Callable[[NDArray[np.uint8]], torch.Tensor]:
    """Make the network run as the old design runs it: layer by layer, on maps in PyTorch's usual order."""
    network, config = networks.from_checkpoint(checkpoint), checkpoint.config
    mean, std = (torch.tensor(values).view(1, 3, 1, 1) for values in (config.mean, config.std))

    def run(crops: NDArray[np.uint8]) -> torch.Tensor:
        with torch.no_grad():
            gray = torch.from_numpy(crops)[:, None].float() / 255
            logits: torch.Tensor = network((gray.expand(-1, 3, -1, -1) - mean) / std)
            return logits

    return run
