"""Every known form of a checkpoint is read; whatever does not fit is refused by what was found and expected."""

import contextlib
import io
import json
import os
import pickle
import re
import stat
import struct
import sys
import tracemalloc
import zipfile

import numpy as np
import pytest
import safetensors.torch
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from networks import checkpoint as checkpoint_of
from networks import network, reference, smooth, state

from resemotenet import checkpoint as checkpoints
from resemotenet import taps
from resemotenet.checkpoint import Checkpoint, load, read, save
from resemotenet.config import PAPER_LABELS, SERVICE_LABELS, ModelConfig, Provenance
from resemotenet.errors import CheckpointError
from resemotenet.model import from_checkpoint
from resemotenet.store import EMBEDDED

TINY = 1 / 16  # 4 channels
PLAIN = network(TINY)
DEPLOYED = network(TINY, transformer=True, input_size=48)


def tensors(model=PLAIN, cut=False):
    """A state dict whose tensors may be replaced."""
    found = dict(model.state_dict())
    if cut:
        found |= {key: torch.tensor(value) for key, value in checkpoint_of(model).weights.items()}
    return found


def with_norms(found):
    """As the deployed service names the residual blocks' norms."""
    return {re.sub(r"(res_block\d)\.bn", r"\1.norm", key): value for key, value in found.items()}


def with_module(found):
    """As DataParallel names everything."""
    return {f"module.{key}": value for key, value in found.items()}


def pth(content, path, **options):
    torch.save(content, path, **options)


def legacy(content, path):
    torch.save(content, path, _use_new_zipfile_serialization=False)


def tensor_file(content, path, metadata=None):
    safetensors.torch.save_file({key: value.contiguous() for key, value in content.items()}, path, metadata)


WRITERS = pytest.mark.parametrize("write", [pth, legacy, tensor_file])


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("checkpoint")


@pytest.fixture
def path(folder):
    return folder / "file"  # formats are known by content, not by name


def assert_holds(found, model, tolerance=0.0):
    """The checkpoint is this network: same keys, the values of its live taps."""
    expected = taps.drop(state(model), model.config)
    assert set(found.weights) == set(expected)
    for key, values in expected.items():
        assert found.weights[key].dtype == np.float32
        assert found.weights[key].shape == values.shape, key
        np.testing.assert_allclose(found.weights[key], values, rtol=tolerance, atol=tolerance, err_msg=key)
    theirs, ours = found.config, model.config
    for field in ("channels", "num_classes", "input_size", "transformer", "mean", "std"):
        assert getattr(theirs, field) == getattr(ours, field)


@WRITERS
@pytest.mark.parametrize("model", [PLAIN, DEPLOYED], ids=["plain", "deployed"])
@pytest.mark.parametrize("prefix", [dict, with_module])
@pytest.mark.parametrize("norms", [dict, with_norms])
@pytest.mark.parametrize("counters", [True, False], ids=["counters", "no counters"])
def test_every_form_of_keys_is_read(path, write, model, prefix, norms, counters):
    content = {key: value for key, value in tensors(model).items() if counters or "num_batches" not in key}
    write(prefix(norms(content)), path)
    assert_holds(read(path), model)


@pytest.mark.parametrize("write", [pth, legacy])
@pytest.mark.parametrize("wrapper", ["model_state_dict", "state_dict"])
def test_a_training_scripts_file_is_read(path, write, wrapper):
    optimizer = {"state": {0: {"step": torch.tensor(3.0)}}, "param_groups": [{"lr": 1e-3, "params": [0]}]}
    write({"epoch": 80, wrapper: with_module(tensors()), "optimizer_state_dict": optimizer, "loss": 0.1}, path)
    assert_holds(read(path), PLAIN)


@pytest.mark.parametrize("write", [pth, legacy])
def test_parameters_are_read_as_tensors(path, write):
    write(dict(PLAIN.state_dict(keep_vars=True)), path)
    assert_holds(read(path), PLAIN)


@pytest.mark.parametrize(
    ("write", "dtype", "tolerance"),
    [
        (pth, torch.float64, 0),
        (tensor_file, torch.float64, 0),
        (pth, torch.float16, 1e-3),
        (legacy, torch.float16, 1e-3),
        (tensor_file, torch.float16, 1e-3),
        (pth, torch.bfloat16, 1e-2),
        (legacy, torch.bfloat16, 1e-2),
    ],
)
def test_other_precisions_are_read_as_float32(path, write, dtype, tolerance):
    content = {key: value.to(dtype) if value.is_floating_point() else value for key, value in tensors().items()}
    write(content, path)
    found = read(path)
    assert_holds(found, PLAIN, tolerance)
    for key, value in taps.restore(found.weights, found.config).items():
        live = value != 0
        np.testing.assert_array_equal(value[live], content[key].float().numpy()[live])


@pytest.mark.parametrize("fields", [{"width": 0.07, "classes": 2}, {"width": 0.3}, {"width": 0.1, "classes": 9}])
def test_width_and_classes_are_read_off_the_shapes(path, fields):
    model = network(**fields)
    pth(tensors(model), path)
    labels = [f"label {i}" for i in range(model.config.num_classes)]
    found = read(path, labels)
    assert_holds(found, model)
    assert found.config.labels == tuple(labels)


@pytest.mark.parametrize("size", [32, 48, 64, 96, 112])
def test_a_transformers_input_size_is_read_off_the_shapes(path, size):
    model = network(TINY, transformer=True, input_size=size)
    pth(tensors(model), path)
    assert read(path).config.input_size == size


@pytest.mark.parametrize(
    ("content", "labels"),
    [
        (tensors(), PAPER_LABELS),
        (with_module(tensors()), PAPER_LABELS),
        (with_norms(tensors()), SERVICE_LABELS),
        (with_module(with_norms(tensors())), SERVICE_LABELS),
        (tensors(DEPLOYED), SERVICE_LABELS),
    ],
    ids=["paper's", "paper's, module.", "norm1", "norm1, module.", "transformer"],
)
@pytest.mark.parametrize("write", [pth, tensor_file])
def test_labels_default_to_those_of_whose_file_it_is(path, write, content, labels):
    write(content, path)
    assert read(path).config.labels == labels
    assert read(path, labels[::-1]).config.labels == labels[::-1]


def test_a_safetensors_file_may_name_its_labels(path):
    tensor_file(tensors(), path, {"labels": "a, b,c,d,e,f,g"})
    assert read(path).config.labels == tuple("abcdefg")
    assert read(path, SERVICE_LABELS).config.labels == SERVICE_LABELS


@pytest.mark.parametrize("labels", [(), ("happy",), SERVICE_LABELS[:6], (*SERVICE_LABELS, "extra")])
@pytest.mark.parametrize("saved", [False, True], ids=["file", "saved"])
def test_a_wrong_number_of_labels_is_refused(path, tmp_path, labels, saved):
    pth(tensors(), path)
    if saved:
        save(read(path), tmp_path)
    with pytest.raises(CheckpointError, match=f"7 classes apart, and {len(labels)} labels are given"):
        read(tmp_path if saved else path, labels)


def test_labels_that_are_missing_for_a_file_of_other_classes_are_asked_for(path):
    pth(tensors(network(TINY, classes=9)), path)
    with pytest.raises(CheckpointError, match="9 classes apart, and 7 labels are given"):
        read(path)


@pytest.mark.parametrize("labels", [["a"] * 7, ["", *"abcdef"], [" a", *"bcdefg"]])
def test_labels_that_cannot_be_are_refused(path, labels):
    pth(tensors(), path)
    with pytest.raises(CheckpointError, match="labels"):
        read(path, labels)


def changed(key, value):
    return {**tensors(), key: value}


@pytest.mark.parametrize("write", [pth, legacy, tensor_file])
@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ({k: v for k, v in tensors().items() if k != "fc2.bias"}, "1 keys are missing, the first of them fc2.bias"),
        ({k: v for k, v in tensors().items() if "bn1" not in k}, "the first of them bn1.bias"),
        ({k: v for k, v in tensors().items() if k != "conv1.weight"}, "conv1.weight is missing"),
        ({k: v for k, v in tensors().items() if k != "fc4.weight"}, "fc4.weight is missing"),
        (changed("extra.weight", torch.zeros(3)), "1 keys are not ResEmoteNet's, the first of them extra.weight"),
        (changed("res_block1.norm1.bias", torch.zeros(8)), "both bn1 and norm1"),
        (
            changed("conv2.weight", torch.zeros(8, 4, 5, 5)),
            "conv2.weight: found shape (8, 4, 5, 5), expected (8, 4, 3, 3) for width 0.0625 and input size 64",
        ),
        (
            changed("res_block3.conv1.weight", torch.zeros(128, 64, 1, 1)),
            "found shape (128, 64, 1, 1), expected (128, 64, 2, 2) or (128, 64, 3, 3)",
        ),
        (changed("res_block3.conv2.weight", torch.zeros(128, 128, 1, 3)), "found shape (128, 128, 1, 3)"),
        (changed("fc1.bias", torch.zeros(64, 1)), "fc1.bias: found shape (64, 1), expected (64,)"),
        (changed("fc1.bias", torch.tensor(1.0)), "fc1.bias: found shape (), expected (64,)"),
        (changed("fc1.bias", torch.zeros(0)), "fc1.bias: found shape (0,), expected (64,)"),
        (changed("conv1.weight", torch.zeros(4)), "conv1.weight: expected 4 dimensions; found shape (4,)"),
        (changed("conv1.weight", torch.zeros(0, 3, 3, 3)), "width"),
        (changed("conv1.weight", torch.zeros(300, 3, 3, 3)), "width"),
        (changed("conv1.weight", torch.zeros(8, 3, 3, 3)), "for width 0.125"),
        (changed("fc1.bias", torch.full((64,), torch.nan)), "fc1.bias holds NaN or infinity"),
        (changed("fc1.bias", torch.full((64,), -torch.inf)), "fc1.bias holds NaN or infinity"),
        (changed("fc1.bias", torch.full((64,), 1e300, dtype=torch.float64)), "fc1.bias holds NaN or infinity"),
        (changed("bn2.running_var", torch.full((8,), -1e-9)), "bn2.running_var holds a negative variance"),
        (changed("fc1.bias", torch.zeros(64, dtype=torch.int64)), "fc1.bias: expected"),
        (changed("fc1.bias", torch.zeros(64, dtype=torch.bool)), "fc1.bias: expected"),
        ({"foreign": torch.zeros(3)}, "conv1.weight is missing, so this is no ResEmoteNet; the file holds foreign"),
        (torch.nn.Conv2d(3, 4, 3).state_dict(), "so this is no ResEmoteNet"),
        ({**tensors(), "module.fc1.bias": torch.zeros(64)}, "the first of them module.fc1.bias"),
        (tensors(DEPLOYED) | {"fc_loc.0.weight": torch.zeros(32, 999)}, "fc_loc.0.weight: 999 inputs fit no input"),
        ({k: v for k, v in tensors(DEPLOYED).items() if k != "fc_loc.0.weight"}, "fc_loc.0.weight is missing"),
        ({k: v for k, v in tensors(DEPLOYED).items() if k != "localization.0.weight"}, "are not ResEmoteNet's"),
        ({k: v for k, v in tensors(DEPLOYED).items() if k != "localization.0.bias"}, "localization.0.bias"),
    ],
)
def test_what_does_not_fit_is_refused_by_key_found_and_expected(path, write, content, sentence):
    write(content, path)
    with pytest.raises(CheckpointError, match=re.escape(sentence)):
        read(path)


@pytest.mark.parametrize(
    ("dtype", "name"), [(torch.bfloat16, "BF16"), (torch.float8_e4m3fn, "F8_E4M3"), (torch.int32, "I32")]
)
def test_values_in_safetensors_that_numpy_does_not_know_are_refused(path, dtype, name):
    tensor_file({key: value.to(dtype) for key, value in tensors().items()}, path)
    with pytest.raises(CheckpointError, match=f"conv1.weight: expected values of type F16, F32, F64; found {name}"):
        read(path)


@pytest.mark.parametrize("write", [pth, legacy])
@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ({}, "found dict"),
        ([torch.zeros(3)], "found list"),
        (torch.zeros(3), "found "),
        (None, "found NoneType"),
        ({"model_state_dict": {}}, "found dict"),
        ({"model_state_dict": 3}, "model_state_dict: expected a tensor; found int"),
        ({"conv1.weight": [1, 2]}, "conv1.weight: expected a tensor; found list"),
        ({3: torch.zeros(3)}, "the int 3"),
        ({"epoch": 3, "weights": tensors()}, "epoch: expected a tensor; found int"),
    ],
)
def test_what_is_no_state_dict_is_refused_by_what_it_is(path, write, content, sentence):
    write(content, path)
    with pytest.raises(CheckpointError, match=re.escape(sentence)):
        read(path)


def zipped(name, content):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr(name, content)
    return file.getvalue()


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\n",
        b"hello",
        b"PK",
        b"PK\x03\x04",
        b"PK\x03\x04" + bytes(1000),
        b"PK\x05\x06" + bytes(18),
        b"<!DOCTYPE html><html><title>Google Drive - Quota exceeded</title>" + b" " * 2000,
        b'{"labels": []}',
        b"\x80\x02",
        b"\x80\x04.",
        b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19.",
        pickle.dumps({"conv1.weight": [1.0]}),
        zipped("readme.txt", "hello"),
        zipped("archive/data.pkl", "hello"),
        bytes(8),
        bytes(4096),
        struct.pack("<Q", 2**63) + b"{}",
        struct.pack("<Q", 2) + b"{}",
        struct.pack("<Q", 100) + b'{"conv1.weight":{"dtype":"F32","shape":[1000000,1000000]',
        np.random.default_rng(0).bytes(5000),
        b"\x89PNG\r\n\x1a\n" + bytes(100),
    ],
    ids=lambda content: repr(content[:20]),
)
def test_foreign_files_are_refused(path, content):
    path.write_bytes(content)
    with pytest.raises(CheckpointError):
        read(path)


def written(write, model=PLAIN):
    file = io.BytesIO()
    if write is tensor_file:
        return safetensors.torch.save({key: value.contiguous() for key, value in tensors(model).items()})
    write(tensors(model), file)
    return file.getvalue()


@pytest.mark.parametrize("write", [pth, legacy, tensor_file])
def test_files_cut_short_are_refused(path, write):
    content = written(write)
    header = [16, 17, 100, 1000, 5000, 9000]
    for length in [*header, *range(20_000, len(content), len(content) // 20), len(content) - 1]:
        path.write_bytes(content[:length])
        with pytest.raises(CheckpointError):
            read(path)


@pytest.mark.parametrize("write", [pth, tensor_file])
@settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.data())
def test_flipped_bytes_raise_nothing_but_the_packages_own_error(path, write, data):
    content = bytearray(CONTENTS[write])
    header = st.integers(0, 8000) | st.integers(len(content) - 8000, len(content) - 1)
    for at in data.draw(st.lists(header | st.integers(0, len(content) - 1), min_size=1, max_size=4)):
        content[at] ^= data.draw(st.integers(1, 255))
    path.write_bytes(content)
    with contextlib.suppress(CheckpointError):
        read(path)


CONTENTS = {write: written(write) for write in (pth, tensor_file)}


def test_a_hostile_pickle_is_refused_without_running_it(tmp_path):
    class Hostile:
        def __reduce__(self):
            return os.system, (f"touch {tmp_path / 'canary'}",)

    for name, options in {"zip": {}, "legacy": {"_use_new_zipfile_serialization": False}}.items():
        pth({"conv1.weight": Hostile()}, tmp_path / name, **options)
        with pytest.raises(CheckpointError):
            read(tmp_path / name)
    (tmp_path / "bare").write_bytes(pickle.dumps(Hostile(), 4))
    with pytest.raises(CheckpointError):
        read(tmp_path / "bare")
    assert not (tmp_path / "canary").exists()


def test_a_legacy_file_asks_for_torch_where_it_is_not_installed(path, monkeypatch):
    legacy(tensors(), path)
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(CheckpointError, match=r"before PyTorch 1\.6, which only PyTorch reads: install it \(pip inst"):
        read(path)


@pytest.mark.parametrize("write", [pth, tensor_file])
def test_the_other_formats_are_read_where_torch_is_not_installed(path, monkeypatch, write):
    write(tensors(), path)
    monkeypatch.setitem(sys.modules, "torch", None)
    assert_holds(read(path), PLAIN)


def test_a_file_that_is_not_there_is_an_oserror(tmp_path):
    with pytest.raises(FileNotFoundError):
        read(tmp_path / "nothing")


def test_a_file_with_its_dead_taps_dropped_already_is_read(path):
    tensor_file(tensors(cut=True), path)
    assert_holds(read(path), PLAIN)


@pytest.mark.parametrize(
    "fields", [{}, {"transformer": True, "input_size": 48}, {"input_size": 96}, {"classes": 3}, {"width": 0.3}]
)
def test_what_is_saved_is_loaded_again(tmp_path, fields):
    model = network(**{"width": TINY, **fields})
    config = model.config.model_copy(
        update={"provenance": Provenance(source="x", sha256="0" * 64, metrics={"accuracy": 0.5}), "mean": (0.5,) * 3}
    )
    save(Checkpoint(config, checkpoint_of(model).weights), tmp_path)
    for found in (load(tmp_path), read(tmp_path)):
        assert found.config == config
        for key, value in checkpoint_of(model).weights.items():
            np.testing.assert_array_equal(found.weights[key], value, strict=True)
    assert checkpoints.load_config(tmp_path) == config
    relabelled = read(tmp_path, [f"x{i}" for i in range(config.num_classes)])
    assert relabelled.config.labels[0] == "x0"
    assert relabelled.config.provenance == config.provenance


def test_half_precision_is_saved_within_its_rounding(tmp_path):
    save(checkpoint_of(PLAIN), tmp_path, np.float16)
    assert_holds(load(tmp_path), PLAIN, tolerance=1e-3)
    size = (tmp_path / checkpoints.WEIGHTS_FILE).stat().st_size
    assert size < sum(value.size for value in checkpoint_of(PLAIN).weights.values()) * 2 + 10_000


def test_weights_in_any_layout_are_saved_as_they_are(tmp_path):
    weights = {key: np.asfortranarray(value) for key, value in checkpoint_of(PLAIN).weights.items()}
    save(Checkpoint(PLAIN.config, weights), tmp_path)
    assert_holds(load(tmp_path), PLAIN)


def test_others_may_read_what_is_saved(tmp_path):
    before = os.umask(0o022)
    try:
        save(checkpoint_of(PLAIN), tmp_path)
    finally:
        os.umask(before)
    for name in (checkpoints.WEIGHTS_FILE, checkpoints.CONFIG_FILE):
        assert stat.S_IMODE((tmp_path / name).stat().st_mode) == 0o644


CONFIG = PLAIN.config.model_dump(mode="json")


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (None, "holds no config.json"),
        (b"", "Invalid JSON"),
        (b"{", "Invalid JSON"),
        (b"\xff\xfe", "Invalid JSON"),
        (b"[]", "config.json does not describe a ResEmoteNet: config: Input should be an object"),
        (b"{}", "labels: Field required"),
        ({**CONFIG, "unknown": 1}, "unknown: Extra inputs are not permitted"),
        ({**CONFIG, "labels": ["a"]}, "labels"),
        ({**CONFIG, "labels": list("abcdefgh")}, "fc4.weight: found shape (7, 16), expected (8, 16)"),
        ({**CONFIG, "width": 0.5}, "for width 0.5"),
        ({**CONFIG, "width": "wide"}, "width: Input should be a valid number"),
        ({**CONFIG, "input_size": 65}, "input_size"),
        ({**CONFIG, "transformer": True}, "fc_loc.0.bias"),
        ({**CONFIG, "input_size": 128}, "res_block3.conv1.weight"),
        ({**CONFIG, "std": [0, 1, 1]}, "std.0"),
    ],
)
def test_a_folder_whose_config_does_not_fit_is_refused(tmp_path, content, sentence):
    save(checkpoint_of(PLAIN), tmp_path)
    config = tmp_path / checkpoints.CONFIG_FILE
    config.unlink()
    if content is not None:
        config.write_bytes(json.dumps(content).encode() if isinstance(content, dict) else content)
    for reader in (load, read):
        with pytest.raises(CheckpointError, match=re.escape(sentence)):
            reader(tmp_path)


def test_a_folder_without_weights_is_refused(tmp_path):
    save(checkpoint_of(PLAIN), tmp_path)
    (tmp_path / checkpoints.WEIGHTS_FILE).unlink()
    with pytest.raises(CheckpointError, match=r"holds no model\.safetensors; expected it beside config\.json"):
        load(tmp_path)


def test_provenance_is_replaced_and_nothing_else():
    before = checkpoint_of(PLAIN)
    after = checkpoints.with_provenance(before, Provenance(source="here"))
    assert after.config.provenance.source == "here"
    assert after.config.model_copy(update={"provenance": Provenance()}) == before.config
    assert after.weights is before.weights


def test_the_published_size_is_read_in_reasonable_memory(tmp_path):
    model = network(1.0)
    path = tmp_path / "full.pth"
    torch.save({"epoch": 80, "model_state_dict": with_module(model.state_dict())}, path)
    size = path.stat().st_size
    tracemalloc.start()
    try:
        found = read(path)
        kept, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
        path.unlink()
    assert size > 320e6
    assert peak < 1.2 * size
    assert kept < 0.5 * size
    assert found.config == ModelConfig(labels=PAPER_LABELS)
    assert_holds(found, model)


def test_the_embedded_default_loads_and_is_small():
    found = load(EMBEDDED)
    assert found.config.labels == SERVICE_LABELS
    assert (found.config.width, found.config.input_size, found.config.transformer) == (0.5, 64, False)
    assert (EMBEDDED / checkpoints.WEIGHTS_FILE).stat().st_size < 25e6
    logits = reference(from_checkpoint(found), smooth(8, 64))
    assert np.isfinite(logits).all()
    assert np.ptp(logits, axis=0).min() > 0.1
