"""clients.lines: a line for each frame, each once."""

import io
import itertools
import re
import threading
from types import SimpleNamespace

from rich.console import Console

from clients import lines
from clients.schemas import Box, Face, Problem, StreamPrediction
from clients.watching import Reading

FACE = Face(box=Box(x=0, y=0, width=9, height=9), emotion="happy", track=1, probabilities={"happy": 0.93, "sad": 0.07})


def test_a_line_says_what_the_faces_show():
    assert lines.line(StreamPrediction(frame=1, faces=(FACE,))) == "1  happy 93%"
    assert lines.line(StreamPrediction(frame=1, faces=(FACE, FACE))) == "1  happy 93%, 1  happy 93%"
    assert lines.line(StreamPrediction(frame=1)) == "no face"
    assert lines.line(StreamPrediction(frame=1, error=Problem(code="x", message="No picture."))) == "No picture."


class Played:
    """A reading a look, some of them looked at twice, until there is nothing more to come."""

    def __init__(self, frames):
        self.left, self.stopped, self.reading = iter(frames), SimpleNamespace(wait=lambda _: None), None

    @property
    def over(self):
        frame = next(self.left, None)
        if frame is not None:
            self.reading = Reading(StreamPrediction(frame=frame), 0.0, 0.0)
        return frame is None


def test_each_frame_is_printed_once_and_the_last_one_too():
    console = Console(file=io.StringIO(), width=40)
    lines.show(Played([1, 1, 2, 5, 5]), console, ())
    printed = console.file.getvalue().splitlines()
    assert len(printed) == 3
    assert all(re.fullmatch(r"\d\d:\d\d:\d\d  no face", line) for line in printed)


def test_it_ends_when_it_is_stopped():
    stopped = threading.Event()
    stopped.set()
    watching = SimpleNamespace(over=True, reading=None, stopped=stopped)
    lines.show(watching, Console(file=io.StringIO()), ())


def test_long_lines_are_not_broken():
    console = Console(file=io.StringIO(), width=20)
    played = Played([1])
    reading = Reading(StreamPrediction(frame=1, faces=(FACE,) * 9), 0.0, 0.0)
    played.left = itertools.chain([1])
    lines.show(SimpleNamespace(over=True, reading=reading, stopped=None), console, ())
    assert len(console.file.getvalue().splitlines()) == 1
