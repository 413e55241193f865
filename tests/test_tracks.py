"""tracking.tracks: numbers stay with faces, and probabilities do not flicker."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from preprocessing.faces import Box
from tracking.tracks import FORGET_SECONDS, Tracker

LEFT, RIGHT = Box(0, 0, 100, 100), Box(300, 0, 100, 100)
HAPPY, SAD = [1.0, 0.0], [0.0, 1.0]


def rows(*values):
    return np.array(values, np.float32).reshape(-1, 2)


def moved(box, x, y=0.0):
    return box._replace(x=box.x + x, y=box.y + y)


def test_numbers_stay_when_the_order_of_the_faces_changes():
    tracker = Tracker()
    assert tracker.update([LEFT, RIGHT], rows(HAPPY, SAD), 0.0)[0] == [1, 2]
    assert tracker.update([moved(RIGHT, 10), moved(LEFT, -10)], rows(SAD, HAPPY), 0.1)[0] == [2, 1]


def test_a_third_face_gets_a_number_of_its_own():
    tracker = Tracker()
    tracker.update([LEFT, RIGHT], rows(HAPPY, SAD), 0.0)
    assert tracker.update([LEFT, Box(150, 200, 90, 90), RIGHT], rows(HAPPY, SAD, SAD), 0.1)[0] == [1, 3, 2]


def test_two_faces_never_share_a_number_or_probabilities():
    """Both overlap the one of before; the one that overlaps it more is it."""
    tracker = Tracker(smoothing=10)
    tracker.update([LEFT], rows(HAPPY), 0.0)
    numbers, smoothed = tracker.update([moved(LEFT, 40), moved(LEFT, -10)], rows(SAD, SAD), 0.1)
    assert numbers == [2, 1]
    assert smoothed[0].tolist() == SAD
    assert smoothed[1, 0] > 0.9


def test_a_face_that_is_missed_for_a_moment_keeps_its_number():
    tracker = Tracker()
    tracker.update([LEFT], rows(HAPPY), 0.0)
    assert tracker.update([], rows(), 0.3)[0] == []
    assert tracker.update([LEFT], rows(HAPPY), FORGET_SECONDS)[0] == [1]
    assert tracker.update([LEFT], rows(SAD), 2 * FORGET_SECONDS + 0.01)[0] == [2]


def test_what_was_forgotten_smooths_nothing():
    tracker = Tracker(smoothing=10)
    tracker.update([LEFT], rows(HAPPY), 0.0)
    assert tracker.update([LEFT], rows(SAD), FORGET_SECONDS + 0.1)[1].tolist() == [SAD]


def test_a_face_that_jumps_is_another_one():
    tracker = Tracker()
    tracker.update([LEFT], rows(HAPPY), 0.0)
    assert tracker.update([moved(LEFT, 80)], rows(HAPPY), 0.1)[0] == [2]


@pytest.mark.parametrize("steps", [1, 5, 50])
def test_after_the_time_constant_63_percent_of_a_change_are_shown_at_any_frame_rate(steps):
    tracker = Tracker(smoothing=0.5)
    tracker.update([LEFT], rows(HAPPY), 0.0)
    for step in range(1, steps + 1):
        _, smoothed = tracker.update([LEFT], rows(SAD), 0.5 * step / steps)
    assert smoothed[0] == pytest.approx([math.exp(-1), 1 - math.exp(-1)], abs=1e-4)


def test_without_smoothing_a_frame_shows_itself():
    tracker = Tracker()
    for at, row in enumerate((HAPPY, SAD, HAPPY)):
        assert tracker.update([LEFT], rows(row), 0.1 * at)[1].tolist() == [row]


def test_a_label_that_flickers_is_steady_when_smoothed():
    tracker = Tracker(smoothing=1.0)
    rng = np.random.default_rng(0)
    labels = []
    for step in range(60):
        happy = np.clip(0.6 + rng.normal(0, 0.3), 0, 1)
        labels.append(int(tracker.update([LEFT], rows([happy, 1 - happy]), step / 30)[1].argmax()))
    assert len(set(labels[15:])) == 1


boxes = st.builds(
    Box, st.floats(-50, 700), st.floats(-50, 500), st.floats(1, 400, exclude_min=False), st.floats(1, 400)
)


@given(st.lists(st.lists(boxes, max_size=6), max_size=8), st.floats(0, 5))
def test_numbers_are_distinct_and_probabilities_stay_probabilities(frames, smoothing):
    tracker = Tracker(smoothing)
    rng = np.random.default_rng(0)
    for step, found in enumerate(frames):
        happy = rng.random(len(found))
        numbers, smoothed = tracker.update(found, rows(*np.column_stack([happy, 1 - happy])), step / 10)
        assert len(set(numbers)) == len(numbers) == len(found)
        assert smoothed.shape == (len(found), 2)
        assert smoothed.dtype == np.float32
        assert (smoothed >= 0).all()
        assert np.allclose(smoothed.sum(axis=1), 1, atol=1e-5)
