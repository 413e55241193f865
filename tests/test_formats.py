"""resemotenet.formats: each format is known by its content, and shapes are known before values are read."""

import numpy as np
import pytest
import torch
from safetensors.numpy import save_file

from resemotenet.errors import CheckpointError
from resemotenet.formats import open_file

VALUES = {"a.weight": np.arange(6, dtype=np.float32).reshape(2, 3), "a.bias": np.ones(2, np.float32)}


def write_zip(path):
    torch.save({name: torch.tensor(value) for name, value in VALUES.items()}, path)


def write_legacy(path):
    tensors = {name: torch.tensor(value) for name, value in VALUES.items()}
    torch.save({"state_dict": tensors}, path, _use_new_zipfile_serialization=False)


def write_safetensors(path):
    save_file(VALUES, path, {"labels": "happy, sad"})


@pytest.mark.parametrize("write", [write_zip, write_legacy, write_safetensors])
@pytest.mark.parametrize("name", ["weights", "weights.pth", "weights.safetensors", "weights.txt"])
def test_a_format_is_known_by_its_content_whatever_its_name(tmp_path, write, name):
    write(tmp_path / name)
    tensors, labels = open_file(tmp_path / name)
    assert {key: tensor.shape for key, tensor in tensors.items()} == {"a.weight": (2, 3), "a.bias": (2,)}
    assert all(np.array_equal(tensor.read(), VALUES[key]) for key, tensor in tensors.items())
    assert labels == (("happy", "sad") if write is write_safetensors else None)


@pytest.mark.parametrize("content", [b"", b"PK", b"\x80\x02", b"hello", b"<!DOCTYPE html>", bytes(100)])
def test_what_is_no_format_is_refused(tmp_path, content):
    (tmp_path / "file").write_bytes(content)
    with pytest.raises(CheckpointError):
        open_file(tmp_path / "file")
