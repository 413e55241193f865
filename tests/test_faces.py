"""preprocessing.faces: findings on a shrunk copy become faces in the frame's own pixels, whatever they are."""

import math

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from preprocessing.faces import DETECTION_SIDE, SAME_FACE, Box, shrink, to_faces
from preprocessing.frame import Frame

anything = st.floats(allow_nan=True, allow_infinity=True)
findings = st.lists(st.tuples(anything, anything, anything, anything, st.none() | anything), max_size=6)
sides = st.integers(1, 5000)


def frame_of(width, height):
    return Frame(np.zeros((max(1, height // 4), max(1, width // 4), 3), np.uint8), width, height)


@given(findings, sides, sides)
def test_whatever_a_detector_says_the_boxes_are_in_the_frame_and_the_largest_is_first(found, width, height):
    frame = frame_of(width, height)
    faces = to_faces(found, frame.image, frame, 0.94)
    for face in faces:
        assert all(map(math.isfinite, (*face.box, *face.square)))
        assert 0 <= face.box.x < face.box.x + face.box.width <= width * (1 + 1e-9)
        assert 0 <= face.box.y < face.box.y + face.box.height <= height * (1 + 1e-9)
        assert 0 < face.square.width <= 3 * height
        assert face.confidence is None or 0 <= face.confidence <= 1
    areas = [face.box.area for face in faces]
    assert areas == sorted(areas, reverse=True)


@given(st.integers(0, 200), st.integers(0, 200), st.integers(10, 60), st.integers(10, 60))
def test_a_box_inside_is_scaled_and_its_square_is_round_its_middle(x, y, width, height):
    frame = frame_of(1200, 1600)  # seen at a quarter: 300x400
    (face,) = to_faces([(x, y, width, height, 0.8)], frame.image, frame, 0.5)
    assert face.box == pytest.approx((4 * x, 4 * y, 4 * width, 4 * height))
    assert face.square.width == face.square.height == pytest.approx(0.5 * 4 * height)
    middle = (face.square.x + face.square.width / 2, face.square.y + face.square.height / 2)
    assert middle == pytest.approx((4 * x + 2 * width, 4 * y + 2 * height))


def test_the_square_of_a_face_cut_by_the_edge_hangs_over_it():
    frame = frame_of(400, 400)
    (face,) = to_faces([(-10, 20, 40, 40, 0.8)], frame.image, frame, 1.0)
    assert face.box == Box(0, 80, 120, 160)
    assert face.square == Box(-40, 80, 160, 160)


@pytest.mark.parametrize(("shift", "kept"), [(0.2, 1), (0.9, 2)])
def test_of_overlapping_findings_the_surest_is_kept(shift, kept):
    assert pytest.approx(0.6) == SAME_FACE
    frame = frame_of(800, 800)
    found = [(10, 10, 50, 50, 0.7), (10 + 50 * shift, 10, 50, 50, 0.9)]
    faces = to_faces(found, frame.image, frame, 1.0)
    assert len(faces) == kept
    assert 0.9 in {face.confidence for face in faces}


@pytest.mark.parametrize(("size", "shrunk"), [((640, 480), (320, 240)), ((3, 5000), (1, 320)), ((320, 10), (320, 10))])
def test_the_copy_for_the_detector_keeps_the_shape_within_its_side(size, shrunk):
    copy = shrink(np.zeros((size[1], size[0], 3), np.uint8))
    assert copy.shape == (shrunk[1], shrunk[0], 3)
    assert max(copy.shape[:2]) <= DETECTION_SIDE


@pytest.mark.parametrize("size", [(640, 480), (641, 479), (500, 375), (1281, 720), (4000, 3000), (333, 1999)])
def test_the_copy_for_the_detector_averages_all_pixels(size):
    """Noise of single pixels cancels out, and what is large stays where it was."""
    rng = np.random.default_rng(0)
    tiles = np.ones((-(-size[1] // 3), -(-size[0] // 3), 3))
    large = np.kron(rng.integers(60, 190, (3, 3, 1)), tiles)[: size[1], : size[0]].astype(np.uint8)
    noisy = (large + rng.integers(-60, 61, large.shape)).astype(np.uint8)
    copy = shrink(noisy)
    small = copy.shape[1::-1]
    expected = cv2.resize(large, small, interpolation=cv2.INTER_AREA)
    averaged = cv2.resize(noisy, small, interpolation=cv2.INTER_AREA)
    assert cv2.norm(copy, expected) < 1.8 * cv2.norm(averaged, expected)
