"""A graph's weights in a file, so that they need no memory once they are compiled.

OpenVINO packs the weights for the CPU when it first runs a batch, and keeps the originals in case that another size of
batch needs them packed otherwise. Mapped from a file, the originals take memory only while they are read: 145 MB of the
published network.
"""

from __future__ import annotations

import logging
import mmap
import tempfile

import numpy as np
from openvino import Model
from openvino import opset13 as ops

logger = logging.getLogger(__name__)

LEAST_BYTES = 64 * 2**10
_ALIGNMENT = 64  # bytes: a cache line, which OpenVINO's own allocations begin with


class Offloaded:
    """The large constants of a graph, moved to a temporary file that has no name and goes with this object.

    Where there is no room for such a file they stay in memory.
    """

    def __init__(self, model: Model) -> None:
        """Move the constants; ``model`` is altered."""
        constants = [op for op in model.get_ops() if op.get_type_name() == "Constant"]
        large = [op for op in constants if op.get_byte_size() >= LEAST_BYTES]
        self._map: mmap.mmap | None = None
        if not large:
            return
        try:
            with tempfile.TemporaryFile() as file:
                starts = []
                for op in large:
                    file.seek(-(-file.tell() // _ALIGNMENT) * _ALIGNMENT)
                    starts.append(file.tell())
                    file.write(np.ascontiguousarray(op.get_data()).data)
                file.flush()
                # A private map: OpenVINO asks for arrays that could be written to, though it does not.
                self._map = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY)
        except OSError as error:
            logger.info("the weights stay in memory: no temporary file (%s)", error.strerror)
            return
        for op, start in zip(large, starts, strict=True):
            data = op.get_data()
            array = np.frombuffer(self._map, data.dtype, data.size, start).reshape(data.shape)
            op.output(0).replace(ops.constant(array, shared_memory=True).output(0))

    def release(self) -> None:
        """Give the memory back that the constants' pages take; whoever reads them again has them read from the file."""
        if self._map is not None and hasattr(mmap, "MADV_DONTNEED"):
            self._map.madvise(mmap.MADV_DONTNEED)
