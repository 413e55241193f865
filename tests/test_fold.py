"""A folded BatchNorm is the same function."""

import numpy as np
import pytest
import torch

from resemotenet import fold


def layers(seed, variance, stride=1, kernel=3):
    """A convolution and a BatchNorm with random everything, its variances up to ``variance``."""
    torch.manual_seed(seed)
    conv, norm = torch.nn.Conv2d(5, 8, kernel, stride), torch.nn.BatchNorm2d(8).eval()
    with torch.no_grad():
        norm.weight.normal_()
        norm.bias.normal_()
        norm.running_mean.normal_()
        norm.running_var.copy_(variance * torch.rand(8))
    weights = {f"conv.{key}": value.numpy() for key, value in conv.state_dict().items()}
    weights |= {f"norm.{key}": value.numpy() for key, value in norm.state_dict().items()}
    return conv, norm, weights


@pytest.mark.parametrize("variance", [0, 1e-12, 1e-6, 1e-3, 1, 1e4])
@pytest.mark.parametrize(("stride", "kernel"), [(1, 3), (2, 1)])
@torch.inference_mode()
def test_a_folded_convolution_equals_the_convolution_and_its_batch_norm(variance, stride, kernel):
    conv, norm, weights = layers(int(1 + variance), variance, stride, kernel)
    folded_kernel, folded_bias = fold.batch_norm(weights, "conv", "norm")
    assert folded_kernel.dtype == folded_bias.dtype == np.float32
    x = torch.randn(4, 5, 9, 9)
    expected = norm.double()(conv.double()(x.double()))
    folded = torch.nn.functional.conv2d(x, torch.tensor(folded_kernel), torch.tensor(folded_bias), stride)
    assert (folded - expected).abs().max() <= 1e-5 * expected.abs().max()


def test_epsilon_is_that_of_the_models_layers():
    assert torch.nn.BatchNorm2d(1).eps == fold.EPSILON


def test_folding_leaves_the_weights_as_they_were():
    _, _, weights = layers(0, 1)
    before = {key: value.copy() for key, value in weights.items()}
    fold.batch_norm(weights, "conv", "norm")
    assert all(np.array_equal(weights[key], value) for key, value in before.items())
