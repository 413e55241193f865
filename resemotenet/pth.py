"""A PyTorch ``.pth`` file read without PyTorch, and without running anything that it holds.

The zip format (PyTorch 1.6 and later) is a pickle, ``data.pkl``, beside the raw bytes of each storage. The pickle is
read by :mod:`resemotenet.unpickle`, which is told here of four names of PyTorch's and ``collections.OrderedDict``;
every other is refused, so that a file cannot name a function for us to call. Tensors come back as references: their
bytes are read only when asked for, after the caller has checked the shape.
"""

from __future__ import annotations

import zipfile
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from resemotenet import unpickle
from resemotenet.errors import CheckpointError

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

#: A state dict's pickle is some 20 KB; an optimizer's adds about as much again.
MAX_PICKLE_BYTES = 4 * 2**20

#: As many as numpy takes.
MAX_DIMENSIONS = 64

BFLOAT16 = np.dtype([("bfloat16", "<u2")])
STORAGES: dict[str, np.dtype[Any]] = {
    "FloatStorage": np.dtype("<f4"),
    "DoubleStorage": np.dtype("<f8"),
    "HalfStorage": np.dtype("<f2"),
    "BFloat16Storage": BFLOAT16,
    "LongStorage": np.dtype("<i8"),
    "IntStorage": np.dtype("<i4"),
    "ShortStorage": np.dtype("<i2"),
    "CharStorage": np.dtype("i1"),
    "ByteStorage": np.dtype("u1"),
    "BoolStorage": np.dtype("?"),
}


@dataclass(frozen=True)
class _Storage:
    """One storage of the archive: ``count`` values of ``dtype``."""

    archive: zipfile.ZipFile
    entry: str
    dtype: np.dtype[Any]
    count: int

    def read(self) -> NDArray[Any]:
        """Read all values; bfloat16 as float32."""
        values = np.frombuffer(self.archive.read(self.entry), self.dtype)
        if len(values) != self.count:
            raise CheckpointError(f"damaged .pth file: {self.entry} holds {len(values)} values, not {self.count}")
        if self.dtype == BFLOAT16:
            return (values["bfloat16"].astype(np.uint32) << 16).view(np.float32)
        return values


@dataclass(frozen=True)
class TensorReference:
    """A tensor whose bytes are still in the archive; offset and strides count values, not bytes."""

    storage: _Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]

    def array(self) -> NDArray[Any]:
        """Read the values into a C-contiguous array of ``shape``; bfloat16 comes as float32.

        Raises:
            CheckpointError: the archive does not hold them, or holds them damaged.
        """
        try:
            return self._values()
        except (CheckpointError, MemoryError):
            raise
        except Exception as error:  # noqa: BLE001  (a damaged zip can raise anything)
            raise CheckpointError(
                f"damaged .pth file: {type(error).__name__} while reading {self.storage.entry}"
            ) from None

    def _values(self) -> NDArray[Any]:
        values = self.storage.read()
        if 0 in self.shape:
            return np.empty(self.shape, values.dtype)
        last = self.offset + sum((n - 1) * stride for n, stride in zip(self.shape, self.strides, strict=True))
        if last >= len(values):
            raise CheckpointError(f"damaged .pth file: a tensor of shape {self.shape} reaches past its storage")
        # An axis of length 1 takes no step, so that its stride may be anything.
        strides = [stride * values.itemsize if n > 1 else 0 for n, stride in zip(self.shape, self.strides, strict=True)]
        view = np.lib.stride_tricks.as_strided(values[self.offset :], self.shape, strides, writeable=False)
        array = np.asarray(view, order="C")
        return array if array.size == len(values) else array.copy()  # not to keep a far larger storage alive


def _rebuild_tensor(storage: object, offset: Any, size: Any, stride: Any, *_: object) -> TensorReference:
    """Stand for ``torch._utils._rebuild_tensor_v2``."""
    numbers = (offset, *size, *stride)
    if (
        not isinstance(storage, _Storage)
        or len(size) != len(stride)
        or len(size) > MAX_DIMENSIONS
        or not all(isinstance(number, int) and number >= 0 for number in numbers)
    ):
        raise CheckpointError("damaged .pth file: a tensor in an unknown form")
    return TensorReference(storage, offset, tuple(size), tuple(stride))


def _rebuild_parameter(data: object, *_: object) -> object:
    """Stand for ``torch._utils._rebuild_parameter``: a parameter is read as its tensor."""
    return data


def _empty_dict() -> dict[Any, Any]:
    """Stand for ``collections.OrderedDict``, which a pickle makes empty and fills later."""
    return {}


KNOWN = {
    ("collections", "OrderedDict"): _empty_dict,
    ("torch._utils", "_rebuild_tensor_v2"): _rebuild_tensor,
    ("torch._utils", "_rebuild_parameter"): _rebuild_parameter,
}


def _find(module: str, name: str) -> Any:
    """Give the stand-in for one of the names that a file of tensors needs, and refuse every other."""
    if (module, name) in KNOWN:
        return KNOWN[module, name]
    if module == "torch" and name in STORAGES:
        return STORAGES[name]
    raise CheckpointError(
        f"the pickle in this .pth file asks for {f'{module}.{name}'[:100]}, which a file of weights has no need of; "
        "nothing of it was run. Expected tensors only: save the model with torch.save(model.state_dict(), path)"
    )


def _storage(archive: zipfile.ZipFile, root: str, pid: Any) -> _Storage:
    """Give the storage that a tensor names, unread."""
    if isinstance(pid, tuple) and len(pid) == 5:
        word, dtype, key, _, count = pid
        if word == "storage" and isinstance(dtype, np.dtype) and isinstance(key, str) and isinstance(count, int):
            return _Storage(archive, f"{root}/data/{key}", dtype, count)
    raise CheckpointError("damaged .pth file: a storage in an unknown form")


def read(path: Path) -> Any:
    """Read what ``torch.save`` wrote to a zip ``.pth`` file, with a :class:`TensorReference` in each tensor's place.

    Raises:
        CheckpointError: the file is in another format, damaged, or its pickle asks for anything but tensors.
    """
    try:
        archive = zipfile.ZipFile(path)
        pickles = [info for info in archive.infolist() if info.filename.endswith("/data.pkl")]
        if any(info.filename.endswith("/constants.pkl") for info in archive.infolist()):
            raise CheckpointError(
                "this is a TorchScript archive; expected a state dict: torch.save(model.state_dict(), path)"
            )
        if len(pickles) != 1:
            raise CheckpointError("this zip file holds no data.pkl, so torch.save did not write it")
        if any(info.compress_type != zipfile.ZIP_STORED for info in archive.infolist()):
            raise CheckpointError("this zip file is compressed; torch.save writes its archives uncompressed")
        if pickles[0].file_size > MAX_PICKLE_BYTES:
            raise CheckpointError(
                f"its data.pkl has {pickles[0].file_size:,} bytes; a checkpoint's has less than {MAX_PICKLE_BYTES:,}"
            )
        root = pickles[0].filename.removesuffix("/data.pkl")
        order = f"{root}/byteorder"
        if order in archive.namelist() and archive.read(order) != b"little":
            raise CheckpointError("this .pth file was written in big-endian byte order; only little-endian is read")
        return unpickle.load(archive.read(pickles[0]), _find, partial(_storage, archive, root))
    except (CheckpointError, MemoryError):
        raise
    except Exception as error:  # noqa: BLE001  (a hostile pickle or zip can raise anything)
        raise CheckpointError(f"damaged .pth file: {type(error).__name__} while reading it") from None
