"""clients.progress: a bar on a terminal, lines elsewhere."""

import io

import pytest
from rich.console import Console

from clients import progress


@pytest.fixture
def clock(monkeypatch):
    """Seconds that pass when the test says so."""
    now = [0.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    return now


def shown(clock, total, done=0, until=100, step=10):
    console = Console(file=io.StringIO(), width=100)
    with progress.frame_progress(console, "Analysing", total, done) as report:
        for frame in range(done + step, until + 1, step):
            clock[0] += 2.5
            report(frame)
    return console.file.getvalue().splitlines()


def test_a_line_every_few_seconds(clock):
    lines = shown(clock, 100)
    assert len(lines) == 5
    assert lines[0] == "Analysing: 20 of 100 frames (20%), 4 frames/s, 20 s left"


def test_what_was_done_before_is_no_speed(clock):
    assert shown(clock, 100, done=60)[0] == "Analysing: 80 of 100 frames (80%), 4 frames/s, 5 s left"


@pytest.mark.parametrize("total", [None, 15])
def test_a_total_that_is_not_known_or_wrong(clock, total):
    assert shown(clock, total)[-1] == "Analysing: 100 frames, 4 frames/s"


@pytest.mark.parametrize("total", [100, None, 15])
def test_a_bar_on_a_terminal(total):
    console = Console(file=io.StringIO(), width=100, force_terminal=True, color_system=None)
    with progress.frame_progress(console, "Analysing", total) as report:
        report(50)
        report(100)
    last = console.file.getvalue()
    assert "Analysing" in last
    assert "━" in last
    assert "100/" in last
