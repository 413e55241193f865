"""clients.video: `emotion video` as people start it, against the started service and one that counts and fails."""

import csv
import io
import json
import os
import re
import signal
import subprocess
import sys
import time

import pictures
import pytest
from films import film, frames
from PIL import Image
from server import ROOT, free_port

from clients import exits

COMMAND = [sys.executable, "-m", "clients.cli", "video"]
FRAMES = 24

#: A stand-in that answers like the service, slowly, and writes a line for each picture that it is asked about.
SERVICE = """
import asyncio, sys
from aiohttp import web
from PIL import Image
import io

PROBABILITIES = {"happy": 0.7, "sad": 0.3}
asked = open(sys.argv[2], "a")
limit, hang = int(sys.argv[3]), int(sys.argv[4])

async def health(_):
    return web.json_response({"status": "ok", "model": "m:1", "labels": list(PROBABILITIES)})

async def predict(request):
    level = round(Image.open(io.BytesIO(await request.read())).convert("L").resize((1, 1)).getpixel((0, 0)) / 8)
    print(level, file=asked, flush=True)
    await asyncio.sleep(0.05 if level < hang else 60)
    if level >= limit:
        return web.json_response({"error": {"code": "x", "message": "no more"}}, status=500)
    box = {"x": 5 + level, "y": 5, "width": 30, "height": 30}
    face = {"box": box, "confidence": 0.9, "emotion": "happy", "probabilities": PROBABILITIES}
    faces = [] if level % 7 == 3 else [face]
    return web.json_response({"emotion": "happy", "probabilities": PROBABILITIES, "faces": faces, "model": "m:1"})

app = web.Application()
app.router.add_get("/health", health)
app.router.add_post("/predict_image", predict)
web.run_app(app, host="127.0.0.1", port=int(sys.argv[1]), print=None)
"""


class Counting:
    def __init__(self, folder):
        self.port, self.asked = free_port(), folder / "asked"
        self.script = folder / "service.py"
        self.script.write_text(SERVICE)
        self.url, self.process = f"http://127.0.0.1:{self.port}", None

    def start(self, limit=10**6, hang=10**6):
        """Serve; fail from the level `limit` on, and never answer from the level `hang` on."""
        command = [sys.executable, str(self.script), str(self.port), str(self.asked), str(limit), str(hang)]
        self.process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
        until(lambda: _answers(self.port))

    def stop(self):
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None

    @property
    def levels(self):
        return [int(line) for line in self.asked.read_text().split()] if self.asked.exists() else []


def _answers(port):
    import socket

    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def until(condition, seconds=20):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


@pytest.fixture
def counting(tmp_path):
    made = Counting(tmp_path)
    made.start()
    yield made
    made.stop()


@pytest.fixture
def work(tmp_path):
    folder = tmp_path / "work"
    folder.mkdir()
    return folder


def environment():
    return {**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": "100"}


def start(work, *arguments):
    return subprocess.Popen(
        [*COMMAND, *map(str, arguments)], cwd=work, env=environment(),
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def video_of(work, *arguments):
    process = start(work, *arguments)
    process.stdout_text, process.stderr_text = process.communicate(timeout=100)
    return process


def rows(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture
def levels(work):
    """A video whose frame N has the gray level 8 N."""
    return film(work / "a.mp4", [Image.new("RGB", (64, 48), (8 * index,) * 3) for index in range(FRAMES)])


# ---------------------------------------------------------------- against the started service


def test_a_video_becomes_a_table_a_plot_and_a_video(server, work):
    face, nobody = pictures.frame(100, 60, 200), pictures.frame(100, 60, 2)
    film(work / "talk.mp4", [face] * 4 + [nobody] * 2 + [face] * 4)
    ran = video_of(work, "talk.mp4", "--url", server.url, "--plot", "talk.png", "--annotate", "out.mp4")
    assert (ran.returncode, ran.stderr_text) == (0, "")
    assert "10 frames, 2 without a face, 1 face followed" in ran.stdout_text
    assert re.search(r"happy +100%", ran.stdout_text)
    assert "Written: talk.emotions.csv, talk.png, out.mp4" in ran.stdout_text

    table = rows(work / "talk.emotions.csv")
    assert [row["emotion"] for row in table] == ["happy"] * 4 + [""] * 2 + ["happy"] * 4
    assert [float(row["time"]) for row in table] == pytest.approx([index / 10 for index in range(10)])
    assert {row["track"] for row in table} == {"1", ""}
    answer = server.client.post("/predict_image", files={"image": pictures.encoded(face)}).json()
    assert float(table[0]["x"]) == pytest.approx(answer["face"]["box"]["x"], abs=3)
    assert float(table[0]["happy"]) == pytest.approx(answer["probabilities"]["happy"], abs=0.05)
    with Image.open(work / "talk.png") as plot:
        assert plot.size == (1400, 700)
    assert [time for time, _ in frames(work / "out.mp4")] == pytest.approx([index / 10 for index in range(10)])
    assert sorted(path.name for path in work.iterdir()) == ["out.mp4", "talk.emotions.csv", "talk.mp4", "talk.png"]


def test_a_folder_of_images_works_the_same_way(server, work):
    folder = work / "photos"
    folder.mkdir()
    pictures.astronaut().save(folder / "2.jpg")
    pictures.noise().save(folder / "10.png")
    (folder / "1.png").write_text("no image")
    ran = video_of(work, folder, "--url", server.url, "--out", "a.jsonl", "--plot", "a.png", "--annotate", "a.mp4")
    assert (ran.returncode, ran.stderr_text) == (0, "")
    lines = [json.loads(line) for line in (work / "a.jsonl").read_text().splitlines()]
    assert [line["file"] for line in lines] == ["1.png", "2.jpg", "10.png"]
    assert lines[0]["error"].startswith("The frame is not a picture")
    assert (lines[1]["faces"][0]["emotion"], lines[1]["faces"][0]["track"], lines[1]["time"]) == ("happy", None, None)
    assert (lines[2]["faces"], lines[2]["error"]) == ([], None)
    assert len(frames(work / "a.mp4")) == 2


def test_each_nth_frame(server, work):
    film(work / "a.mp4", [pictures.frame(100, 60, 200)] * 7)
    assert video_of(work, "a.mp4", "--url", server.url, "--every", 3).returncode == 0
    assert [(row["frame"], row["time"]) for row in rows(work / "a.emotions.csv")] == [
        ("0", "0.000000"), ("3", "0.300000"), ("6", "0.600000"),
    ]  # fmt: skip


# ---------------------------------------------------------------- interrupted


@pytest.fixture
def whole(counting, work, levels):
    """The table of a run that nothing interrupts."""
    ran = video_of(work, levels.name, "--url", counting.url, "--out", "whole.csv")
    assert ran.returncode == 0, ran.stderr_text
    assert sorted(counting.levels) == list(range(FRAMES))
    counting.asked.unlink()
    counting.stop()
    counting.start()
    return (work / "whole.csv").read_bytes()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_an_interrupted_one_goes_on_without_repeating_frames(counting, work, levels, whole, number):
    arguments = (levels.name, "--url", counting.url, "--in-flight", 2)
    partial = work / "a.emotions.csv.partial"
    counting.stop()
    counting.start(hang=10)
    process = start(work, *arguments)
    until(lambda: partial.exists() and partial.read_bytes().count(b"\n") == 1 + 10)
    process.send_signal(number)
    _, errors = process.communicate(timeout=20)
    assert not (work / "a.emotions.csv").exists()
    if number == signal.SIGINT:
        assert process.returncode == exits.INTERRUPTED
        assert errors == "emotion video: Stopped. 10 frames are done; the same command goes on from there.\n"
    counting.asked.unlink()
    counting.stop()
    counting.start()

    ran = video_of(work, *arguments)
    assert (ran.returncode, ran.stderr_text) == (0, "")
    assert sorted(counting.levels) == list(range(10, FRAMES))
    assert (work / "a.emotions.csv").read_bytes() == whole
    assert not partial.exists()


def test_a_service_that_fails_in_the_middle_is_gone_on_with_later(counting, work, levels, whole):
    counting.stop()
    counting.start(limit=10)
    ran = video_of(work, levels.name, "--url", counting.url)
    assert ran.returncode == exits.UNAVAILABLE
    assert ran.stderr_text == "emotion video: no more 10 frames are done; the same command goes on from there.\n"
    counting.stop()
    counting.start()
    assert video_of(work, levels.name, "--url", counting.url).returncode == 0
    assert (work / "a.emotions.csv").read_bytes() == whole


def test_another_analysis_is_not_mixed_in(counting, work, levels):
    counting.stop()
    counting.start(limit=10)
    video_of(work, levels.name, "--url", counting.url)
    ran = video_of(work, levels.name, "--url", counting.url, "--every", 2)
    assert ran.returncode == exits.USAGE
    assert "was begun with --every 1, not 2; --overwrite starts over." in ran.stderr_text
    counting.stop()
    counting.start()
    assert video_of(work, levels.name, "--url", counting.url, "--every", 2, "--overwrite").returncode == 0
    assert [row["frame"] for row in rows(work / "a.emotions.csv")] == [str(n) for n in range(0, FRAMES, 2)]


def test_what_was_to_be_overwritten_is_gone_on_with_too(counting, work, levels, whole):
    (work / "a.emotions.csv").write_text("old")
    counting.stop()
    counting.start(limit=10)
    ran = video_of(work, levels.name, "--url", counting.url, "--overwrite")
    assert "10 frames are done; the same command without --overwrite goes on from there." in ran.stderr_text
    assert (work / "a.emotions.csv").read_text() == "old"
    counting.stop()
    counting.start()
    assert video_of(work, levels.name, "--url", counting.url).returncode == 0
    assert (work / "a.emotions.csv").read_bytes() == whole


def test_many_requests_are_under_way(counting, work, levels):
    def seconds(in_flight):
        ran = video_of(work, levels.name, "--url", counting.url, "--in-flight", in_flight, "--overwrite")
        return float(re.search(r"^([\d.]+) s, ", ran.stdout_text, re.MULTILINE)[1])

    assert seconds(12) < seconds(1) / 2  # a frame takes 50 ms there


# ---------------------------------------------------------------- what does not work


@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        (["none.mp4"], exits.NO_INPUT, "There is no file none.mp4."),
        (["text.mp4"], exits.NO_INPUT, "text.mp4 is no video that can be read"),
        (["."], exits.NO_INPUT, "holds no images"),
        (["a.mp4", "--out", "table.xlsx"], exits.USAGE, "table.xlsx should end in .csv or .jsonl."),
        (["a.mp4", "--plot", "plot.svg"], exits.USAGE, "plot.svg should end in .png."),
        (["a.mp4", "--annotate", "out.avi"], exits.USAGE, "out.avi should end in .mp4."),
        (["a.mp4", "--annotate", "a.mp4"], exits.USAGE, "a.mp4 is what is to be analysed."),
        (["a.mp4", "--out", "old.csv"], exits.USAGE, "old.csv is there already; --overwrite replaces it."),
        (["a.mp4", "--out", "none/a.csv"], exits.CANNOT_CREATE, "there is no folder none"),
        (["a.mp4", "--url", "nowhere"], exits.USAGE, "'nowhere' is no URL of a service"),
    ],
)
def test_what_does_not_work_is_a_sentence_before_the_work(counting, work, levels, arguments, status, words):
    (work / "text.mp4").write_text("no video")
    (work / "old.csv").write_text("old")
    ran = video_of(work, *arguments, *([] if "--url" in arguments else ["--url", counting.url]))
    assert ran.returncode == status
    assert words in ran.stderr_text
    assert ran.stderr_text.count("\n") == 1
    assert counting.levels == []
    assert sorted(path.name for path in work.iterdir()) == ["a.mp4", "old.csv", "text.mp4"]


def test_nobody_at_the_url(work, levels, monkeypatch, capsys):
    from clients import cli, video

    monkeypatch.setattr(video, "RETRIES", 0)
    monkeypatch.chdir(work)
    assert cli.main(["video", "a.mp4", "--url", f"http://127.0.0.1:{free_port()}"]) == exits.UNAVAILABLE
    assert "was not reached" in capsys.readouterr().err
    assert [path.name for path in work.iterdir()] == ["a.mp4"]


def test_a_damaged_video_is_analysed_as_far_as_it_goes(counting, work):
    noisy = [Image.effect_noise((64, 48), 90) for _ in range(60)]
    whole = film(work / "a.mkv", noisy).read_bytes()
    (work / "a.mkv").write_bytes(whole[: len(whole) // 2])
    ran = video_of(work, "a.mkv", "--url", counting.url)
    assert ran.returncode == 0
    assert re.search(r"a.mkv is damaged: .*it ends at [\d.]+ s of [\d.]+ s\. The rest is written\.", ran.stderr_text)
    assert 10 < len(rows(work / "a.emotions.csv")) < 50


def test_the_columns_are_the_models_though_nobody_is_seen(server, work):
    film(work / "a.mp4", [Image.new("RGB", (64, 48))] * 2)
    assert video_of(work, "a.mp4", "--url", server.url).returncode == 0
    header, *others = csv.reader(io.StringIO((work / "a.emotions.csv").read_text()))
    assert header[10:-1] == ["angry", "frustration", "boredom", "happy", "sad", "surprise", "neutral"]
    assert len(others) == 2
