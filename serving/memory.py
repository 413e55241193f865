"""What loading a model leaves behind in memory."""

import ctypes
import gc


def settle() -> None:
    """Give memory back that only loading needed, and spare what is loaded from the garbage collector.

    Frees what Python holds in cycles, and what the C library (glibc) keeps of freed memory. What is left will be needed
    to the end: a full collection would look at all of it, and stop every request for a tenth of a second.
    """
    gc.collect()
    gc.freeze()
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # glibc's alone
    if trim is not None:
        trim(0)
