"""serving.memory: what was freed goes back to the system, and what is left is not looked at again and again."""

import ctypes
import gc
import weakref

import psutil
import pytest

from serving import memory


@pytest.fixture(autouse=True)
def thaw():
    yield
    gc.unfreeze()


SIZE, COUNT = 100_000, 500  # of blocks that glibc keeps on its heap: 50 MB


class Node:
    """Part of a cycle, which only the garbage collector frees."""


def test_cycles_are_freed():
    node = Node()
    node.itself = node
    seen = weakref.ref(node)
    gc.disable()
    try:
        del node
        assert seen() is not None
        memory.settle()
        assert seen() is None
    finally:
        gc.enable()


def test_what_is_loaded_is_left_out_of_collections():
    loaded = [[number] for number in range(10_000)]
    memory.settle()
    assert gc.get_freeze_count() > len(loaded)
    assert len(gc.get_objects()) < len(loaded)


@pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "malloc_trim"), reason="glibc's alone")
def test_freed_memory_leaves_the_process():
    resident = psutil.Process().memory_info
    blocks = [ctypes.create_string_buffer(SIZE) for _ in range(COUNT)]
    keep = ctypes.create_string_buffer(SIZE)  # on top of the heap, so that free() alone cannot shrink it
    full = resident().rss
    del blocks
    memory.settle()
    assert resident().rss < full - 0.6 * SIZE * COUNT
    assert len(keep) == SIZE


def test_without_glibc_nothing_is_done(monkeypatch):
    monkeypatch.setattr(ctypes, "CDLL", lambda _: object())
    memory.settle()
