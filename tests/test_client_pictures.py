"""clients.pictures: whatever a program has becomes the file that is sent."""

import io

import cv2
import numpy as np
import pictures
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from PIL import Image

from clients.errors import InputError
from clients.pictures import encoded


def decoded(file):
    return np.asarray(Image.open(io.BytesIO(file)).convert("RGB")).astype(int)


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
def test_bytes_stay_as_they_are(kind):
    assert encoded(kind(b"whatever")) == b"whatever"


@pytest.mark.parametrize("kind", [str, lambda path: path])
def test_a_path_is_read(tmp_path, kind):
    (tmp_path / "a.png").write_bytes(b"file")
    assert encoded(kind(tmp_path / "a.png")) == b"file"


def test_an_array_is_bgr():
    bgr = cv2.cvtColor(np.asarray(pictures.astronaut()), cv2.COLOR_RGB2BGR)
    assert np.abs(decoded(encoded(bgr)) - np.asarray(pictures.astronaut())).mean() < 2


def test_a_gray_array_and_a_view_are_pictures_too():
    gray = np.full((40, 30), 99, np.uint8)
    assert np.abs(decoded(encoded(gray)) - 99).max() <= 2
    assert decoded(encoded(np.zeros((40, 60, 3), np.uint8)[::2, ::-2])).shape == (20, 30, 3)


@pytest.mark.parametrize("mode", ["RGB", "L", "RGBA", "P", "CMYK", "1"])
def test_a_pillow_image_of_any_mode_is_sent(mode):
    assert decoded(encoded(pictures.astronaut().convert(mode))).shape == (512, 512, 3)


def test_a_photo_is_sent_upright(tmp_path):
    """As its EXIF says, which is lost with the file."""
    photo = Image.new("RGB", (40, 20), "red")
    exif = photo.getexif()
    exif[0x0112] = 6
    photo.save(tmp_path / "a.jpg", exif=exif)
    with Image.open(tmp_path / "a.jpg") as opened:
        assert decoded(encoded(opened)).shape == (40, 20, 3)


@pytest.mark.parametrize(
    "picture",
    [
        np.zeros((4, 4, 3), np.float32),
        np.zeros((4, 4, 4), np.uint8),
        np.zeros((0, 4, 3), np.uint8),
        np.zeros(4, np.uint8),
        Image.new("RGB", (70000, 1)),
        None,
        3,
    ],
    ids=["float", "four channels", "empty", "a row", "too wide", "none", "number"],
)
def test_what_is_no_picture_is_said_so(picture):
    with pytest.raises(InputError, match=r"expected|cannot be sent"):
        encoded(picture)


def test_a_path_that_is_not_there_is_an_os_error(tmp_path):
    with pytest.raises(FileNotFoundError):
        encoded(tmp_path / "none.jpg")


@given(arrays.arrays(np.uint8, st.tuples(st.integers(1, 40), st.integers(1, 40), st.just(3))))
def test_any_array_of_pixels_is_a_picture_of_its_size(pixels):
    assert decoded(encoded(pixels)).shape == pixels.shape
