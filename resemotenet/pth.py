"""A PyTorch ``.pth`` file read without PyTorch, and without running anything that it holds.

The zip format (PyTorch 1.6 and later) is a pickle, ``data.pkl``, beside the raw bytes of each storage. The pickle is
read by an unpickler that knows four names of PyTorch's and ``collections.OrderedDict``; it refuses every other, so that
a file cannot name a function for us to call. Tensors come back as references: their bytes are read only when asked for,
after the caller has checked the shape.
"""

from __future__ import annotations

import pickle
import zipfile
from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from resemotenet.errors import CheckpointError

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

#: A state dict's pickle is some 20 KB; an optimizer's adds about as much again.
MAX_PICKLE_BYTES = 16 * 2**20
#: The first bytes of the format before PyTorch 1.6: a pickled magic number.
LEGACY_MAGIC = b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19."

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


class _Storage:
    """One storage of the archive: ``count`` values of ``dtype``."""

    __slots__ = ("_archive", "_entry", "count", "dtype")

    def __init__(self, archive: zipfile.ZipFile, entry: str, dtype: np.dtype[Any], count: int) -> None:
        self._archive, self._entry, self.dtype, self.count = archive, entry, dtype, count

    def read(self) -> NDArray[Any]:
        """Read all values; bfloat16 as float32."""
        values = np.frombuffer(self._archive.read(self._entry), self.dtype)
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
        """Read the values into a C-contiguous array of ``shape``; bfloat16 comes as float32."""
        values = self.storage.read()
        span = sum((size - 1) * stride for size, stride in zip(self.shape, self.strides, strict=True))
        if min((self.offset, *self.strides)) < 0 or (
            0 not in self.shape and self.offset + span >= min(self.storage.count, len(values))
        ):
            raise CheckpointError(f"damaged .pth file: a tensor of shape {self.shape} reaches past its storage")
        strides = [stride * values.itemsize for stride in self.strides]
        return np.ascontiguousarray(
            np.lib.stride_tricks.as_strided(values[self.offset :], self.shape, strides, writeable=False)
        )


class _RebuildTensor:
    """Stands for ``torch._utils._rebuild_tensor_v2``. Without attributes, so that a pickle cannot set any."""

    __slots__ = ()

    def __call__(self, storage: _Storage, offset: int, size: Any, stride: Any, *_: object) -> TensorReference:
        if not isinstance(storage, _Storage):
            raise CheckpointError("damaged .pth file: a tensor without a storage")
        shape, strides = tuple(map(int, size)), tuple(map(int, stride))
        if len(shape) != len(strides) or min(shape, default=0) < 0:
            raise CheckpointError(f"damaged .pth file: a tensor of shape {shape} with strides {strides}")
        return TensorReference(storage, int(offset), shape, strides)


class _RebuildParameter:
    """Stands for ``torch._utils._rebuild_parameter``: a parameter is read as its tensor."""

    __slots__ = ()

    def __call__(self, data: object, *_: object) -> object:
        return data


class _Unpickler(pickle.Unpickler):
    def __init__(self, archive: zipfile.ZipFile, root: str) -> None:
        super().__init__(archive.open(f"{root}/data.pkl"))
        self._archive, self._root = archive, root

    def find_class(self, module: str, name: str) -> Any:
        """Give the stand-in for one of the five names that a file of tensors needs, and refuse every other."""
        if (module, name) == ("collections", "OrderedDict"):
            return OrderedDict
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return _RebuildTensor()
        if (module, name) == ("torch._utils", "_rebuild_parameter"):
            return _RebuildParameter()
        if module == "torch" and name in STORAGES:
            return name
        raise CheckpointError(
            f"the pickle in this .pth file asks for {module}.{name}, which a file of weights has no need of; nothing "
            "of it was run. Expected tensors only: save the model with torch.save(model.state_dict(), path)"
        )

    def persistent_load(self, pid: Any) -> _Storage:
        """Give the storage that a tensor names, unread."""
        if isinstance(pid, tuple) and len(pid) == 5 and pid[0] == "storage":
            _, kind, key, _, count = pid
            if (
                isinstance(kind, str)
                and kind in STORAGES
                and isinstance(key, str)
                and key.isalnum()
                and isinstance(count, int)
            ):
                return _Storage(self._archive, f"{self._root}/data/{key}", STORAGES[kind], count)
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
        return _Unpickler(archive, root).load()
    except (CheckpointError, MemoryError):
        raise
    except Exception as error:  # noqa: BLE001  (a hostile pickle or zip can raise anything)
        raise CheckpointError(f"damaged .pth file: {type(error).__name__} while reading it") from None
