"""BatchNorm folded into the convolution before it: the same function with fewer layers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    Weights = Mapping[str, NDArray[np.float32]]

#: PyTorch's default, which every known checkpoint was trained with.
EPSILON = 1e-5


def batch_norm(weights: Weights, conv: str, norm: str) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Give kernel (out, in, h, w) and bias (out,) of the convolution ``conv`` with the BatchNorm ``norm`` in it.

    BatchNorm in evaluation is y = (x - mean) / sqrt(variance + epsilon) * weight + bias for each channel (Ioffe and
    Szegedy 2015, arXiv 1502.03167, algorithm 2), so it scales the kernel and moves the bias. Computed in float64.
    """
    variance = weights[f"{norm}.running_var"].astype(np.float64)
    scale = weights[f"{norm}.weight"] / np.sqrt(variance + EPSILON)  # (out,)
    kernel = weights[f"{conv}.weight"] * scale.astype(np.float32)[:, None, None, None]
    bias = (weights[f"{conv}.bias"] - weights[f"{norm}.running_mean"]) * scale + weights[f"{norm}.bias"]
    return kernel, bias.astype(np.float32)
