"""Kernel taps that ever meet a pixel.

For a fixed input size the last maps are so small that most taps of their 3x3 kernels only ever meet padding: at 64x64
``res_block3.conv1`` uses 4 of 9 and ``res_block3.conv2`` 1 of 9. Without the dead ones the published network has 36.2M
parameters instead of 80.2M and gives the same logits.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from resemotenet.config import ModelConfig

KERNEL = 3


class Taps(NamedTuple):
    """A convolution's live taps along one axis: ``kernel[start:stop]``, and the padding that they still need."""

    start: int
    stop: int
    stride: int
    pad_begin: int
    pad_end: int


def live(side: int, stride: int) -> Taps:
    """Find the taps of a 3-wide kernel, padding 1, that meet at least one of ``side`` pixels at this stride."""
    out = (side - 1) // stride + 1
    met = [tap for tap in range(KERNEL) if any(0 <= o * stride - 1 + tap < side for o in range(out))]
    start, stop = met[0], met[-1] + 1
    pad_begin = 1 - start
    pad_end = max(0, (out - 1) * stride + (stop - start) - side - pad_begin)
    return Taps(start, stop, stride, pad_begin, pad_end)


def block_taps(config: ModelConfig) -> dict[str, Taps]:
    """Give the live taps of the residual blocks' 3x3 convolutions, by the name of their weight."""
    found = {}
    side = config.input_size // 8  # three 2x2 max-pools
    for block in ("res_block1", "res_block2", "res_block3"):
        found[f"{block}.conv1.weight"] = live(side, stride=2)
        side = (side - 1) // 2 + 1
        found[f"{block}.conv2.weight"] = live(side, stride=1)
    return found


def localization_side(input_size: int) -> int:
    """Side of the map that the spatial transformer's linear layers read: two times a 7x7 kernel and a 2x2 max-pool."""
    return ((input_size - 6) // 2 - 6) // 2


def drop(weights: Mapping[str, NDArray[np.float32]], config: ModelConfig) -> dict[str, NDArray[np.float32]]:
    """Cut the kernels (out, in, 3, 3) down to their live taps; kernels that are cut already stay as they are."""
    cut = dict(weights)
    for key, taps in block_taps(config).items():
        live_slice = slice(taps.start, taps.stop)
        if cut[key].shape[2:] == (KERNEL, KERNEL):
            cut[key] = np.ascontiguousarray(cut[key][:, :, live_slice, live_slice])
    return cut


def restore(weights: Mapping[str, NDArray[np.float32]], config: ModelConfig) -> dict[str, NDArray[np.float32]]:
    """Put cut kernels back to (out, in, 3, 3), with zeros for the dead taps: the inverse of :func:`drop` in effect."""
    full = dict(weights)
    for key, taps in block_taps(config).items():
        if full[key].shape[2:] != (KERNEL, KERNEL):
            kernel = np.zeros((*full[key].shape[:2], KERNEL, KERNEL), np.float32)
            kernel[:, :, taps.start : taps.stop, taps.start : taps.stop] = full[key]
            full[key] = kernel
    return full
