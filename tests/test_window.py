"""clients.window: what is drawn, and a real window on a screen that is not there."""

import shutil
import subprocess
import sys
import time
from types import SimpleNamespace

import numpy as np
import pictures
import pytest
from PIL import Image, ImageColor, ImageGrab
from server import ROOT

from clients.camera import Snapshot
from clients.palette import ORANGE
from clients.schemas import Box, Face, StreamPrediction
from clients.watching import Reading
from clients.window import camera_picture, mirrored, render

LABELS = ("angry", "frustration", "boredom", "happy", "sad", "surprise", "neutral")
BOX = Box(x=100, y=60, width=160, height=200)


def face(happy):
    return Face(box=BOX, emotion="happy", probabilities={**dict.fromkeys(LABELS, 0.0), "happy": happy})


def watching(*faces, source="a.avi", size=(640, 480), status="1 face."):
    frame = np.zeros((size[1], size[0], 3), np.uint8)
    return SimpleNamespace(
        camera=SimpleNamespace(name="a camera", source=source, newest=Snapshot(1, frame, 0.0)),
        client=SimpleNamespace(url="http://localhost:3000"),
        current=Reading(StreamPrediction(frame=1, faces=faces), 0.0, 0.0) if faces else None,
        status=status,
        over=False,
    )


def is_colour(picture, colour):
    return (np.asarray(picture) == ImageColor.getrgb(colour)).all(axis=2)


def bar(happy, room=(1000, 480)):
    """Pixels of the bar of happy."""
    whole = render(watching(face(happy)), LABELS, room)
    return is_colour(whole, ORANGE)[:, 640 * whole.height // 480 + 1 :].sum()


def test_bars_are_as_long_as_they_are_probable():
    full, half = bar(1.0), bar(0.5)
    assert half == pytest.approx(full / 2, rel=0.05)
    assert bar(0.0) == 0


def test_a_camera_is_shown_as_a_mirror_and_a_file_is_not():
    plain = render(watching(face(0.9)), LABELS, (842, 480))
    mirror = render(watching(face(0.9), source=0), LABELS, (842, 480))
    sides = [np.nonzero(is_colour(whole, ORANGE)[240, :640])[0] for whole in (plain, mirror)]
    assert (sides[0].min(), sides[0].max()) == pytest.approx((100, 260), abs=2)
    assert (sides[1].min(), sides[1].max()) == pytest.approx((640 - 260, 640 - 100), abs=2)


def test_the_picture_itself_is_mirrored_and_its_words_are_not():
    frame = np.zeros((48, 64, 3), np.uint8)
    frame[:, :8, 0] = 255  # blue, at the left
    assert np.asarray(camera_picture(frame, (), mirror=True))[10, 60].tolist() == [0, 0, 255]
    assert np.asarray(camera_picture(frame, (), mirror=False))[10, 4].tolist() == [0, 0, 255]
    wide = Face(box=Box(x=0, y=40, width=640, height=400), emotion="happy", probabilities={"happy": 0.5})
    frame = np.zeros((480, 640, 3), np.uint8)
    drawn = [np.asarray(camera_picture(frame, (wide,), mirror=mirror)) for mirror in (True, False)]
    assert np.array_equal(*drawn)


def test_mirrored_twice_is_as_it_was():
    assert mirrored(mirrored(BOX, 640), 640) == BOX
    assert mirrored(BOX, 640).x == 640 - 260


@pytest.mark.parametrize("room", [(320, 200), (2000, 300), (300, 2000), (1920, 1080)])
def test_it_fits_into_the_window(room):
    whole = render(watching(face(0.9)), LABELS, room)
    assert whole.width <= room[0] + 1
    assert whole.height <= room[1] + 1
    assert abs(whole.width - room[0]) <= 1 or abs(whole.height - room[1]) <= 1


@pytest.mark.parametrize("labels", [(), ("happy",), LABELS * 1, tuple(f"label {n}" for n in range(30))])
def test_any_number_of_labels(labels):
    assert render(watching(), labels, (800, 400)).height > 0


def test_what_is_wrong_is_written_on_it():
    texts = ("No face in view.", "The service does not answer; trying again ...")
    one, other = (np.asarray(render(watching(status=text), LABELS, (842, 480))) for text in texts)
    assert (one != other).any()
    assert np.array_equal(one[:, :640], other[:, :640])


# ---------------------------------------------------------------- on a screen


@pytest.fixture(scope="module")
def display():
    if shutil.which("Xvfb") is None or shutil.which("xdotool") is None:
        pytest.skip("a screen is needed: apt install xvfb xdotool")
    command = ["Xvfb", "-displayfd", "1", "-screen", "0", "1280x800x24", "-nolisten", "tcp"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as screen:
        yield f":{screen.stdout.readline().strip()}"
        screen.terminate()


@pytest.fixture
def window(display, server, tmp_path, monkeypatch):
    """`emotion webcam` in a window, with a video in the camera's place, and its picture on the screen."""
    frames = [pictures.frame(100 + x, 60, 200) for x in range(100)]
    video = pictures.video(tmp_path / "face.avi", frames, fps=10)
    monkeypatch.setenv("DISPLAY", display)
    command = [sys.executable, "-m", "clients.cli", "webcam", "--url", server.url, "--camera", str(video)]
    process = subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True)
    try:
        yield SimpleNamespace(process=process, grab=lambda: ImageGrab.grab(xdisplay=display), display=display)
    finally:
        process.kill()
        process.wait()
        process.stderr.close()


def until(condition, seconds=20):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.05)


def test_a_window_shows_the_face_and_its_bars_and_closes_with_a_key(window):
    until(lambda: is_colour(window.grab(), ORANGE)[:480, 641:842].sum() > 500)  # the bar
    columns = np.nonzero(is_colour(window.grab(), ORANGE)[200, :640])[0]
    assert 100 < columns.max() - columns.min() < 220  # the box's sides
    before = np.asarray(window.grab())[:480, :640]
    until(lambda: not np.array_equal(np.asarray(window.grab())[:480, :640], before))  # it moves
    subprocess.run(["xdotool", "search", "--name", "face.avi", "windowfocus", "key", "q"], check=False)
    assert window.process.wait(10) == 0
    assert window.process.stderr.read() == ""


def test_a_window_can_be_resized_and_closed(window):
    until(lambda: is_colour(window.grab(), ORANGE).sum() > 500)
    subprocess.run(["xdotool", "search", "--name", "face.avi", "windowsize", "--sync", "421", "240"], check=True)
    until(lambda: is_colour(window.grab(), ORANGE)[:240, 320:421].sum() > 50)
    assert not np.asarray(window.grab())[300:, :].any()
    window.process.terminate()
    assert window.process.wait(10) == 0


def test_the_picture_is_that_of_the_video(window):
    until(lambda: is_colour(window.grab(), ORANGE).sum() > 500)
    shown = np.asarray(window.grab())[400:470, 300:600]
    assert np.abs(shown.astype(int) - (90, 110, 130)).max() < 12
    assert isinstance(window.grab(), Image.Image)
