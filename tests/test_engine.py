"""Engines: the same answers from each, for whatever crops, and the one that fits the machine."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import openvino
import pynvml
import pytest
import torch
from networks import SPREAD, checkpoint, network, pictures, reference, smooth, spread

from resemotenet import engine as engines
from resemotenet.checkpoint import Checkpoint, load, read
from resemotenet.engine import EngineError, OpenVINOEngine, TorchEngine, create_engine
from resemotenet.store import EMBEDDED

MODEL = network(0.25)
BF16 = "BF16" in openvino.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")
needs_bf16 = pytest.mark.skipif(not BF16, reason="this CPU does not compute in bf16")
ENGINES = [OpenVINOEngine, TorchEngine]


@pytest.fixture(scope="module", params=ENGINES)
def engine(request):
    return request.param(checkpoint(MODEL), precision="f32")


@pytest.fixture(scope="module")
def crops():
    return pictures(16, 64)


def with_logits(scale):
    """A checkpoint whose logits are this many times those of MODEL."""
    weights = dict(checkpoint(MODEL).weights)
    weights |= {key: weights[key] * np.float32(scale) for key in ("fc4.weight", "fc4.bias")}
    return Checkpoint(MODEL.config, weights)


@pytest.mark.parametrize(
    "fields", [{}, {"transformer": True, "input_size": 48}, {"input_size": 96, "std": (0.1, 0.5, 1)}], ids=str
)
def test_the_torch_engine_agrees_with_the_openvino_engine(fields):
    model = network(0.25, **fields)
    crops = (smooth if model.config.transformer else pictures)(16, model.config.input_size)
    one, other = (kind(checkpoint(model), precision="f32").logits(crops) for kind in ENGINES)
    assert spread(one) > SPREAD
    np.testing.assert_allclose(one, other, rtol=0, atol=1e-4)


def test_probabilities_are_the_softmax_of_the_logits(engine, crops):
    logits = engine.logits(crops).astype(np.float64)
    expected = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    probabilities = engine.probabilities(crops)
    assert probabilities.dtype == np.float32
    np.testing.assert_allclose(probabilities, expected, rtol=1e-5, atol=1e-7)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, rtol=0, atol=1e-6)


@pytest.mark.parametrize("kind", ENGINES)
@pytest.mark.parametrize("scale", [1e3, -1e6, 1e30])
def test_huge_logits_do_not_overflow(kind, crops, scale):
    with np.errstate(all="raise", under="ignore"):
        probabilities = kind(with_logits(scale), precision="f32").probabilities(crops)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, rtol=0, atol=1e-6)
    best = np.argmax(np.sign(scale) * reference(MODEL, crops), axis=1)
    np.testing.assert_array_equal(probabilities.argmax(axis=1), best)
    assert probabilities.max() > 0.999


@pytest.mark.parametrize(
    "view",
    [
        lambda frame: frame[:, 3:67, 5:69],
        lambda frame: frame[::2, 3:67, 5:69],
        lambda frame: frame[::-1, 3:67, 5:69],
        lambda frame: frame[:, 3:67, 68:4:-1],
        lambda frame: frame[:, 3:67, 5:69].transpose(0, 2, 1),
        lambda frame: np.asfortranarray(frame[:, 3:67, 5:69]),
        lambda frame: np.broadcast_to(frame[:1, 3:67, 5:69], (4, 64, 64)),
        lambda frame: np.frombuffer(frame[:, :64, :64].tobytes(), np.uint8).reshape(-1, 64, 64),
    ],
    ids=["cut", "every other", "backwards", "mirrored", "transposed", "fortran", "one many times", "read-only"],
)
def test_the_layout_of_crops_in_memory_does_not_matter(engine, view):
    crops = view(pictures(6, 80))
    np.testing.assert_array_equal(engine.logits(crops), engine.logits(np.array(crops, order="C")))


def test_crops_are_left_as_they_were(engine, crops):
    before = crops.copy()
    engine.probabilities(crops)
    np.testing.assert_array_equal(crops, before)


def test_answers_of_successive_calls_are_independent(engine, crops):
    first = engine.logits(crops[:4])
    kept = first.copy()
    second = engine.logits(crops[4:8])
    np.testing.assert_array_equal(first, kept)
    assert not np.shares_memory(first, second)
    assert np.abs(first - second).max() > SPREAD
    first[:] = 0  # they are the caller's own
    np.testing.assert_array_equal(engine.logits(crops[4:8]), second)


def test_the_input_may_change_after_the_call(engine, crops):
    mine = crops[:4].copy()
    logits = engine.logits(mine)
    kept = logits.copy()
    mine[:] = 0
    np.testing.assert_array_equal(logits, kept)


def test_an_answer_does_not_depend_on_its_neighbours(engine, crops):
    together = engine.logits(crops)
    for i in (0, 7, 15):
        np.testing.assert_allclose(engine.logits(crops[i : i + 1])[0], together[i], rtol=0, atol=1e-4)
    np.testing.assert_allclose(engine.logits(crops[::-1])[::-1], together, rtol=0, atol=1e-4)


def test_no_crops_give_no_rows_and_do_no_harm(engine, crops):
    before = engine.logits(crops)
    assert engine.logits(crops[:0]).shape == engine.probabilities(crops[:0]).shape == (0, 7)
    np.testing.assert_array_equal(engine.logits(crops), before)


@pytest.mark.parametrize("shape", [(2, 48, 48), (2, 64, 48), (64, 64), (2, 64, 64, 3)])
def test_a_refused_shape_does_no_harm(crops, shape):
    engine = OpenVINOEngine(checkpoint(MODEL), precision="f32")
    before = engine.logits(crops)
    with pytest.raises(RuntimeError):
        engine.logits(np.zeros(shape, np.uint8))
    np.testing.assert_array_equal(engine.logits(crops), before)


def test_a_checkpoint_read_from_a_file_runs(tmp_path, crops):
    torch.save(MODEL.state_dict(), tmp_path / "model.pth")
    found = read(tmp_path / "model.pth")
    np.testing.assert_allclose(
        OpenVINOEngine(found, precision="f32").logits(crops), reference(MODEL, crops), rtol=0, atol=1e-4
    )


@pytest.mark.parametrize("threads", [1, 2, None])
def test_any_number_of_threads_gives_the_same_answers(threads, crops):
    engine = create_engine(checkpoint(MODEL), "openvino", threads=threads, precision="f32")
    np.testing.assert_allclose(engine.logits(crops), reference(MODEL, crops), rtol=0, atol=1e-4)
    if threads:
        assert engine._request.get_compiled_model().get_property("INFERENCE_NUM_THREADS") == threads


@needs_bf16
def test_bf16_moves_the_embedded_defaults_probabilities_by_less_than_2_percent():
    default = load(EMBEDDED)
    exact, fast = (OpenVINOEngine(default, precision=precision) for precision in ("f32", "bf16"))
    crops = np.concatenate([smooth(64, 64), pictures(64, 64, seed=1)])
    one, other = exact.probabilities(crops), fast.probabilities(crops)
    assert np.ptp(one, axis=0).max() > 0.5, "these pictures do not all get the same answer"
    assert 0 < np.abs(one - other).max() < 0.02


@pytest.mark.parametrize("precision", ["f32", pytest.param("bf16", marks=needs_bf16)])
@pytest.mark.parametrize("kind", ENGINES)
def test_the_name_says_what_runs_where_and_how(kind, precision):
    engine = kind(checkpoint(MODEL), precision=precision)
    what = "openvino cpu" if kind is OpenVINOEngine else f"torch {'cuda' if torch.cuda.is_available() else 'cpu'}"
    assert engine.name == f"{what} {precision}"
    assert engine.input_size == 64
    assert np.isfinite(engine.logits(pictures(2, 64))).all()


def test_auto_computes_in_bf16_where_the_cpu_does():
    assert create_engine(checkpoint(MODEL), "openvino").name == f"openvino cpu {'bf16' if BF16 else 'f32'}"


@pytest.mark.parametrize("kind", ENGINES)
def test_a_transformer_gets_f32(kind):
    """In bf16 its coordinates would be an eighth of a pixel off."""
    model = network(0.25, transformer=True, input_size=48)
    engine = kind(checkpoint(model))
    assert engine.name.endswith(" f32")
    assert engine.input_size == 48
    crops = smooth(16, 48)
    np.testing.assert_allclose(engine.logits(crops), reference(model, crops), rtol=0, atol=1e-4)


class FakeTorchEngine:
    def __init__(self, checkpoint, precision):
        self.name = f"fake torch {precision}"


@pytest.mark.parametrize(
    ("devices", "usable", "expected"), [(0, True, "openvino"), (1, True, "fake torch"), (1, False, "openvino")]
)
def test_auto_takes_torch_only_where_it_sees_a_cuda_device(monkeypatch, devices, usable, expected):
    monkeypatch.setattr(pynvml, "nvmlInit", lambda: None)
    monkeypatch.setattr(pynvml, "nvmlDeviceGetCount", lambda: devices)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: usable)
    monkeypatch.setattr(engines, "TorchEngine", FakeTorchEngine)
    assert create_engine(checkpoint(MODEL)).name.startswith(expected)


def test_auto_takes_openvino_where_there_is_no_driver(monkeypatch):
    def fail():
        raise pynvml.NVMLError(pynvml.NVML_ERROR_LIBRARY_NOT_FOUND)

    monkeypatch.setattr(pynvml, "nvmlInit", fail)
    monkeypatch.setattr(engines, "TorchEngine", FakeTorchEngine)
    assert isinstance(create_engine(checkpoint(MODEL)), OpenVINOEngine)


def test_what_is_asked_for_by_name_is_made(monkeypatch):
    monkeypatch.setattr(engines, "_torch_sees_cuda", lambda: True)
    assert isinstance(create_engine(checkpoint(MODEL), "openvino"), OpenVINOEngine)
    monkeypatch.setattr(engines, "_torch_sees_cuda", lambda: False)
    assert isinstance(create_engine(checkpoint(MODEL), "torch"), TorchEngine)


def test_torch_is_asked_for_where_it_is_not_installed(monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(EngineError, match=r"ENGINE is torch, and PyTorch is not installed.*pip install"):
        create_engine(checkpoint(MODEL), "torch")
    assert isinstance(create_engine(checkpoint(MODEL), "auto"), OpenVINOEngine)


def test_serving_on_a_cpu_does_not_import_torch():
    code = """
import sys
import numpy as np, pynvml
pynvml.nvmlDeviceGetCount = lambda: 0  # as on a machine without a GPU
pynvml.nvmlInit = lambda: None
from pathlib import Path
from resemotenet.checkpoint import load
from resemotenet.engine import create_engine
engine = create_engine(load(Path("resemotenet/weights")))
assert engine.probabilities(np.zeros((2, 64, 64), np.uint8)).shape == (2, 7)
print(engine.name, "torch" in sys.modules)
"""
    ended = subprocess.run(
        [sys.executable, "-c", code],
        cwd=Path(__file__).parents[1],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    assert ended.stdout in {"openvino cpu bf16 False\n", "openvino cpu f32 False\n"}
