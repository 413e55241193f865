"""The table of shapes says what model.py builds."""

import pytest
import torch
from networks import config

from resemotenet.architecture import shapes
from resemotenet.model import ResEmoteNet


@pytest.mark.parametrize("transformer", [False, True])
@pytest.mark.parametrize("input_size", [32, 48, 64, 96])
@pytest.mark.parametrize("classes", [2, 7, 9])
@pytest.mark.parametrize("width", [1.0, 0.5, 0.3, 0.25, 0.01])
def test_shapes_are_those_of_the_models_state_dict(width, classes, input_size, transformer):
    variant = config(width, classes, input_size=input_size, transformer=transformer)
    with torch.device("meta"):  # shapes without values
        state = ResEmoteNet(variant).state_dict()
    expected = {key: tuple(value.shape) for key, value in state.items() if not key.endswith("num_batches_tracked")}
    assert shapes(variant) == expected
