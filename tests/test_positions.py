"""resemotenet.positions: what a convolution gives, without one."""

import numpy as np
import openvino
import pytest
import torch
import torch.nn.functional as F  # noqa: N812
from hypothesis import given, settings
from hypothesis import strategies as st
from openvino import opset13 as ops

from resemotenet import positions, taps
from resemotenet.taps import Taps


def run(node, parameter, x):
    model = openvino.Model([node], [parameter], "test")
    properties = {"INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": "1"}
    return openvino.Core().compile_model(model, "CPU", properties)([x])[0]


@settings(deadline=None, max_examples=60)
@given(side=st.integers(1, 5), stride=st.integers(1, 3), batch=st.integers(1, 4), seed=st.integers(0, 2**32 - 1))
def test_live_taps_give_what_the_whole_convolution_gives(side, stride, batch, seed):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(batch, 3, side, side)).astype(np.float32)
    kernel, bias = rng.normal(size=(4, 3, 3, 3)).astype(np.float32), rng.normal(size=4).astype(np.float32)
    live = taps.live(side, stride)
    cut = kernel[:, :, live.start : live.stop, live.start : live.stop]
    parameter = ops.parameter([-1, 3, side, side], openvino.Type.f32)
    given_positions = run(positions.convolution(positions.from_map(parameter), cut, bias, live), parameter, x)
    expected = F.conv2d(*map(torch.from_numpy, (x, kernel, bias)), stride=stride, padding=1).numpy()
    side = expected.shape[-1]
    found = given_positions.reshape(side, side, batch, 4).transpose(2, 3, 0, 1)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-4)


@pytest.mark.parametrize("stride", [1, 2])
def test_a_shortcut_reads_every_second_position(stride):
    x = np.arange(2 * 3 * 16, dtype=np.float32).reshape(2, 3, 4, 4)
    parameter = ops.parameter([-1, 3, 4, 4], openvino.Type.f32)
    kernel = np.eye(3, dtype=np.float32)[:, :, None, None]
    tap = Taps(start=0, stop=1, stride=stride, pad_begin=0, pad_end=0)
    node = positions.convolution(positions.from_map(parameter), kernel, np.zeros(3, np.float32), tap)
    found = run(node, parameter, x)
    assert np.array_equal(found, x[:, :, ::stride, ::stride].transpose(2, 3, 0, 1).reshape(-1, 2, 3))


def test_nothing_is_multiplied_with_padding():
    parameter = ops.parameter([-1, 3, 2, 2], openvino.Type.f32)
    node = positions.convolution(
        positions.from_map(parameter), np.ones((4, 3, 3, 3), np.float32), np.zeros(4, np.float32), taps.live(2, 1)
    )
    operations = openvino.Model([node], [parameter], "test").get_ordered_ops()
    rows = [op.output(0).get_partial_shape()[0].get_length() for op in operations if op.get_type_name() == "MatMul"]
    assert sorted(rows) == [1, 1, 1, 1, 2, 2, 2, 2, 4]  # corners, edges, middle: 16 of 36
