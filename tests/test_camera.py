"""clients.camera: the newest frame, whoever is slow, and a sentence when there is none."""

import threading
import time

import cv2
import numpy as np
import pictures
import pytest
from PIL import Image

from clients import camera as cameras
from clients.camera import Camera, CameraError, CameraLostError

FPS = 50.0


@pytest.fixture(scope="module")
def video(tmp_path_factory):
    """Two seconds whose frames get brighter from one to the next."""
    frames = [Image.new("RGB", (64, 48), (level, level, level)) for level in range(0, 200, 2)]
    return pictures.video(tmp_path_factory.mktemp("video") / "grey.avi", frames, FPS)


class Capture:
    """OpenCV's camera, played: gives `count` frames and then none."""

    def __init__(self, count, opened=True):
        self.count, self.opened, self.released, self.reads = count, opened, threading.Event(), 0

    def isOpened(self):  # noqa: N802
        return self.opened

    def read(self):
        time.sleep(0.005)
        self.reads += 1
        return (True, np.full((4, 6, 3), self.reads, np.uint8)) if self.reads <= self.count else (False, None)

    def release(self):
        self.released.set()


@pytest.fixture
def capture(monkeypatch):
    def played(count, opened=True):
        made = Capture(count, opened)
        monkeypatch.setattr(cameras.cv2, "VideoCapture", lambda *_: made)
        return made

    return played


def test_a_file_is_played_at_its_own_pace(video):
    with Camera(str(video)) as camera:
        start = time.monotonic()
        seen = [snapshot.number for snapshot in camera.frames()]
        took = time.monotonic() - start
        assert camera.error is None
    assert seen == sorted(set(seen))
    assert seen[-1] == 100
    assert 1.5 < took < 6


def test_whoever_is_slow_gets_the_newest(video):
    with Camera(str(video)) as camera:
        frames = camera.frames()
        next(frames)
        time.sleep(0.5)
        snapshot = next(frames)
        assert snapshot.number >= 20
        assert snapshot.number == camera.newest.number
        assert abs(int(snapshot.picture.mean()) - 2 * (snapshot.number - 1)) < 6  # it is the frame of that number


def test_frames_are_an_interval_apart(video):
    with Camera(str(video)) as camera:
        taken = [snapshot.at for snapshot, _ in zip(camera.frames(0.2), range(4), strict=False)]
    assert min(np.diff(taken)) > 0.15


def test_a_frame_is_bgr(tmp_path):
    red = pictures.video(tmp_path / "red.avi", [Image.new("RGB", (64, 48), (250, 10, 10))] * 3)
    with Camera(str(red)) as camera:
        blue, _, red_level = camera.newest.picture.mean(axis=(0, 1))
    assert red_level > 200
    assert blue < 60


def test_leaving_lets_go_of_the_camera(capture):
    played = capture(10**6)
    with Camera(0) as camera:
        assert not played.released.is_set()
    assert played.released.is_set()
    assert camera.wait(10**6) is None


def test_an_iterator_over_frames_ends_when_the_camera_is_closed(capture):
    capture(10**6)
    camera = Camera(0)
    frames = camera.frames(interval=60)
    next(frames)
    threading.Timer(0.1, camera.close).start()
    assert list(frames) == []


def test_a_camera_that_stops_in_the_middle_says_so(capture):
    played = capture(5)
    with Camera(3) as camera:
        assert [snapshot.number for snapshot in camera.frames()][-1] == 5
        assert isinstance(camera.error, CameraLostError)
        assert "Camera 3 stopped giving frames" in str(camera.error)
    assert played.released.is_set()


def test_a_camera_that_gives_no_frames(capture):
    played = capture(0)
    with pytest.raises(CameraError, match="gives no frames"):
        Camera(0)
    assert played.released.is_set()


def test_a_camera_that_is_not_there_or_taken(capture):
    capture(0, opened=False)
    with pytest.raises(CameraError, match="Camera 7 is not there, or another program uses it"):
        Camera(7)


@pytest.mark.parametrize(
    ("source", "words"),
    [("none.avi", "There is no file none.avi"), (__file__, "is no video"), ("rtsp://127.0.0.1:9/x", "does not answer")],
)
def test_what_is_no_video(source, words, capfd):
    with pytest.raises(CameraError, match=words):
        Camera(source)
    assert capfd.readouterr().err == ""  # nothing of OpenCV's or FFmpeg's before our sentence


@pytest.mark.parametrize("told", [0.0, -1.0, float("nan"), 90000.0])
def test_a_file_that_does_not_know_its_pace_is_played_at_25(video, monkeypatch, told):
    with Camera(str(video)) as camera:
        monkeypatch.setattr(camera, "_capture", type("Told", (), {"get": staticmethod(lambda _: told)}))
        assert camera._fps() == 25.0
        monkeypatch.undo()


def test_a_networks_camera_is_given_up_in_time(monkeypatch):
    """OpenCV is told for how long to wait."""
    given = []

    class Refused:
        def __init__(self, *arguments):
            given.extend(arguments)

        isOpened = staticmethod(lambda: False)  # noqa: N815

    monkeypatch.setattr(cameras.cv2, "VideoCapture", Refused)
    with pytest.raises(CameraError):
        Camera("rtsp://camera/1")
    assert given[2] == [cv2.CAP_PROP_OPEN_TIMEOUT_MSEC, 5000, cv2.CAP_PROP_READ_TIMEOUT_MSEC, 5000]
