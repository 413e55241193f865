"""resemotenet.progress: a bar on a terminal, lines elsewhere."""

import io
import re

import pytest

from resemotenet import progress
from resemotenet.progress import download_progress


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


def test_lines_start_and_end(capsys):
    with download_progress("model.pth") as report:
        report(9_050_000, 18_100_000)
        report(18_100_000, 18_100_000)
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "fetching model.pth"
    assert re.fullmatch(r"fetched 18\.1 MB in \d+\.\d s", lines[1])
    assert len(lines) == 2


@pytest.mark.parametrize(
    ("total", "line"), [(20_000_000, "model.pth: 5.0 MB of 20.0 MB (25%)"), (None, "model.pth: 5.0 MB")]
)
def test_lines_between(monkeypatch, total, line):
    monkeypatch.setattr(progress, "LINE_SECONDS", 0.0)
    stream = io.StringIO()
    with download_progress("model.pth", stream) as report:
        report(5_000_000, total)
    assert stream.getvalue().splitlines()[1] == line


def test_lines_are_seldom():
    stream = io.StringIO()
    with download_progress("model.pth", stream) as report:
        for done in range(10_000):
            report(done, None)
    assert len(stream.getvalue().splitlines()) == 2


def download_that_fails(stream: io.StringIO) -> None:
    with download_progress("model.pth", stream) as report:
        report(1, 2)
        raise ConnectionError("gone")


@pytest.mark.parametrize("stream", [io.StringIO(), Terminal()])
def test_failure_claims_no_success(stream):
    with pytest.raises(ConnectionError, match="gone"):
        download_that_fails(stream)
    assert "fetched" not in stream.getvalue()


@pytest.mark.parametrize("total", [18_100_000, None])
def test_bar_on_a_terminal(monkeypatch, total):
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "120")
    stream = Terminal()
    with download_progress("model[red].pth", stream) as report:
        report(9_050_000, total)
        report(18_100_000, total)
    shown = stream.getvalue()
    assert "model[red].pth" in shown
    assert "18.1" in shown
    assert "━" in shown


def test_bar_starts_again(monkeypatch):
    monkeypatch.setenv("TERM", "xterm")
    stream = Terminal()
    with download_progress("model.pth", stream) as report:
        report(5_000_000, 10_000_000)
        report(1_000_000, None)
