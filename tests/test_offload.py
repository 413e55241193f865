"""resemotenet.offload: the weights leave memory, and the network gives what it gave."""

import errno
import gc
import os
import re
import tempfile
from pathlib import Path

import numpy as np
import openvino
import pytest
from networks import checkpoint, network, pictures

from resemotenet import graph, offload
from resemotenet.engine import OpenVINOEngine

linux_only = pytest.mark.skipif(not Path("/proc/self/smaps").exists(), reason="the kernel says it in /proc")


def compiled(model):
    return openvino.Core().compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})


def file_bytes_resident():
    """Of the pages that are mapped from deleted files."""
    maps = re.split(r"^(?=[0-9a-f]+-[0-9a-f]+ )", Path("/proc/self/smaps").read_text(), flags=re.MULTILINE)
    ours = [entry for entry in maps if "(deleted)" in entry.partition("\n")[0]]
    return sum(1024 * int(re.search(r"^Rss: +(\d+)", entry, re.MULTILINE)[1]) for entry in ours)


def large_constants(model):
    constants = [op for op in model.get_ops() if op.get_type_name() == "Constant"]
    return [op for op in constants if op.get_byte_size() >= offload.LEAST_BYTES]


@pytest.mark.parametrize("batches", [[1, 2, 3], [8, 1, 8]])
def test_logits_stay_the_same_in_batches_that_come_after_the_release(batches):
    """OpenVINO reads the originals again where it packs them for another size of batch."""
    weights = checkpoint(network(0.5))
    plain, model = compiled(graph.build(weights)), graph.build(weights)
    moved = offload.Offloaded(model)
    lean = compiled(model)
    del model
    gc.collect()
    for batch in batches:
        crops = pictures(batch, 64)
        moved.release()
        np.testing.assert_array_equal(lean([crops])[0], plain([crops])[0])


def test_every_large_constant_keeps_its_values():
    weights = checkpoint(network(0.25))
    model = graph.build(weights)
    before = sorted(op.get_data().astype(np.float64).sum() for op in large_constants(model))
    moved = offload.Offloaded(model)
    after = large_constants(model)
    assert len(after) == len(before) > 5
    assert all(op.get_data().ctypes.data % 64 == 0 for op in after)
    for _ in range(2):
        assert sorted(op.get_data().astype(np.float64).sum() for op in after) == before
        moved.release()


@linux_only
def test_after_a_warm_up_the_originals_are_not_in_memory(monkeypatch, tmp_path):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    before = file_bytes_resident()
    engine = OpenVINOEngine(checkpoint(network(0.5)), precision="f32")
    engine.logits(pictures(2, 64))
    assert file_bytes_resident() > before + 20e6
    engine.warm_up([1, 2])
    assert file_bytes_resident() < before + 2e6
    assert os.listdir(tmp_path) == []  # it has no name


def test_without_room_for_the_file_they_stay_in_memory(monkeypatch, caplog):
    class Full:
        def __enter__(self):
            return self

        def __exit__(self, *_):
            pass

        def tell(self):
            return 0

        def seek(self, _):
            pass

        def write(self, _):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    weights = checkpoint(network(0.25))
    expected = compiled(graph.build(weights))([pictures(2, 64)])[0]
    monkeypatch.setattr(tempfile, "TemporaryFile", Full)
    caplog.set_level("INFO")
    model = graph.build(weights)
    offload.Offloaded(model).release()
    assert "stay in memory: no temporary file (No space left on device)" in caplog.text
    np.testing.assert_array_equal(compiled(model)([pictures(2, 64)])[0], expected)


def test_without_any_folder_for_it_they_stay_in_memory(monkeypatch, tmp_path):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "gone"))
    engine = OpenVINOEngine(checkpoint(network(0.25)), precision="f32")
    engine.warm_up([1])
    assert engine.logits(pictures(1, 64)).shape == (1, 7)


def test_a_graph_of_small_constants_needs_no_file(monkeypatch):
    monkeypatch.setattr(tempfile, "TemporaryFile", None)
    parameter = openvino.opset13.parameter([-1, 2], openvino.Type.f32)
    model = openvino.Model([openvino.opset13.add(parameter, np.ones((1, 2), np.float32))], [parameter], "small")
    offload.Offloaded(model).release()
    assert compiled(model)([np.zeros((1, 2), np.float32)])[0].tolist() == [[1, 1]]
