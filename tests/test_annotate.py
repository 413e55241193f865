"""clients.annotate: boxes where the faces are, and words that stay in the picture."""

import numpy as np
import pytest
from PIL import Image, ImageColor

from clients.annotate import annotate, caption
from clients.palette import ORANGE
from clients.schemas import Box, Face

PROBABILITIES = {"angry": 0.0, "frustration": 0.0, "boredom": 0.07, "happy": 0.93}


def face(x=100, y=100, width=80, height=90, track=None):
    box = Box(x=x, y=y, width=width, height=height)
    return Face(box=box, emotion="happy", probabilities=PROBABILITIES, track=track)


def drawn(*faces, size=(640, 480)):
    """Where anything was drawn onto a black picture, and the picture."""
    picture = Image.new("RGB", size)
    annotate(picture, faces)
    pixels = np.asarray(picture)
    return pixels.any(axis=2), pixels


def test_the_box_lies_on_its_face_in_the_colour_of_its_emotion():
    marked, pixels = drawn(face())
    rows, columns = np.nonzero(marked)
    assert (rows.max(), columns.min()) == (190, 100)
    assert tuple(pixels[150, 100]) == tuple(pixels[190, 140]) == ImageColor.getrgb(ORANGE)
    assert not marked[110:185, 110:170].any()  # the face itself is not covered


def test_without_a_face_nothing_is_drawn():
    assert not drawn()[0].any()


@pytest.mark.parametrize("corner", [(0, 0), (600, 2), (0, 400), (560, 390)])
def test_the_words_stay_in_the_picture(corner):
    """As many pixels of the tag as there are where it has all the room."""

    def tag(x, y):
        _, pixels = drawn(face(x, y, 40, 90))
        return (pixels == 0).all(axis=2).size - (pixels == 0).all(axis=2).sum()

    assert tag(*corner) >= 0.85 * tag(300, 200)


def test_a_caption_names_the_face_the_emotion_and_how_sure():
    assert caption(face()) == "happy 93%"
    assert caption(face(track=2)) == "2  happy 93%"


def test_lines_grow_with_the_picture():
    small, large = drawn(face())[0], drawn(face(), size=(3840, 2160))[0]
    assert large[185:190, 140].sum() > small[185:190, 140].sum()
