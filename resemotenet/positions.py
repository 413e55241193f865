"""Convolutions on maps of few pixels, as a matrix product for each tap of the kernel.

A convolution runs image by image, and reads its kernel for each: on a map of 2 x 2 it does little else. Here a map is a
list of positions, each a matrix (N, C) of the whole batch. All positions that a tap meets are multiplied with its
matrix at once, so that a batch reads a kernel once, and nothing is multiplied with padding.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from openvino import Node
from openvino import opset13 as ops

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from resemotenet.taps import Taps

MOST_SIDE = 2
"""On maps up to this side a batch of 8 takes half of a convolution's time; on one of 4 x 4 nothing is gained."""


def from_map(x: Node) -> Node:
    """(N, C, S, S), C and S known, to (S*S, N, C), row by row."""
    _, channels, height, width = x.output(0).get_partial_shape()
    order = ops.transpose(x, np.array([2, 3, 0, 1]))
    return ops.reshape(order, np.array([height.get_length() * width.get_length(), -1, channels.get_length()]), False)


def convolution(x: Node, kernel: NDArray[np.float32], bias: NDArray[np.float32], tap: Taps) -> Node:
    """Convolve (S*S, N, C) with a kernel (F, C, K, K), ``tap`` along both axes; gives (T*T, N, F)."""
    side = math.isqrt(x.output(0).get_partial_shape()[0].get_length())
    size = kernel.shape[-1]
    out = (side + tap.pad_begin + tap.pad_end - size) // tap.stride + 1
    # along one axis: for each tap, which position it reads for which result
    meets = [[(i, o) for o in range(out) if 0 <= (i := o * tap.stride - tap.pad_begin + k) < side] for k in range(size)]
    products: list[list[Node]] = [[] for _ in range(out * out)]
    for k_row, rows in enumerate(meets):
        for k_column, columns in enumerate(meets):
            pairs = [(i * side + j, o * out + p) for i, o in rows for j, p in columns]
            if not pairs:
                continue
            read = ops.gather(x, np.array([i for i, _ in pairs]), np.array(0))
            matrix = np.ascontiguousarray(kernel[:, :, k_row, k_column])  # (F, C)
            product = ops.matmul(read, ops.constant(matrix), transpose_a=False, transpose_b=True)  # (pairs, N, F)
            parts = ops.split(product, np.array(0), len(pairs)).outputs()
            for (_, o), part in zip(pairs, parts, strict=True):
                products[o].append(part)
    return ops.add(ops.concat([_sum(parts) for parts in products], axis=0), bias.reshape(1, 1, -1))


def _sum(parts: list[Node]) -> Node:
    total = parts[0]
    for part in parts[1:]:
        total = ops.add(total, part)
    return total
