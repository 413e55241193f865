"""Dead taps: what is cut changes nothing, and nothing more could be cut."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F  # noqa: N812
from hypothesis import given, settings
from hypothesis import strategies as st
from networks import checkpoint, config, network, state

from resemotenet import taps
from resemotenet.architecture import shapes

sides, strides = st.integers(1, 20), st.integers(1, 4)


@settings(deadline=None)
@given(sides, sides, strides, st.integers(0, 2**32 - 1))
def test_the_cut_convolution_equals_the_whole_one(height, width, stride, seed):
    rng = torch.Generator().manual_seed(seed)
    x = torch.randn(2, 3, height, width, generator=rng, dtype=torch.float64)
    kernel = torch.randn(4, 3, 3, 3, generator=rng, dtype=torch.float64)
    whole = F.conv2d(x, kernel, stride=stride, padding=1)
    down, across = taps.live(height, stride), taps.live(width, stride)
    padded = F.pad(x, (across.pad_begin, across.pad_end, down.pad_begin, down.pad_end))
    cut = F.conv2d(padded, kernel[:, :, down.start : down.stop, across.start : across.stop], stride=stride)
    assert down.stride == across.stride == stride
    assert cut.shape == whole.shape
    torch.testing.assert_close(cut, whole, rtol=1e-12, atol=1e-12)


@given(sides, strides)
def test_every_tap_that_is_kept_meets_a_pixel_and_none_that_is_dropped_does(side, stride):
    live = taps.live(side, stride)
    for tap in range(3):
        kernel = torch.zeros(1, 1, 3)
        kernel[0, 0, tap] = 1
        meets = bool(F.conv1d(torch.ones(1, 1, side), kernel, stride=stride, padding=1).any())
        assert meets == (live.start <= tap < live.stop)


@given(sides, strides)
def test_padding_is_never_more_than_the_cut_kernel_reads(side, stride):
    live = taps.live(side, stride)
    outputs = (side - 1) // stride + 1
    reach = (outputs - 1) * stride + live.stop - live.start
    assert live.pad_begin >= 0
    assert live.pad_end in {0, reach - side - live.pad_begin}


def test_at_64_pixels_the_last_block_keeps_4_and_1_of_9_taps():
    found = {key: (tap.stop - tap.start) ** 2 for key, tap in taps.block_taps(config(1.0)).items()}
    assert found == {
        "res_block1.conv1.weight": 9,
        "res_block1.conv2.weight": 9,
        "res_block2.conv1.weight": 9,
        "res_block2.conv2.weight": 9,
        "res_block3.conv1.weight": 4,
        "res_block3.conv2.weight": 1,
    }


def test_without_dead_taps_the_published_network_has_36_million_parameters():
    parameters = {key: shape for key, shape in shapes(config(1.0)).items() if "running" not in key}
    assert sum(map(np.prod, parameters.values())) == 80_238_599
    empty = {key: np.broadcast_to(np.float32(0), shape) for key, shape in parameters.items()}
    dropped = taps.drop(empty, config(1.0))
    assert sum(value.size for value in dropped.values()) == 36_198_407
    assert round(36_198_407 / 1e6, 1) == 36.2


@pytest.mark.parametrize("input_size", [32, 48, 64, 80, 96, 128, 256])
def test_block_taps_fit_the_maps_that_the_model_really_has(input_size):
    model = network(0.1, input_size=input_size)
    sides, hooks = {}, []
    for name in taps.block_taps(model.config):
        layer = model.get_submodule(name.removesuffix(".weight"))
        hooks.append(layer.register_forward_hook(lambda _, x, y, name=name: sides.update({name: x[0].shape[-1]})))
    with torch.inference_mode():
        model(torch.zeros(1, 3, input_size, input_size))
    for hook in hooks:
        hook.remove()
    live = taps.block_taps(model.config)
    assert {name: taps.live(side, live[name].stride) for name, side in sides.items()} == live


@pytest.mark.parametrize("input_size", [48, 64, 96, 256])
def test_drop_and_restore_undo_each_other_but_for_the_dead_taps(input_size):
    model = network(0.1, input_size=input_size)
    full = state(model)
    cut = checkpoint(model).weights
    restored = taps.restore(cut, model.config)
    assert {key: value.shape for key, value in restored.items()} == shapes(model.config)
    for key, value in restored.items():
        live = taps.block_taps(model.config).get(key)
        alive = np.zeros(value.shape, bool)
        alive[... if live is None else np.s_[:, :, live.start : live.stop, live.start : live.stop]] = True
        np.testing.assert_array_equal(value, np.where(alive, full[key], 0))
    again = taps.drop(restored, model.config)
    for key, value in again.items():
        np.testing.assert_array_equal(value, cut[key])


def test_drop_and_restore_leave_alone_what_is_in_their_form_already():
    model = network(0.1)
    full, cut = state(model), checkpoint(model).weights
    assert all(np.array_equal(taps.drop(cut, model.config)[key], value) for key, value in cut.items())
    assert all(np.array_equal(taps.restore(full, model.config)[key], value) for key, value in full.items())


def test_drop_gives_arrays_that_do_not_keep_the_whole_kernel_alive():
    cut = checkpoint(network(0.1)).weights
    assert cut["res_block3.conv2.weight"].base is None


@pytest.mark.parametrize("input_size", range(32, 513, 16))
def test_localization_side_is_the_side_of_the_map_after_two_convolutions_and_pools(input_size):
    x = torch.zeros(1, 1, input_size, input_size)
    for _ in range(2):
        x = F.max_pool2d(F.conv2d(x, torch.zeros(1, 1, 7, 7)), 2)
    assert taps.localization_side(input_size) == x.shape[-1]
