"""clients.webcam: `emotion webcam` as people start it, with a video in the camera's place."""

import re
import shutil
import signal
import subprocess
import sys
import threading
import time

import numpy as np
import pictures
import pytest
from server import ROOT, free_port

from clients import camera as cameras
from clients import cli, exits, webcam

COMMAND = [sys.executable, "-m", "clients.cli", "webcam"]


@pytest.fixture(scope="module")
def video(tmp_path_factory):
    """A face for two seconds, nobody for one, and the face again."""
    folder = tmp_path_factory.mktemp("video")
    face, nobody = (pictures.frame(100, 60, 200), pictures.frame(100, 60, 2))
    return str(pictures.video(folder / "face.avi", [face] * 20 + [nobody] * 10 + [face] * 5, fps=10))


def webcam_of(*arguments, **options):
    return subprocess.run(
        [*COMMAND, *arguments], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False, **options
    )


def test_a_line_for_each_frame(server, video):
    ran = webcam_of("--url", server.url, "--camera", video, "--show", "none", "--smoothing", "0")
    assert (ran.returncode, ran.stderr) == (0, "")
    lines = ran.stdout.splitlines()
    assert 15 <= len(lines) <= 36
    assert re.fullmatch(r"\d\d:\d\d:\d\d  1  happy \d\d%", lines[0])
    assert re.fullmatch(r"\d\d:\d\d:\d\d  2  happy \d\d%", lines[-1])  # away for a second: a new number
    assert any(line.endswith("  no face") for line in lines)


def test_the_url_from_the_environment(server, video, monkeypatch):
    monkeypatch.setenv("API_URL", server.url)
    assert "happy" in webcam_of("--camera", video, "--show", "none", "--interval", "1").stdout


def test_the_interval_is_kept(server, video):
    ran = webcam_of("--url", server.url, "--camera", video, "--show", "none", "--interval", "1")
    assert 3 <= len(ran.stdout.splitlines()) <= 5  # one a second, and the last


@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        (["--camera", "97"], exits.NO_INPUT, "Camera 97 is not there"),
        (["--camera", "none.mp4"], exits.NO_INPUT, "There is no file none.mp4."),
        (["--url", "localhost:3000"], exits.USAGE, "'localhost:3000' is no URL of a service"),
        (["--show", "window"], exits.USAGE, "There is no screen for a window"),
        (["--interval", "-1"], exits.USAGE, "expected seconds from 0 to 60"),
        (["--smoothing", "long"], exits.USAGE, "expected seconds from 0 to 60"),
        (["--show", "film"], exits.USAGE, "invalid choice"),
    ],
)
def test_what_does_not_work_is_a_sentence(server, video, monkeypatch, arguments, status, words):
    monkeypatch.setenv("API_URL", server.url)
    monkeypatch.delenv("DISPLAY", raising=False)
    ran = webcam_of("--camera", video, "--show", "none", *arguments)
    assert (ran.returncode, ran.stdout) == (status, "")
    assert words in ran.stderr
    assert "Traceback" not in ran.stderr
    assert ran.stderr.count("\n") == 1 or "usage:" in ran.stderr


def test_nobody_at_the_url(video):
    ran = webcam_of("--url", f"http://127.0.0.1:{free_port()}", "--camera", video, "--show", "none")
    assert ran.returncode == exits.UNAVAILABLE
    assert re.fullmatch(r"emotion webcam: http://127.0.0.1:\d+/health was not reached: .*\n", ran.stderr)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_ends_it_in_good_order(server, video, number):
    process = subprocess.Popen(
        [*COMMAND, "--url", server.url, "--camera", video, "--show", "none"],
        cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert "happy" in process.stdout.readline()
    process.send_signal(number)
    start = time.monotonic()
    _, errors = process.communicate(timeout=20)
    assert (process.returncode, errors) == (0, "")
    assert time.monotonic() - start < 3


# ---------------------------------------------------------------- in this process, with a camera that the test plays


class Capture:
    """A camera with a face before it, until it is unplugged."""

    def __init__(self, frames):
        self.left, self.released = frames, False
        self.frame = np.asarray(pictures.frame(100, 60, 200))[..., ::-1]

    def isOpened(self):  # noqa: N802
        return True

    def read(self):
        time.sleep(0.03)
        self.left -= 1
        return (self.left >= 0, self.frame)

    def release(self):
        self.released = True


@pytest.fixture
def capture(monkeypatch):
    def plugged(frames):
        made = Capture(frames)
        monkeypatch.setattr(cameras.cv2, "VideoCapture", lambda *_: made)
        return made

    return plugged


def test_a_camera_that_is_unplugged(server, capture, capsys):
    camera = capture(40)
    assert cli.main(["webcam", "--url", server.url, "--show", "none"]) == exits.LOST
    printed = capsys.readouterr()
    assert "happy" in printed.out
    assert printed.err == "emotion webcam: Camera 0 stopped giving frames. Was it unplugged?\n"
    assert camera.released


def test_ctrl_c_leaves_the_camera_free_and_the_signals_as_they_were(server, capture):
    camera = capture(10**6)
    before = signal.getsignal(signal.SIGINT)
    threading.Timer(2.0, signal.raise_signal, [signal.SIGINT]).start()
    assert cli.main(["webcam", "--url", server.url, "--show", "none"]) == exits.OK
    assert camera.released
    assert signal.getsignal(signal.SIGINT) is before


def test_a_service_that_goes_away_and_stays_away(tmp_path, capture, capsys, monkeypatch):
    from server import Server

    monkeypatch.setattr(webcam, "RETRIES", 1)
    camera = capture(10**6)
    with Server(tmp_path) as own:
        threading.Timer(3.0, own.stop).start()
        assert cli.main(["webcam", "--url", own.url, "--show", "none"]) == exits.UNAVAILABLE
    assert re.fullmatch(r"emotion webcam: http://.*/stream\?.* (was not reached|closed).*\n", capsys.readouterr().err)
    assert camera.released


def test_a_service_that_starts_is_waited_for(capture, capsys, monkeypatch, server):
    from clients.emotion_client import EmotionClient
    from clients.schemas import Health

    health, starting = EmotionClient.health, [True, True]
    monkeypatch.setattr(
        EmotionClient, "health", lambda self: Health(status="starting") if starting and starting.pop() else health(self)
    )
    capture(10)
    cli.main(["webcam", "--url", server.url, "--show", "none"])
    assert capsys.readouterr().out.startswith("The service is starting ...\n")


# ---------------------------------------------------------------- in a terminal


def test_bars_in_a_terminal_until_ctrl_c(server, video, tmp_path):
    if shutil.which("tmux") is None:
        pytest.skip("a terminal is needed: apt install tmux")
    log = tmp_path / "status"
    line = f"{' '.join(COMMAND)} --url {server.url} --camera {video} --show terminal; echo $? > {log}; sleep 60"
    tmux = ["tmux", "-L", f"emotion-{free_port()}"]
    subprocess.run([*tmux, "new-session", "-d", "-x", "80", "-y", "20", "-c", str(ROOT), line], check=True)

    def screen():
        return subprocess.run([*tmux, "capture-pane", "-p"], capture_output=True, text=True, check=True).stdout

    def until(words):
        end = time.monotonic() + 20
        while not re.search(words, screen()):
            assert time.monotonic() < end, screen()
            time.sleep(0.05)

    try:
        until(r"happy ━+.* \d\d%")
        until(r"1 face\. \d+ frames/s, \d+ ms  Ctrl-C ends\.")
        assert len(re.findall(r"^ *[a-z]+ [━╸╺]+ +\d+%$", screen(), re.MULTILINE)) == 7
        until(r"No face in view\.")
        subprocess.run([*tmux, "send-keys", "C-c"], check=True)
        end = time.monotonic() + 10
        while not log.exists() or not log.read_text():
            assert time.monotonic() < end, screen()
            time.sleep(0.05)
        assert log.read_text() == "0\n"
        assert "Traceback" not in screen()
    finally:
        subprocess.run([*tmux, "kill-server"], check=False)
