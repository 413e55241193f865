"""The facts that travel with weights: what is refused, and what follows from them."""

import math

import pytest
from pydantic import ValidationError

from resemotenet.config import PAPER_LABELS, SERVICE_LABELS, ModelConfig, Provenance


def test_defaults_are_the_published_network():
    config = ModelConfig(labels=PAPER_LABELS)
    assert (config.channels, config.num_classes, config.input_size, config.transformer) == (64, 7, 64, False)
    assert config.mean == (0.485, 0.456, 0.406)
    assert config.std == (0.229, 0.224, 0.225)


def test_labels_stand_in_the_order_of_the_deployed_service_and_of_the_paper():
    assert SERVICE_LABELS == ("angry", "frustration", "boredom", "happy", "sad", "surprise", "neutral")
    assert PAPER_LABELS == ("happy", "surprise", "sad", "angry", "disgust", "fear", "neutral")


@pytest.mark.parametrize(
    ("width", "channels"),
    [(1.0, 64), (0.5, 32), (0.3, 19), (0.29, 19), (0.25, 16), (0.01, 4), (1.5, 96), (4, 256), (19 / 64, 19)],
)
def test_width_scales_the_channels(width, channels):
    assert ModelConfig(labels=PAPER_LABELS, width=width).channels == channels


@pytest.mark.parametrize("channels", range(4, 257))
def test_channels_read_off_a_file_give_the_width_that_gives_them_back(channels):
    assert ModelConfig(labels=PAPER_LABELS, width=channels / 64).channels == channels


@pytest.mark.parametrize(
    ("fields", "at_fault"),
    [
        ({"labels": ()}, "labels"),
        ({"labels": ("happy",)}, "labels"),
        ({"labels": ("happy", "sad", "happy")}, "repeated: happy"),
        ({"labels": ("happy", "")}, r"labels\.1"),
        ({"labels": ("happy", " sad")}, r"labels\.1"),
        ({"labels": ("happy", "sad\n")}, r"labels\.1"),
        ({"labels": ("happy", "sa\nd")}, r"labels\.1"),
        ({"labels": ("happy", "x" * 65)}, r"labels\.1"),
        ({"input_size": 16}, "input_size"),
        ({"input_size": 50}, "input_size"),
        ({"input_size": 528}, "input_size"),
        ({"width": 0}, "width"),
        ({"width": -1}, "width"),
        ({"width": 4.1}, "width"),
        ({"width": math.nan}, "width"),
        ({"mean": (0.5, 0.5)}, "mean"),
        ({"mean": (0.5, math.nan, 0.5)}, r"mean\.1"),
        ({"std": (0.2, 0.2, 0)}, r"std\.2"),
        ({"std": (-0.2, 0.2, 0.2)}, r"std\.0"),
        ({"std": (math.inf, 0.2, 0.2)}, r"std\.0"),
        ({"unknown": 1}, "unknown"),
        ({"provenance": {"unknown": 1}}, r"provenance\.unknown"),
        ({"provenance": {"metrics": {"accuracy": math.nan}}}, r"provenance\.metrics\.accuracy"),
    ],
)
def test_what_describes_no_network_is_refused_by_the_field_at_fault(fields, at_fault):
    with pytest.raises(ValidationError, match=at_fault):
        ModelConfig(**{"labels": PAPER_LABELS, **fields})


def test_a_label_may_hold_spaces_and_any_script():
    labels = ("très heureux", "悲しい", "x")
    assert ModelConfig(labels=labels).labels == labels


def test_json_gives_back_the_same_config():
    config = ModelConfig(
        labels=("a", "b"),
        input_size=48,
        width=19 / 64,
        transformer=True,
        mean=(0.1, 0.2, 0.3),
        std=(1, 2, 3),
        provenance=Provenance(source="x", sha256="0" * 64, metrics={"accuracy": 0.5}),
    )
    assert ModelConfig.model_validate_json(config.model_dump_json()) == config


def test_a_config_does_not_change():
    with pytest.raises(ValidationError, match="frozen"):
        ModelConfig(labels=PAPER_LABELS).width = 2
