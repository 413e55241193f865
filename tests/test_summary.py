"""clients.summary: shares of the time, not of the frames."""

import io

import numpy as np
import pytest
from rich.console import Console

from clients.records import FrameRecord
from clients.schemas import Box, Face
from clients.summary import Summary, headline, shares_table

LABELS = ("happy", "sad")


def record(frame, time, happy=None, track=1, error=None):
    box = Box(x=0, y=0, width=50, height=50)
    probabilities = {} if happy is None else {"happy": happy, "sad": 1 - happy}
    emotion = max(probabilities, key=probabilities.get, default="")
    faces = () if happy is None else (Face(box=box, emotion=emotion, probabilities=probabilities, track=track),)
    return FrameRecord(frame=frame, time=time, file="a", faces=faces, error=error)


def test_a_frame_counts_for_as_long_as_it_lasts():
    summary = Summary.of([record(0, 0.0, 0.9), record(1, 3.0, 0.2), record(2, 4.0, 0.2)], LABELS)
    assert summary.shares == pytest.approx({"happy": 0.6, "sad": 0.4})


def test_frames_without_a_face_count_for_nothing_but_are_counted():
    records = [record(0, 0.0, 0.9), record(1, 1.0), record(2, 2.0, 0.2, track=3), record(3, 3.0, error="x")]
    summary = Summary.of(records, LABELS)
    assert summary.shares == pytest.approx({"happy": 0.5, "sad": 0.5})
    assert (summary.frames, summary.without_face, summary.refused, summary.faces) == (4, 1, 1, 3)
    assert summary.strongest.tolist() == [0, -1, 1, -1]
    assert headline(summary) == "4 frames, 1 without a face, 1 not read, 3 faces followed"


def test_images_count_alike_and_are_numbered_from_1():
    summary = Summary.of([record(0, None, 0.9), record(1, None, 0.8), record(2, None, 0.1)], LABELS)
    assert summary.at.tolist() == [1, 2, 3]
    assert summary.shares == pytest.approx({"happy": 2 / 3, "sad": 1 / 3})
    assert headline(summary) == "3 frames, 0 without a face, 3 faces in all"


@pytest.mark.parametrize("records", [[], [record(0, 0.0)], [record(0, 0.0, 0.9)]])
def test_next_to_nothing(records):
    summary = Summary.of(records, LABELS)
    assert not np.isnan(list(summary.shares.values())).any()
    assert sum(summary.shares.values()) in {0, 1}


def test_the_most_frequent_emotion_is_named_first():
    console = Console(file=io.StringIO(), width=60)
    console.print(shares_table(Summary.of([record(0, 0.0, 0.1), record(1, 1.0, 0.2)], LABELS)))
    assert console.file.getvalue().split() == ["sad", "100%", "happy", "0%"]
