"""A checkpoint's weights -> ResEmoteNet as an OpenVINO graph: gray crops in, logits out.

Three exact rewrites make it fast: every BatchNorm is folded into its convolution, kernels keep only the taps that ever
meet a pixel, and convolutions on the last, tiny maps become matrix products. Normalisation is part of the graph.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from openvino import Model, Node, Type
from openvino import opset13 as ops

from resemotenet import fold, positions, taps

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from numpy.typing import NDArray

    from resemotenet.checkpoint import Checkpoint
    from resemotenet.config import ModelConfig
    from resemotenet.taps import Taps

    Weights = Mapping[str, NDArray[np.float32]]
    #: What is convolved, kernel (F, C, K, K), bias (F,), and the taps along both axes.
    Convolution = Callable[[Node, NDArray[np.float32], NDArray[np.float32], Taps], Node]

FULL = taps.Taps(start=0, stop=3, stride=1, pad_begin=1, pad_end=1)
NO_PAD = taps.Taps(start=0, stop=1, stride=1, pad_begin=0, pad_end=0)


def build(checkpoint: Checkpoint) -> Model:
    """Build the graph: (N, S, S) uint8 gray crops, any N, to (N, classes) float32 logits.

    Weights are made constants here, not by the operations: those would turn each number into a Python object first.
    """
    config, weights = checkpoint.config, checkpoint.weights
    crops = ops.parameter([-1, config.input_size, config.input_size], Type.u8, name="crops")
    x = _normalise(crops, config)
    if config.transformer:
        x = _transform(x, weights, config.input_size)
    for i in (1, 2, 3):
        x = _pool(ops.relu(_conv(x, *fold.batch_norm(weights, f"conv{i}", f"bn{i}"), FULL)))
    x = _squeeze_excitation(x, weights)
    live = taps.block_taps(config)
    convolution, space = _conv, np.array([2, 3])
    side = config.input_size // 8
    for block in ("res_block1", "res_block2", "res_block3"):
        side = (side - 1) // 2 + 1  # of what the block gives
        if side <= positions.MOST_SIDE and convolution is _conv:
            x = positions.from_map(x)
            convolution, space = positions.convolution, np.array([0])
        x = _residual_block(x, weights, block, live, convolution)
    x = ops.reduce_mean(x, space, keep_dims=False)  # (N, 32c)
    for i in (1, 2, 3):
        x = ops.relu(_linear(x, weights, f"fc{i}"))
    return Model([_linear(x, weights, "fc4")], [crops], "ResEmoteNet")


def _normalise(crops: Node, config: ModelConfig) -> Node:
    """(N, S, S) uint8 to (N, 3, S, S) float32: three copies, each with its channel's mean and deviation."""
    gray = ops.unsqueeze(ops.convert(crops, Type.f32), np.array([1]))
    mean, std = (np.array(values, np.float32).reshape(1, 3, 1, 1) for values in (config.mean, config.std))
    # Copied first: with a mean of 0, OpenVINO would fuse a multiplication that broadcasts into conv1, and fail.
    copies = ops.tile(gray, np.array([1, 3, 1, 1]))
    return ops.subtract(ops.multiply(copies, 1 / (255 * std)), mean / std)


def _conv(x: Node, kernel: NDArray[np.float32], bias: NDArray[np.float32], tap: Taps) -> Node:
    strides, begin, end = [tap.stride] * 2, [tap.pad_begin] * 2, [tap.pad_end] * 2
    return ops.add(ops.convolution(x, ops.constant(kernel), strides, begin, end, [1, 1]), bias.reshape(1, -1, 1, 1))


def _pool(x: Node) -> Node:
    return ops.max_pool(x, [2, 2], [1, 1], [0, 0], [0, 0], [2, 2]).output(0)


def _linear(x: Node, weights: Weights, name: str) -> Node:
    y = ops.matmul(x, ops.constant(weights[f"{name}.weight"]), transpose_a=False, transpose_b=True)
    bias = weights.get(f"{name}.bias")
    return y if bias is None else ops.add(y, bias)


def _squeeze_excitation(x: Node, weights: Weights) -> Node:
    squeezed = ops.reduce_mean(x, np.array([2, 3]), keep_dims=False)  # (N, C)
    gate = ops.sigmoid(_linear(ops.relu(_linear(squeezed, weights, "se.fc.0")), weights, "se.fc.2"))
    return ops.multiply(x, ops.unsqueeze(gate, np.array([2, 3])))


def _residual_block(x: Node, weights: Weights, block: str, live: Mapping[str, Taps], conv: Convolution) -> Node:
    first = fold.batch_norm(weights, f"{block}.conv1", f"{block}.bn1")
    second = fold.batch_norm(weights, f"{block}.conv2", f"{block}.bn2")
    shortcut = fold.batch_norm(weights, f"{block}.shortcut.0", f"{block}.shortcut.1")
    y = ops.relu(conv(x, *first, live[f"{block}.conv1.weight"]))
    y = conv(y, *second, live[f"{block}.conv2.weight"])
    return ops.relu(ops.add(y, conv(x, *shortcut, NO_PAD._replace(stride=2))))


def _transform(x: Node, weights: Weights, size: int) -> Node:
    """Sample (N, 3, S, S) through the affine map that the localisation network reads off it."""
    y = x
    for name in ("localization.0", "localization.3"):
        y = ops.relu(_pool(_conv(y, weights[f"{name}.weight"], weights[f"{name}.bias"], NO_PAD)))
    y = ops.reshape(y, np.array([0, -1]), special_zero=True)
    theta = _linear(ops.relu(_linear(y, weights, "fc_loc.0")), weights, "fc_loc.2")
    theta = ops.reshape(theta, np.array([-1, 2, 3]), special_zero=False)
    centres = ((2 * np.arange(size) + 1) / size - 1).astype(np.float32)  # of the pixels, in -1..1
    across, down = np.meshgrid(centres, centres)
    base = np.stack([across, down, np.ones_like(across)], axis=-1).reshape(1, -1, 3)  # (1, S*S, 3)
    grid = ops.reshape(
        ops.matmul(base, theta, transpose_a=False, transpose_b=True), np.array([-1, size, size, 2]), False
    )
    return ops.grid_sample(x, grid, {"align_corners": False, "mode": "bilinear", "padding_mode": "zeros"})
