"""clients.timeline: a picture that shows what happened when."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageColor

from clients.palette import ORANGE, VERMILLION
from clients.summary import Summary
from clients.timeline import clock, draw, smoothed, smoothed_over

LABELS = ("angry", "frustration", "boredom", "happy")


def summary(strongest, timed=True):
    """A face that shows these labels, one a second; None: nobody."""
    rows = np.full((len(strongest), 4), 0.1, np.float32)
    for row, label in zip(rows, strongest, strict=True):
        row[:] = np.nan if label is None else row
        if label is not None:
            row[LABELS.index(label)] = 0.7
    return Summary(LABELS, np.arange(len(rows), dtype=float), rows, timed, 1, 0)


def band(picture):
    """The colours of the strip of the strongest emotion, from left to right."""
    pixels = np.asarray(picture.convert("RGB"))
    is_line = (pixels[560:] == ImageColor.getrgb(ORANGE)).all(axis=2).sum(axis=1)
    return pixels[560 + int(is_line.argmax())]


def columns(row, colour):
    return np.flatnonzero((row == ImageColor.getrgb(colour)).all(axis=1))


def test_the_band_shows_each_emotion_at_its_time_and_gaps(tmp_path):
    draw(tmp_path / "a.png", summary(["angry"] * 20 + [None] * 20 + ["happy"] * 40), "a.mp4")
    with Image.open(tmp_path / "a.png") as picture:
        assert picture.size == (1400, 700)
        row = band(picture)
    angry, happy = columns(row[:1080], VERMILLION), columns(row[:1080], ORANGE)
    assert angry.max() < happy.min() - 150  # nobody there
    assert len(happy) > 1.5 * len(angry) > 150


@pytest.mark.parametrize("strongest", [["happy"], [None], [None, "angry"], ["happy"] * 1000])
@pytest.mark.parametrize("timed", [True, False])
def test_any_number_of_frames(tmp_path, strongest, timed):
    draw(tmp_path / "a.png", summary(strongest, timed), "a.mp4")
    with Image.open(tmp_path / "a.png") as picture:
        assert picture.getcolors(1 << 24) is not None
        assert len(picture.getcolors(1 << 24)) > 10


def test_lines_are_smoothed_only_where_there_are_many_points():
    assert [smoothed_over(frames) for frames in (1, 300, 399, 400, 600, 2000)] == [1, 1, 1, 1, 3, 9]


@given(st.lists(st.one_of(st.none(), st.floats(0, 1, width=32)), min_size=1), st.sampled_from([1, 3, 9]))
def test_smoothing_keeps_gaps_and_stays_between_its_values(values, count):
    given_values = np.array([np.nan if value is None else value for value in values], np.float32)
    given_smoothed = smoothed(given_values, count)
    assert np.array_equal(np.isnan(given_smoothed), np.isnan(given_values))
    seen = given_smoothed[~np.isnan(given_smoothed)]
    if len(seen):
        assert np.nanmin(given_values) - 1e-6 <= seen.min() <= seen.max() <= np.nanmax(given_values) + 1e-6
    if count == 1:
        assert np.array_equal(given_smoothed, given_values, equal_nan=True)


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0:00"), (7.5, "0:07.5"), (62, "1:02"), (3605, "1:00:05"), (59.99, "1:00")]
)
def test_times_are_written_as_people_do(seconds, text):
    assert clock(seconds) == text
