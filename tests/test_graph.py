"""The rewritten OpenVINO graph is model.py."""

import copy

import numpy as np
import openvino
import pytest
import torch
from networks import SPREAD, checkpoint, config, network, pictures, randomised, reference, smooth, spread

from resemotenet import graph
from resemotenet.engine import OpenVINOEngine

#: Largest difference of logits from model.py.
TOLERANCE = 1e-4
VARIANTS = [
    pytest.param({"width": 1.0}, id="published"),
    pytest.param({"width": 1.0, "transformer": True, "input_size": 48}, id="deployed"),
    {"width": 0.3},
    {"width": 0.5},
    {"width": 0.3, "transformer": True, "input_size": 48},
    {"width": 0.25, "transformer": True},
    {"width": 0.25, "input_size": 32},
    {"width": 0.3, "input_size": 48},
    {"width": 0.25, "input_size": 96},
    {"width": 0.1, "input_size": 256},
    {"width": 0.25, "classes": 2},
    {"width": 0.25, "mean": (0.1, 0.5, 0.9), "std": (0.3, 0.6, 0.9)},
    {"width": 0.25, "mean": (0.0, 0.0, 0.0), "std": (1.0, 1.0, 1.0)},
    {"width": 0.25, "mean": (0.0, 0.0, 0.0), "std": (0.3, 0.6, 0.9)},
    {"width": 0.25, "mean": (0.5, 0.5, 0.5), "std": (0.5, 0.5, 0.5)},
]


@pytest.fixture(params=VARIANTS, ids=str)
def model(request):
    return network(**request.param)


def engine(model):
    return OpenVINOEngine(checkpoint(model), precision="f32")


def test_logits_are_those_of_the_model_in_any_batch(model):
    size = model.config.input_size
    # Through a transformer, noise's slopes magnify float32's rounding of coordinates: see the test after this one.
    crops = (smooth if model.config.transformer else pictures)(72, size)
    expected = reference(model, crops)
    assert spread(expected) > SPREAD
    compiled = engine(model)
    for start, stop in [(0, 1), (1, 8), (8, 72)]:
        logits = compiled.logits(crops[start:stop])
        assert logits.dtype == np.float32
        np.testing.assert_allclose(logits, expected[start:stop], rtol=0, atol=TOLERANCE)


@pytest.mark.parametrize("size", [48, 64])
def test_a_transformer_is_as_near_to_the_exact_logits_as_torch_is(size):
    model = network(0.25, transformer=True, input_size=size)
    crops = pictures(32, size)
    exact = copy.deepcopy(model).double()
    with torch.inference_mode():
        x = torch.tensor(crops[:, None] / 255)
        normalisation = (model.config.mean, model.config.std)
        mean, std = (torch.tensor(values, dtype=torch.float64).view(1, 3, 1, 1) for values in normalisation)
        expected = exact((x - mean) / std).numpy()
        theta = model.fc_loc(model.localization(((x - mean) / std).float()).flatten(1))
    assert theta.std(dim=0).min() > 0.01, "the map depends on the picture"
    assert spread(expected) > SPREAD
    torchs = np.abs(reference(model, crops) - expected).max()
    ours = np.abs(engine(model).logits(crops) - expected).max()
    assert ours < max(3 * torchs, TOLERANCE)


def test_a_transformer_matters():
    """Without it the logits are others, so that the parity above does hold it to something."""
    model = network(0.25, transformer=True)
    without = copy.deepcopy(model)
    without.transform = lambda x: x
    crops = smooth(16, 64)
    assert np.abs(reference(without, crops) - reference(model, crops)).max() > 0.2


def test_real_crops_of_a_transformer_that_looks_beyond_the_picture():
    """Where the map leaves the picture, both read zeros."""
    model = copy.deepcopy(network(0.25, transformer=True))
    with torch.no_grad():
        model.get_submodule("fc_loc.2").bias.mul_(1.8)
    crops = smooth(16, 64)
    np.testing.assert_allclose(engine(model).logits(crops), reference(model, crops), rtol=0, atol=TOLERANCE)


@pytest.mark.parametrize("seed", range(3))
def test_parity_holds_for_other_weights(seed):
    model = randomised(config(0.3), seed + 100)
    crops = pictures(16, 64, seed)
    np.testing.assert_allclose(engine(model).logits(crops), reference(model, crops), rtol=0, atol=TOLERANCE)


@pytest.mark.parametrize("value", [0, 1, 127, 255])
def test_flat_pictures_have_parity_too(value):
    model = network(0.3)
    crops = np.full((2, 64, 64), value, np.uint8)
    np.testing.assert_allclose(engine(model).logits(crops), reference(model, crops), rtol=0, atol=TOLERANCE)


def test_tiny_variances_have_parity_too():
    model = copy.deepcopy(network(0.25))
    with torch.no_grad():
        model.bn1.running_var[:3] = 0
        model.get_submodule("res_block2.bn1").running_var.mul_(1e-3)
        model.fc4.weight.div_(30)
    crops = pictures(16, 64)
    expected = reference(model, crops)
    scale = max(1, np.abs(expected).max() / 10)
    np.testing.assert_allclose(engine(model).logits(crops), expected, rtol=0, atol=TOLERANCE * scale)


def test_the_graph_takes_bytes_of_any_batch_and_gives_logits():
    built = graph.build(checkpoint(network(0.25, input_size=48)))
    crops, logits = built.input(0), built.output(0)
    assert crops.element_type == openvino.Type.u8
    assert crops.partial_shape == openvino.PartialShape([-1, 48, 48])
    assert logits.partial_shape == openvino.PartialShape([-1, 7])


def test_large_maps_are_convolved_throughout():
    operations = graph.build(checkpoint(network(0.1, input_size=256))).get_ordered_ops()
    assert sum(op.get_type_name() == "Convolution" for op in operations) == 3 + 3 * 3


def test_the_graph_holds_the_live_taps_alone_and_no_batch_norm():
    model = network(0.25)
    operations = graph.build(checkpoint(model)).get_ordered_ops()
    assert not [op for op in operations if "Norm" in op.get_type_name()]
    kernels = [tuple(op.input(1).get_shape()) for op in operations if op.get_type_name() == "Convolution"]
    assert kernels == [
        (16, 3, 3, 3),
        (32, 16, 3, 3),
        (64, 32, 3, 3),
        (128, 64, 3, 3),
        (128, 128, 3, 3),
        (128, 64, 1, 1),
    ]
    matrices = [tuple(op.input(1).get_shape()) for op in operations if op.get_type_name() == "MatMul"]
    # two convolutions of res_block2 and its shortcut, then of res_block3 four taps and a shortcut, and one tap
    assert matrices.count((256, 128)) == matrices.count((256, 256)) + 1 == 10
    assert (matrices.count((512, 256)), matrices.count((512, 512))) == (4 + 1, 1)
    held = sum(int(np.prod(op.get_output_shape(0))) for op in operations if op.get_type_name() == "Constant")
    assert held < sum(value.size for value in checkpoint(model).weights.values())
    assert held < 0.46 * sum(parameter.numel() for parameter in model.parameters())
