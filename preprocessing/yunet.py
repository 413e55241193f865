"""YuNet on OpenVINO: where the faces are in a picture.

Wu, Peng and Yu, "YuNet: A Tiny Millisecond-level Face Detector" (Machine Intelligence Research, 2023). Of 53,104
parameters; an anchor-free head at each of three strides gives a score and a box for every cell.
"""

import threading

import cv2
import numpy as np
import numpy.typing as npt
import openvino
from cv2.typing import MatLike
from openvino import Model, Node, Type
from openvino import opset13 as ops

from preprocessing.libfacedetection import Convolution, Unit, Weights

STRIDES = (8, 16, 32)
MAX_OVERLAP = 0.45
"""Of boxes with a larger intersection over union, the one with the best score is kept; libfacedetection's value."""

_TOP = 1000  # boxes that are looked at


class YuNet:
    """The network, compiled. Several threads may call it at once.

    Args:
        weights: Of its layers.
        threads: How many pictures it works on at a time, each in one thread.
    """

    def __init__(self, weights: Weights, threads: int) -> None:
        properties = {
            "PERFORMANCE_HINT": "THROUGHPUT",
            "NUM_STREAMS": str(threads),
            "INFERENCE_NUM_THREADS": str(threads),
            "INFERENCE_PRECISION_HINT": "f32",
            "ENABLE_CPU_PINNING": "NO",
        }
        self._model = openvino.Core().compile_model(build(weights), "CPU", properties)
        self._local = threading.local()

    def detect(self, image: MatLike, min_score: float) -> npt.NDArray[np.float32]:
        """Finds the faces of a (H, W, 3) uint8 BGR picture.

        Returns:
            (N, 5) float32: x, y, width, height in pixels, which may reach beyond the picture, and the score 0..1, over
            `min_score`; the best score first.
        """
        height, width = image.shape[:2]
        padded = cv2.copyMakeBorder(image, 0, -height % 32, 0, -width % 32, cv2.BORDER_CONSTANT, value=(0, 0, 0))
        request = self._request()
        request.infer([padded[None]], share_inputs=True)
        rows = np.concatenate([_rows(request.get_output_tensor(i).data, s, min_score) for i, s in enumerate(STRIDES)])
        if len(rows) > 1:
            rows = rows[cv2.dnn.NMSBoxes(rows[:, :4].tolist(), rows[:, 4].tolist(), 0.0, MAX_OVERLAP, 1.0, _TOP)]
        return rows

    def _request(self) -> openvino.InferRequest:
        if not hasattr(self._local, "request"):
            self._local.request = self._model.create_infer_request()
        request: openvino.InferRequest = self._local.request
        return request


def build(weights: Weights) -> Model:
    """Builds the graph: (1, H, W, 3) uint8 BGR, H and W multiples of 32, to (1, 5, H/s, W/s) float32 at each stride.

    The five are the score, 0..1, and the box in cells: its middle, from the cell's corner, and the logarithms of its
    width and height.
    """
    units = weights.units
    image = ops.parameter([1, -1, -1, 3], Type.u8, name="image")
    x = ops.convert(ops.transpose(image, np.array([0, 3, 1, 2])), Type.f32)
    x = ops.relu(_convolution(x, weights.stem, stride=2, pad=1))
    x = _pool(_unit(x, units["stage0"]))
    levels = []
    for stage in (1, 2, 3, 4, 5):
        x = _unit(_unit(x, units[f"stage{stage}.0"]), units[f"stage{stage}.1"])
        if stage >= 3:
            levels.append(x)
        if stage in {2, 3, 4}:
            x = _pool(x)
    heads: list[Node] = []
    for level in (2, 1, 0):
        x = _unit(levels[level] if level == 2 else ops.add(_twice(x), levels[level]), units[f"neck{level}"])
        score = ops.sigmoid(_unit(x, units[f"class{level}"], relu=False))
        score = ops.sqrt(ops.multiply(score, ops.sigmoid(_unit(x, units[f"object{level}"], relu=False))))
        heads.append(ops.concat([score, _unit(x, units[f"box{level}"], relu=False)], axis=1))
    return Model(heads[::-1], [image], "YuNet")


def _rows(head: npt.NDArray[np.float32], stride: int, min_score: float) -> npt.NDArray[np.float32]:
    """(1, 5, H, W) of one head -> (N, 5) x, y, width, height in pixels and score, of the cells over `min_score`."""
    down, across = np.nonzero(head[0, 0] > min_score)
    score, x, y, width, height = head[0, :, down, across].T
    size = np.exp([width, height])
    corner = np.array([x + across, y + down]) - size / 2
    return np.column_stack([*(stride * corner), *(stride * size), score]).astype(np.float32)


def _convolution(x: Node, layer: Convolution, stride: int = 1, pad: int = 0) -> Node:
    y = ops.convolution(x, layer.kernel, [stride] * 2, [pad] * 2, [pad] * 2, [1, 1])
    return ops.add(y, layer.bias.reshape(1, -1, 1, 1))


def _unit(x: Node, unit: Unit, *, relu: bool = True) -> Node:
    x = _convolution(x, unit.pointwise)
    kernel = unit.depthwise.kernel[:, None]  # (groups, 1, 1, 3, 3)
    y = ops.group_convolution(x, kernel, [1, 1], [1, 1], [1, 1], [1, 1])
    y = ops.add(y, unit.depthwise.bias.reshape(1, -1, 1, 1))
    return ops.relu(y) if relu else y


def _pool(x: Node) -> Node:
    return ops.max_pool(x, [2, 2], [1, 1], [0, 0], [0, 0], [2, 2]).output(0)


def _twice(x: Node) -> Node:
    """Doubles height and width, each pixel fourfold."""
    return ops.interpolate(
        x,
        np.array([2, 2], np.float32),
        mode="nearest",
        shape_calculation_mode="scales",
        coordinate_transformation_mode="asymmetric",
        nearest_mode="floor",
        axes=np.array([2, 3]),
    )
