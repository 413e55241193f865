"""A .pth file read without PyTorch: what torch.load(weights_only=True) gives, and nothing run on the way."""

import collections
import contextlib
import copyreg
import io
import os
import pickle
import re
import struct
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from resemotenet import pth
from resemotenet.errors import CheckpointError

ROOT = "archive"
FLOATS = torch.arange(24, dtype=torch.float32)
LAYER = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.BatchNorm1d(4))


def trained():
    """A model, an optimizer that has run, and what training scripts put beside them."""
    optimizer = torch.optim.Adam(LAYER.parameters())
    LAYER(torch.randn(5, 3, generator=torch.Generator().manual_seed(0))).square().sum().backward()
    optimizer.step()
    return {
        "epoch": 80,
        "large": 2**40,
        "negative": -3,
        "huge": -(2**100),
        "loss": 0.125,
        "best": True,
        "worst": False,
        "note": "größte Übung 😀",
        "nothing": None,
        "history": [0.1, [1, 2], (), (1,), (1, 2), (1, 2, 3), (1, 2, 3, 4), {}],
        "same": [FLOATS, FLOATS],
        "model_state_dict": LAYER.state_dict(),
        "optimizer_state_dict": optimizer.state_dict(),
    }


TRAINED = trained()


def resolve(value):
    """A read file with arrays in the references' place."""
    match value:
        case pth.TensorReference():
            array = value.array()
            assert array.shape == value.shape
            assert array.flags.c_contiguous
            return array
        case dict():
            return {key: resolve(item) for key, item in value.items()}
        case list() | tuple():
            return type(value)(map(resolve, value))
        case _:
            return value


def assert_same(found, expected, where="file"):
    """Hold what was read to what torch.load gave: types, order of keys, values, NaNs included."""
    if isinstance(expected, torch.Tensor):
        assert isinstance(found, np.ndarray), where
        expected = expected.detach()
        values = (expected.float() if expected.dtype == torch.bfloat16 else expected).numpy()
        assert found.dtype == values.dtype, where
        np.testing.assert_array_equal(found, values, where, strict=True)
    elif isinstance(expected, dict):
        assert isinstance(found, dict), where
        assert list(found) == list(expected), where
        for key, value in expected.items():
            assert_same(found[key], value, f"{where}.{key}")
    elif isinstance(expected, (list, tuple)):
        assert type(found) is type(expected), where
        assert len(found) == len(expected), where
        for i, (one, other) in enumerate(zip(found, expected, strict=True)):
            assert_same(one, other, f"{where}[{i}]")
    else:
        assert type(found) is type(expected), where
        assert found == expected, where


def saved(value, **options):
    """The bytes that torch.save writes."""
    file = io.BytesIO()
    torch.save(value, file, **options)
    return file.getvalue()


def archive(data, entries=(), compression=zipfile.ZIP_STORED, root=ROOT):
    """The bytes of a .pth file with this pickle."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", compression) as written:
        written.writestr(f"{root}/data.pkl", data)
        for name, content in dict(entries).items():
            written.writestr(f"{root}/{name}", content)
    return file.getvalue()


def changed(content, leave_out=(), **replaced):
    """A .pth file's bytes with some entries replaced or left out; their checksums are right."""
    file = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as source, zipfile.ZipFile(file, "w") as written:
        for info in source.infolist():
            name = info.filename.split("/", 1)[1]
            if name not in leave_out:
                written.writestr(info.filename, replaced.get(name, source.read(info)))
    return file.getvalue()


def data_pkl(content):
    with zipfile.ZipFile(io.BytesIO(content)) as source:
        return next(source.read(name) for name in source.namelist() if name.endswith("/data.pkl"))


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    return tmp_path_factory.mktemp("pth") / "model.pth"


@pytest.fixture
def read(path):
    def read(content):
        path.write_bytes(content)
        return pth.read(path)

    return read


PARAMETER = torch.nn.Parameter(torch.randn(3, 4, generator=torch.Generator().manual_seed(1)))


@pytest.mark.parametrize(
    "value",
    [
        FLOATS.reshape(2, 3, 4),
        FLOATS.double() / 7,
        FLOATS.half() / 7,
        FLOATS.bfloat16() / 7,
        torch.tensor([float("nan"), float("inf"), -float("inf"), -0.0]),
        torch.tensor([float("nan"), float("inf"), 1e38], dtype=torch.bfloat16),
        FLOATS.long() - 2**40,
        FLOATS.int() - 7,
        FLOATS.short() - 7,
        FLOATS.to(torch.int8) - 7,
        FLOATS.byte(),
        FLOATS > 7,
        torch.tensor(3.5),
        torch.tensor(7),
        torch.empty(0),
        torch.empty(3, 0, 2),
        FLOATS[5:5],
        FLOATS.reshape(4, 6).T,
        FLOATS.reshape(4, 6)[1:3, ::2],
        FLOATS[3],
        FLOATS[::5],
        FLOATS.reshape(2, 3, 4).permute(2, 0, 1),
        FLOATS.reshape(2, 3, 4)[:, None, :, :, None],
        torch.tensor([1.5]).expand(4, 3),
        FLOATS[7:8].as_strided((1, 2), (10**12, 1), 4),
        torch.randn(4, 6, 3, 3).to(memory_format=torch.channels_last),
        PARAMETER,
        torch.nn.Parameter(PARAMETER.detach().half(), requires_grad=False),
    ],
    ids=lambda value: f"{value.dtype} {list(value.shape)} {value.stride()}",
)
def test_a_tensor_is_read_as_torch_reads_it(read, value):
    content = saved({"tensor": value})
    assert_same(resolve(read(content)), torch.load(io.BytesIO(content), weights_only=True))


def test_tensors_that_share_a_storage_are_read_each_with_its_own_values(read):
    whole = torch.arange(1000.0)
    value = {"a": whole[:10].view(2, 5), "b": whole[10:30], "c": whole[990:], "whole": whole, "reverse": whole[5:1:2]}
    content = saved(value)
    with zipfile.ZipFile(io.BytesIO(content)) as written:
        assert sum("/data/" in name for name in written.namelist()) == 1
    found = resolve(read(content))
    assert_same(found, value)
    assert found["a"].base is None, "a slice must not keep its whole storage in memory"


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_a_training_scripts_checkpoint_is_read_as_torch_reads_it(read, protocol):
    content = saved(TRAINED, pickle_protocol=protocol)
    assert_same(resolve(read(content)), TRAINED)
    if protocol == 2:  # torch.load reads no other without running what it holds
        assert_same(resolve(read(content)), torch.load(io.BytesIO(content), weights_only=True))


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(st.characters(codec="utf-8")),
        lambda inner: (
            st.lists(inner)
            | st.lists(inner).map(tuple)
            | st.dictionaries(st.text(st.characters(codec="utf-8")) | st.integers(), inner)
        ),
    ),
    st.sampled_from([2, 3, 4, 5]),
)
@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_plain_values_come_back_as_they_were_saved(read, value, protocol):
    assert_same(read(archive(pickle.dumps(value, protocol))), value)


def test_the_archives_root_may_have_any_name(path):
    path = path.with_name("another-name.v2.pth")
    torch.save({"a": FLOATS}, str(path))
    with zipfile.ZipFile(path) as written:
        assert written.namelist()[0] != f"{ROOT}/data.pkl"
    assert_same(resolve(pth.read(path)), {"a": FLOATS})


@pytest.mark.parametrize("name", ["byteorder", "version", ".format_version", ".data/serialization_id"])
def test_what_older_releases_did_not_write_may_be_missing(read, name):
    assert_same(resolve(read(changed(saved({"a": FLOATS}), leave_out=[name]))), {"a": FLOATS})


def run_python(code, *arguments):
    """Run code in a process of its own that may take 3 GiB and 30 seconds: a hostile file must not end this one."""
    limit = "import resource; resource.setrlimit(resource.RLIMIT_AS, (3 * 2**30,) * 2)\n"
    return subprocess.run(
        check=False,
        args=[sys.executable, "-c", limit + code, *map(str, arguments)],
        cwd=Path(__file__).parents[1],
        capture_output=True,
        text=True,
        timeout=30,
    )


def test_torch_is_not_imported(tmp_path):
    torch.save({"a": torch.arange(3)}, tmp_path / "model.pth")
    code = """
import pathlib, sys
from resemotenet import pth
print(pth.read(pathlib.Path(sys.argv[1]))["a"].array(), "torch" in sys.modules)
"""
    assert run_python(code, tmp_path / "model.pth").stdout == "[0 1 2] False\n"


def test_a_file_in_which_something_runs_would_be_noticed(tmp_path):
    """The canary of the tests below: Python's own unpickler does run what these pickles hold."""
    canary = tmp_path / "canary"
    for name, data in {**calls(canary), **by_hand(canary)}.items():
        copyreg.add_extension("os", "system", 240)
        try:
            pickle.loads(data)
        finally:
            copyreg.remove_extension("os", "system", 240)
        assert canary.exists(), f"{name} has no teeth"
        canary.unlink()


class Call:
    """Pickles to a call of ``function``."""

    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


class Touch:
    """Does something as soon as it is made."""

    def __new__(cls, path):
        Path(path).touch()
        return super().__new__(cls)


def calls(canary):
    """Pickles that Python's pickler makes of something that wants to be called."""
    command = f"touch {canary}"
    python = f"__import__('os').system({command!r})"
    hostile = {
        "system": Call(os.system, command),
        "eval": Call(eval, python),
        "exec": Call(exec, python),
        "subprocess": Call(subprocess.check_call, command.split()),
        "tensor's place": {"model_state_dict": {"conv1.weight": Call(os.system, command)}},
        "tensor's shape": collections.OrderedDict(a=[1, "b", (Call(os.system, command), 2)]),
    }
    return {f"{name} {i}": pickle.dumps(value, i) for name, value in hostile.items() for i in range(6)}


def text(value):
    value = str(value).encode()
    return b"X" + struct.pack("<I", len(value)) + value


def by_hand(canary):
    """Pickles by hand, one for each opcode that looks up or calls something."""
    command = text(f"touch {canary}")
    system, new = b"cposix\nsystem\n", f"c{__name__}\nTouch\n".encode()
    return {
        "GLOBAL, REDUCE": b"\x80\x02" + system + command + b"\x85R.",
        "STACK_GLOBAL": b"\x80\x04" + text("posix") + text("system") + b"\x93" + command + b"\x85R.",
        "STACK_GLOBAL, dotted": b"\x80\x04" + text("shutil") + text("os.system") + b"\x93" + command + b"\x85R.",
        "INST": b"(" + command + b"iposix\nsystem\n.",
        "OBJ": b"(" + system + command + b"o.",
        "NEWOBJ": b"\x80\x02" + new + text(canary) + b"\x85\x81.",
        "NEWOBJ_EX": b"\x80\x04" + new + b")}" + text("path") + text(canary) + b"s\x92.",
        "EXT1": b"\x80\x02\x82\xf0" + command + b"\x85R.",
        "EXT2": b"\x80\x02\x83\xf0\x00" + command + b"\x85R.",
        "EXT4": b"\x80\x02\x84\xf0\x00\x00\x00" + command + b"\x85R.",
        "BUILD": b"\x80\x02ccollections\nOrderedDict\n)R}"
        + text("update")
        + system
        + b"sb"
        + system
        + command
        + b"\x85R0.",
    }


CANARY = Path("/tmp") / f"canary-{os.getpid()}"


@pytest.mark.parametrize("data", [*calls(CANARY).values(), *by_hand(CANARY).values()])
def test_a_pickle_that_calls_something_is_refused_and_runs_nothing(read, data):
    copyreg.add_extension("os", "system", 240)
    try:
        with pytest.raises(CheckpointError, match="nothing of it was run"):
            read(archive(data))
        assert not CANARY.exists()
    finally:
        copyreg.remove_extension("os", "system", 240)
        CANARY.unlink(missing_ok=True)


@pytest.mark.parametrize(
    ("module", "name"),
    [
        ("os", "system"),
        ("nt", "system"),
        ("builtins", "eval"),
        ("__builtin__", "getattr"),
        ("builtins", "dict"),
        ("torch", "load"),
        ("torch", "FloatStorage.__init__.__globals__"),
        ("torch.hub", "load"),
        ("torch._utils", "_rebuild_tensor_v2.__globals__"),
        ("torch._utils", "_rebuild_device_tensor_from_numpy"),
        ("torch.nn.modules.linear", "Linear"),
        ("collections", "OrderedDict.__class__"),
        ("collections", "defaultdict"),
        ("numpy.core.multiarray", "scalar"),
        ("resemotenet.pth", "read"),
        ("", ""),
    ],
)
@pytest.mark.parametrize("opcode", ["GLOBAL", "STACK_GLOBAL"])
def test_every_other_name_is_refused_by_its_name(read, module, name, opcode):
    if opcode == "GLOBAL":
        data = f"\x80\x02c{module}\n{name}\n.".encode("latin-1")
    else:
        data = b"\x80\x04" + text(module) + text(name) + b"\x93."
    with pytest.raises(CheckpointError, match=re.escape(f"asks for {module}.{name}, which")):
        read(archive(data))


def test_a_whole_pickled_model_is_refused_by_its_class(read):
    with pytest.raises(CheckpointError, match=r"torch\.nn\.modules\.container\.Sequential.*model\.state_dict\(\)"):
        read(saved(LAYER))


def test_a_name_without_end_is_cut_in_the_message(read):
    with pytest.raises(CheckpointError) as caught:
        read(archive(b"\x80\x02c" + b"m" * 10**6 + b"\nname\n."))
    assert len(str(caught.value)) < 500


DICT = b"ccollections\nOrderedDict\n"
PARAMETER_FUNCTION = b"ctorch._utils\n_rebuild_parameter\n"
TENSOR_FUNCTION = b"ctorch._utils\n_rebuild_tensor_v2\n"
FLOAT = b"ctorch\nFloatStorage\n"
STORAGE = b"(" + text("storage") + FLOAT + text("0") + text("cpu") + b"K\x18tQ"  # 24 floats


def tensor(offset=b"K\x00", shape=b"K\x18\x85", strides=b"K\x01\x85", storage=STORAGE):
    return TENSOR_FUNCTION + b"(" + storage + offset + shape + strides + b"\x89" + DICT + b")RtR"


TENSOR = tensor()
BYTES = {"data/0": FLOATS.numpy().tobytes()}


def test_the_tensor_by_hand_is_sound(read):
    assert_same(resolve(read(archive(b"\x80\x02" + TENSOR + b".", BYTES))), FLOATS)


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(DICT + b")R}(" + text("items") + PARAMETER_FUNCTION + text("get") + DICT + b"ub", id="on a dict"),
        pytest.param(DICT + b")RN}" + text("keys") + DICT + b"s\x86b", id="slots of a dict"),
        pytest.param(TENSOR + b"}(" + text("shape") + b"N" + text("array") + DICT + b"ub", id="on a tensor"),
        pytest.param(TENSOR + b"N}" + text("offset") + b"K\x05s\x86b", id="slots of a tensor"),
        pytest.param(TENSOR + b"(NNNNtb", id="dataclass state of a tensor"),
        pytest.param(STORAGE + b"}" + text("count") + b"J\xff\xff\xff\x7fsb0" + TENSOR, id="on a storage"),
        pytest.param(TENSOR_FUNCTION + b"}" + text("__code__") + b"Nsb0" + TENSOR, id="on an allowed function"),
        pytest.param(PARAMETER_FUNCTION + b"N}" + text("__kwdefaults__") + b"Ns\x86b0" + TENSOR, id="on its slots"),
        pytest.param(FLOAT + b"}" + text("itemsize") + b"K\x00sb0" + TENSOR, id="on a storage's type"),
        pytest.param(DICT + b"}" + text("get") + b"Nsb0" + TENSOR, id="on the class of dicts"),
    ],
)
def test_setting_attributes_changes_nothing(read, data):
    try:
        found = resolve(read(archive(b"\x80\x02" + data + b".", BYTES)))
    except CheckpointError:
        pass
    else:
        assert_same(found, {} if isinstance(found, dict) else FLOATS)
    assert_same(resolve(read(saved(TRAINED))), TRAINED)


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(FLOAT + b")R", id="a storage's type called"),
        pytest.param(DICT + TENSOR + b"\x85R", id="a dict made of a tensor"),
        pytest.param(DICT + b"](NNe\x85R", id="a dict made of pairs"),
        pytest.param(PARAMETER_FUNCTION + b")R", id="a parameter of nothing"),
        pytest.param(TENSOR_FUNCTION + b")R", id="a tensor of nothing"),
        pytest.param(TENSOR + b")R", id="a tensor called"),
        pytest.param(DICT + b")R)R", id="a dict called"),
        pytest.param(text("os") + b")R", id="text called"),
        pytest.param(DICT + text("ab") + b"R", id="called with text"),
        pytest.param(tensor(storage=b"N"), id="no storage"),
        pytest.param(tensor(storage=text("0")), id="text for a storage"),
        pytest.param(tensor(storage=FLOAT), id="a type for a storage"),
        pytest.param(tensor(storage=TENSOR), id="a tensor for a storage"),
        pytest.param(tensor(offset=b"J\xff\xff\xff\xff"), id="offset -1"),
        pytest.param(tensor(offset=b"K\x01"), id="past the end by one"),
        pytest.param(tensor(offset=b"N"), id="offset None"),
        pytest.param(tensor(offset=b"\x8a\xff" + b"\x7f" * 255), id="huge offset"),
        pytest.param(tensor(shape=b"J\xff\xff\xff\xff\x85"), id="shape -1"),
        pytest.param(tensor(shape=b"K\x19\x85"), id="one value too many"),
        pytest.param(tensor(strides=b"K\x02\x85"), id="stride too wide"),
        pytest.param(tensor(strides=b"J\xff\xff\xff\xff\x85"), id="stride -1"),
        pytest.param(tensor(strides=b"\x8a\xff" + b"\x7f" * 255 + b"\x85"), id="huge stride"),
        pytest.param(tensor(strides=b"K\x01K\x01\x86"), id="more strides than axes"),
        pytest.param(tensor(shape=text("ab"), strides=text("ab")), id="text for a shape"),
        pytest.param(tensor(shape=b"G" + struct.pack(">d", 2.5) + b"\x85"), id="a fraction for a shape"),
        pytest.param(tensor(shape=b"(" + b"K\x01" * 65 + b"t", strides=b"(" + b"K\x00" * 65 + b"t"), id="65 axes"),
        pytest.param(
            tensor(shape=b"K\x00\x8a\x08" + b"\x7f" * 8 + b"\x86", strides=b"K\x01K\x01\x86"), id="empty, too large"
        ),
        pytest.param(tensor(storage=STORAGE.replace(b"K\x18", b"K\x17")), id="storage shorter than its file"),
        pytest.param(tensor(storage=STORAGE.replace(b"K\x18", b"M\xff\x7f")), id="storage longer than its file"),
        pytest.param(tensor(storage=STORAGE.replace(text("0"), text("1"))), id="storage that is not there"),
        pytest.param(tensor(storage=STORAGE.replace(text("0"), text("../data.pkl"))), id="storage elsewhere"),
        pytest.param(tensor(storage=STORAGE.replace(text("0"), b"K\x00")), id="storage named by a number"),
        pytest.param(tensor(storage=STORAGE.replace(FLOAT, text("FloatStorage"))), id="storage's type as text"),
        pytest.param(tensor(storage=STORAGE.replace(text("storage"), text("module"))), id="another persistent id"),
        pytest.param(tensor(storage=text("storage") + b"Q"), id="text for a persistent id"),
        pytest.param(b"}TNs", id="BINSTRING cut short"),
        pytest.param(b"}]Ns", id="a list for a key"),
        pytest.param(b"})Ns", id="a tuple for a key"),
        pytest.param(b"](NNu", id="items of a list"),
        pytest.param(b"}(Ne", id="appended to a dict"),
        pytest.param(b"}(Nu", id="a key without a value"),
        pytest.param(b"h\x05", id="nothing remembered"),
        pytest.param(b"0", id="pop of nothing"),
        pytest.param(b"t", id="no mark"),
        pytest.param(b"R", id="nothing to call"),
        pytest.param(b"q\x00", id="nothing to remember"),
        pytest.param(b"", id="nothing at all"),
    ],
)
def test_a_malformed_pickle_is_refused(read, data):
    with pytest.raises(CheckpointError):
        resolve(read(archive(b"\x80\x02" + data + b".", BYTES)))


HOSTILE_TO_MEMORY_AND_TIME = {
    "memo index": b"\x80\x02Nr\xfe\xff\xff\xff.",
    "announced bytes": b"\x80\x04\x8e" + struct.pack("<Q", 2**40) + b".",
    "announced text": b"\x80\x02X\xff\xff\xff\x7f.",
    "announced frame": b"\x80\x04\x95" + struct.pack("<Q", 2**62) + b"N.",
    "announced number": b"\x80\x02\x8b\xff\xff\xff\x7f.",
    "key of tuples of tuples": b"\x80\x02})" + b"q\x00h\x00\x86" * 100 + b"Ns.",
    "key of deep tuples": b"\x80\x02})" + b"\x85" * (3 * 10**5) + b"Ns.",
    "name of tuples": b"\x80\x04)" + b"q\x00h\x00\x86" * 100 + text("a") + b"\x93.",
    "shape of tuples": TENSOR_FUNCTION + b"(" + STORAGE + b"K\x00)" + b"q\x00h\x00\x86" * 100 + b"h\x00\x89NtR.",
    "state dict of deep lists": b"\x80\x02}" + text("a") + b"]" * (3 * 10**5) + b"a" * (3 * 10**5 - 1) + b"s.",
    "tensor without end": b"\x80\x02}"
    + text("conv1.weight")
    + tensor(
        shape=b"(" + b"J\x00\xca\x9a\x3b" * 4 + b"t",  # 10**9 a side
        strides=b"(" + b"K\x00" * 4 + b"t",
    )
    + b"s.",
}


@pytest.mark.parametrize("data", HOSTILE_TO_MEMORY_AND_TIME.values(), ids=HOSTILE_TO_MEMORY_AND_TIME)
def test_a_small_file_cannot_ask_for_much_memory_or_time(tmp_path, data):
    (tmp_path / "model.pth").write_bytes(archive(data, BYTES))
    code = """
import pathlib, resource, sys
from resemotenet import checkpoint, errors
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
try:
    checkpoint.read(pathlib.Path(sys.argv[1]))
except errors.CheckpointError as error:
    print("refused", len(str(error)) < 1000)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 200_000)
"""
    ended = run_python(code, tmp_path / "model.pth")
    assert (ended.stdout, ended.returncode) == ("refused True\nTrue\n", 0), ended.stderr


def test_a_tensor_within_its_storage_is_read_whatever_the_stride_of_an_axis_of_one(read):
    """What torch.load does with it; a stride too large for a machine's word must not escape as another error."""
    content = archive(
        b"\x80\x02" + tensor(shape=b"K\x01K\x18\x86", strides=b"\x8a\x09" + b"\x7f" * 9 + b"K\x01\x86") + b".", BYTES
    )
    assert_same(resolve(read(content)), FLOATS[None])


def test_a_legacy_file_is_read_through_torch(path):
    state = {"a": FLOATS, "b": PARAMETER}
    torch.save(state, path, _use_new_zipfile_serialization=False)
    with pytest.raises(CheckpointError):
        pth.read(path)  # no zip; checkpoint.read knows what to do with it


@pytest.mark.filterwarnings("ignore:.*torch.jit:DeprecationWarning", "ignore:.*torch.jit:FutureWarning")
def test_a_torchscript_archive_is_refused_in_its_own_words(read):
    if not hasattr(torch, "jit"):
        pytest.skip("this PyTorch has no TorchScript any more")
    file = io.BytesIO()
    torch.jit.save(torch.jit.trace(torch.nn.Linear(3, 4), torch.zeros(1, 3)), file)
    with pytest.raises(CheckpointError, match="this is a TorchScript archive; expected a state dict"):
        read(file.getvalue())


def test_a_zip_that_torch_did_not_write_is_refused(read):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as written:
        written.writestr("word/document.xml", "<xml/>")
    with pytest.raises(CheckpointError, match=r"holds no data\.pkl"):
        read(file.getvalue())


@pytest.mark.parametrize("compression", [zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_a_compressed_zip_is_refused(read, compression):
    with pytest.raises(CheckpointError, match="compressed"):
        read(archive(pickle.dumps({}, 2), compression=compression))


def test_a_pickle_larger_than_any_checkpoints_is_refused(read):
    fitting, large = (pickle.dumps("x" * (pth.MAX_PICKLE_BYTES + n), 2) for n in (-100, 100))
    assert len(read(archive(fitting))) == pth.MAX_PICKLE_BYTES - 100
    with pytest.raises(CheckpointError, match=r"data\.pkl has 4,194,\d+ bytes"):
        read(archive(large))


def test_big_endian_files_are_refused(read):
    with pytest.raises(CheckpointError, match="big-endian"):
        read(changed(saved({"a": FLOATS}), byteorder=b"big"))


def test_a_storage_that_was_changed_on_the_way_is_noticed_when_it_is_read(read):
    content = saved({"a": FLOATS})
    at = content.index(FLOATS.numpy().tobytes())
    found = read(content[:at] + b"\x01" + content[at + 1 :])
    with pytest.raises(CheckpointError, match="damaged"):
        found["a"].array()


CONTENT = saved(TRAINED)


@pytest.mark.parametrize("length", [*range(0, 100, 7), *range(100, len(CONTENT), 211), len(CONTENT) - 1])
def test_a_file_cut_short_is_refused(read, length):
    with pytest.raises(CheckpointError):
        resolve(read(CONTENT[:length]))


def refused_or_read(read, content):
    """Only :class:`CheckpointError` may be raised."""
    with contextlib.suppress(CheckpointError):
        resolve(read(content))


FUZZ = settings(
    max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)


@FUZZ
@given(st.lists(st.tuples(st.integers(0, len(CONTENT) - 1), st.integers(1, 255)), min_size=1, max_size=8))
def test_flipped_bytes_raise_nothing_but_the_packages_own_error(read, flips):
    content = bytearray(CONTENT)
    for at, bits in flips:
        content[at] ^= bits
    refused_or_read(read, bytes(content))


PICKLE = data_pkl(CONTENT)


@FUZZ
@given(st.lists(st.tuples(st.integers(0, len(PICKLE) - 1), st.integers(0, 255)), min_size=1, max_size=4))
@example([(PICKLE.index(b"q\x01"), ord("r"))])  # BINPUT to LONG_BINPUT: an index of 10**9 and more
def test_flipped_bytes_in_the_pickle_raise_nothing_but_the_packages_own_error(read, flips):
    data = bytearray(PICKLE)
    for at, value in flips:
        data[at] = value
    refused_or_read(read, changed(CONTENT, **{"data.pkl": bytes(data)}))


WORDS = [bytes([op]) for op in b"().0NRQ]}abehjqrstu\x85\x86\x87\x88\x89\x93\x94"] + [
    DICT,
    FLOAT,
    TENSOR_FUNCTION,
    PARAMETER_FUNCTION,
    STORAGE,
    TENSOR,
    text("a"),
    text("storage"),
    b"K\x00",
    b"K\x02",
    b"q\x00",
    b"h\x00",
]


@FUZZ
@given(st.lists(st.sampled_from(WORDS), max_size=40))
def test_opcodes_in_any_order_raise_nothing_but_the_packages_own_error(read, words):
    refused_or_read(read, archive(b"\x80\x02" + b"".join(words) + b".", BYTES))
