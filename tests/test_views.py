"""clients.views: the first view that a machine has, and a sentence where it has not the one that was asked for."""

import builtins
import io

import pytest
from rich.console import Console

from clients import lines, terminal, views


def console(is_terminal):
    return Console(file=io.StringIO(), force_terminal=is_terminal)


@pytest.fixture
def screen(monkeypatch):
    monkeypatch.setattr(views.sys, "platform", "linux")
    for name in ("DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    return lambda name: monkeypatch.setenv(name, ":0")


@pytest.mark.parametrize("name", ["DISPLAY", "WAYLAND_DISPLAY"])
def test_a_window_where_there_is_a_screen(screen, name):
    screen(name)
    assert views.default(console(True)) == "window"


def test_the_terminal_where_there_is_no_screen(screen):
    assert views.default(console(True)) == "terminal"


def test_lines_where_there_is_neither(screen):
    assert views.default(console(False)) == "none"


def test_no_window_where_python_has_no_tkinter(screen, monkeypatch):
    screen("DISPLAY")
    monkeypatch.setattr(views, "find_spec", lambda _: None)
    assert views.default(console(True)) == "terminal"


@pytest.mark.parametrize("platform", ["darwin", "win32"])
def test_these_have_a_screen_always(screen, monkeypatch, platform):
    monkeypatch.setattr(views.sys, "platform", platform)
    assert views.default(console(False)) == "window"


def test_a_view_has_its_name():
    assert views.named("terminal") is terminal.show
    assert views.named("none") is lines.show


def test_a_window_without_tkinter_says_what_to_install(monkeypatch):
    real = builtins.__import__

    def without(name, *arguments, **options):
        if name == "tkinter":
            raise ImportError
        return real(name, *arguments, **options)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(views.ViewError, match="python3-tk"):
        views.named("window")(None, None, ())
