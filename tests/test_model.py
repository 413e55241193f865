"""The reference network is the published one."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F  # noqa: N812
from networks import SPREAD, checkpoint, config, network, normalised, pictures, reference, spread, state

from resemotenet import taps
from resemotenet.checkpoint import Checkpoint
from resemotenet.model import ResEmoteNet, from_checkpoint


def outputs(model, size):
    """The shape that every submodule gives for one picture."""
    found = {}
    hooks = [
        module.register_forward_hook(lambda _, x, y, name=name: found.update({name: tuple(y.shape[1:])}))
        for name, module in model.named_modules()
    ]
    with torch.inference_mode():
        model(torch.zeros(1, 3, size, size))
    for hook in hooks:
        hook.remove()
    return found


def test_the_published_network_has_80_238_599_parameters():
    with torch.device("meta"):
        model = ResEmoteNet(config(1.0))
    assert sum(parameter.numel() for parameter in model.parameters()) == 80_238_599


def test_layers_give_the_shapes_of_the_docstrings_table():
    found = outputs(network(1.0), 64)
    expected = {
        "conv1": (64, 64, 64),  # the table gives shapes after the pool
        "conv2": (128, 32, 32),
        "conv3": (256, 16, 16),
        "se": (256, 8, 8),
        "res_block1": (512, 4, 4),
        "res_block2": (1024, 2, 2),
        "res_block3": (2048, 1, 1),
        "fc1": (1024,),
        "fc2": (512,),
        "fc3": (256,),
        "fc4": (7,),
        "": (7,),
    }
    assert {name: found[name] for name in expected} == expected


def test_the_deployed_variants_localisation_reads_1568_values():
    model = network(0.1, transformer=True, input_size=48)
    assert outputs(model, 48)["localization"] == (32, 7, 7)
    assert model.get_submodule("fc_loc.0").in_features == 1568


def by_hand(model, x):
    """The published network written down once more, in functions alone, from the state dict."""
    w = model.state_dict()

    def norm(x, name):
        values = (w[f"{name}.{part}"] for part in ("running_mean", "running_var", "weight", "bias"))
        mean, variance, gain, bias = (value.view(1, -1, 1, 1) for value in values)
        return (x - mean) / (variance + 1e-5).sqrt() * gain + bias

    def conv(x, name, **options):
        return F.conv2d(x, w[f"{name}.weight"], w[f"{name}.bias"], **options)

    for i in (1, 2, 3):
        x = F.max_pool2d(F.relu(norm(conv(x, f"conv{i}", padding=1), f"bn{i}")), 2)
    gate = F.relu(F.adaptive_avg_pool2d(x, 1).flatten(1) @ w["se.fc.0.weight"].T) @ w["se.fc.2.weight"].T
    x = x * torch.sigmoid(gate)[..., None, None]
    for block in ("res_block1", "res_block2", "res_block3"):
        y = F.relu(norm(conv(x, f"{block}.conv1", stride=2, padding=1), f"{block}.bn1"))
        y = norm(conv(y, f"{block}.conv2", padding=1), f"{block}.bn2")
        x = F.relu(y + norm(conv(x, f"{block}.shortcut.0", stride=2), f"{block}.shortcut.1"))
    x = F.adaptive_avg_pool2d(x, 1).flatten(1)
    for name in ("fc1", "fc2", "fc3"):
        x = F.relu(F.linear(x, w[f"{name}.weight"], w[f"{name}.bias"]))
    return F.linear(x, w["fc4.weight"], w["fc4.bias"])


@pytest.mark.parametrize("size", [48, 64, 96])
def test_logits_are_those_of_the_network_written_down_once_more(size):
    model, crops = network(0.25, input_size=size), pictures(16, size)
    logits = reference(model, crops)
    assert spread(logits) > SPREAD
    np.testing.assert_allclose(by_hand(model, normalised(crops, model.config)).numpy(), logits, rtol=0, atol=1e-4)


@pytest.mark.parametrize("size", [48, 64])
def test_a_new_transformer_is_the_identity_map(size):
    model = ResEmoteNet(config(0.1, transformer=True, input_size=size)).eval()
    x = torch.randn(4, 3, size, size, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        torch.testing.assert_close(model.transform(x), x, rtol=0, atol=1e-4)


def test_a_transformer_moves_the_picture_as_its_map_says():
    model = ResEmoteNet(config(0.1, transformer=True)).eval()
    x = torch.randn(2, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        model.get_submodule("fc_loc.2").bias.copy_(torch.tensor([1, 0, 2 * 3 / 64, 0, 1, 0]))  # three pixels
        torch.testing.assert_close(model.transform(x)[..., :61], x[..., 3:], rtol=0, atol=1e-4)


def test_dropout_is_off_in_evaluation_and_on_in_training():
    model = from_checkpoint(checkpoint(network(0.1)))
    x = normalised(pictures(4, 64), model.config)
    with torch.no_grad():
        assert torch.equal(model(x), model(x))
        for module in model.modules():
            module.train(isinstance(module, torch.nn.Dropout))
        assert not torch.equal(model(x), model(x))


def test_gradients_reach_every_parameter():
    model = ResEmoteNet(config(0.1, transformer=True), dropout=(0.0, 0.0))
    model(torch.randn(4, 3, 64, 64)).square().sum().backward()
    # the transformer's first layers learn once its last one is no longer zero
    still = {name for name, parameter in model.named_parameters() if parameter.grad is None}
    assert not still


@pytest.mark.parametrize("fields", [{}, {"transformer": True, "input_size": 48}, {"classes": 9}])
def test_from_checkpoint_gives_the_same_logits_without_the_dead_taps(fields):
    model = network(0.25, **fields)
    crops = pictures(8, model.config.input_size)
    rebuilt = from_checkpoint(checkpoint(model))
    assert not rebuilt.training
    np.testing.assert_allclose(reference(rebuilt, crops), reference(model, crops), rtol=0, atol=1e-4)


@pytest.mark.parametrize(
    ("change", "error"),
    [
        (lambda weights: weights.pop("fc1.bias"), "fc1.bias"),
        (lambda weights: weights.update({"foreign.weight": np.zeros(1, np.float32)}), "foreign.weight"),
        (lambda weights: weights.update({"fc1.bias": np.zeros(3, np.float32)}), "size mismatch for fc1.bias"),
    ],
)
def test_from_checkpoint_refuses_weights_that_do_not_fit(change, error):
    fitting = checkpoint(network(0.1))
    weights = dict(fitting.weights)
    change(weights)
    with pytest.raises((ValueError, RuntimeError), match=error):
        from_checkpoint(Checkpoint(fitting.config, weights))


def test_from_checkpoint_shares_no_memory_with_the_checkpoint():
    model = network(0.1)
    rebuilt = from_checkpoint(Checkpoint(model.config, taps.drop(state(model), model.config)))
    before = model.get_parameter("fc4.bias").clone()
    with torch.no_grad():
        rebuilt.get_parameter("fc4.bias").add_(1)
    assert torch.equal(model.get_parameter("fc4.bias"), before)
