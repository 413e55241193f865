"""clients.terminal: bars that say what the largest face shows."""

import io
from types import SimpleNamespace

import pytest
from rich.console import Console

from clients.schemas import Box, Face, StreamPrediction
from clients.terminal import render
from clients.watching import Reading

LABELS = ("angry", "happy", "sad")


def face(emotion, track, **probabilities):
    box = Box(x=0, y=0, width=9, height=9)
    return Face(box=box, emotion=emotion, track=track, probabilities={**dict.fromkeys(LABELS, 0.0), **probabilities})


def screen(*faces, width=80, status="1 face."):
    watching = SimpleNamespace(
        camera=SimpleNamespace(name="Camera 0"),
        client=SimpleNamespace(url="http://localhost:3000"),
        current=Reading(StreamPrediction(frame=1, faces=faces), 0.0, 0.0),
        status=status,
    )
    console = Console(file=io.StringIO(), width=width, force_terminal=True, color_system=None)
    console.print(render(watching, LABELS))
    return console.file.getvalue().splitlines()


def filled(line):
    return line.count("━") + line.count("╸") / 2


def test_each_label_has_a_bar_and_a_percentage():
    shown = screen(face("happy", 1, happy=0.75, sad=0.25))
    lines = {label: next(line for line in shown if label in line) for label in LABELS}
    assert "75%" in lines["happy"]
    assert "25%" in lines["sad"]
    assert "0%" in lines["angry"]


def test_the_other_faces_are_named():
    shown = screen(face("happy", 1, happy=0.9), face("sad", 2, sad=0.5))
    assert any("also: 2  sad 50%" in line for line in shown)


def test_without_a_face_there_are_no_percentages():
    assert not any("%" in line for line in screen(status="No face in view."))


def test_what_is_watched_and_how_it_ends_is_said():
    shown = screen(face("happy", 1, happy=0.9), status="1 face. 10 frames/s, 12 ms")
    assert "Camera 0  http://localhost:3000" in shown[0]
    assert "1 face. 10 frames/s, 12 ms  Ctrl-C ends." in shown[-1]


@pytest.mark.parametrize("width", [20, 40, 200])
def test_it_fits_into_any_terminal(width):
    assert all(len(line) <= width for line in screen(face("happy", 1, happy=0.9), width=width))
