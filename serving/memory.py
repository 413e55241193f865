"""Memory that was needed only to load a model, back to the system."""

import ctypes
import gc


def give_back() -> None:
    """Free what Python holds in cycles, and what the C library (glibc) keeps of freed memory."""
    gc.collect()
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # glibc's alone
    if trim is not None:
        trim(0)
