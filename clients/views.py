"""Where `emotion webcam` shows what it reads: a window, a terminal, or lines."""

from __future__ import annotations

import os
import sys
from importlib.util import find_spec
from typing import TYPE_CHECKING, TypeAlias

from clients import lines, terminal

if TYPE_CHECKING:
    from collections.abc import Callable

    from rich.console import Console

    from clients.watching import Watching

    View: TypeAlias = Callable[[Watching, Console, tuple[str, ...]], None]


class ViewError(Exception):
    """A view that this machine has not. Its text is a sentence for people."""


def default(console: Console) -> str:
    """Name the first view that there is: a window, else a terminal, else lines."""
    has_screen = sys.platform in {"darwin", "win32"} or any(os.environ.get(n) for n in ("DISPLAY", "WAYLAND_DISPLAY"))
    if has_screen and find_spec("tkinter") is not None:
        return "window"
    return "terminal" if console.is_terminal else "none"


def named(name: str) -> View:
    """Give a view: it shows what is watched, until there is nothing more to come.

    Raises:
        ViewError: This machine has no such view; also when it is called.
    """
    return {"window": _window, "terminal": terminal.show, "none": lines.show}[name]


def _window(watching: Watching, console: Console, labels: tuple[str, ...]) -> None:
    try:
        import tkinter  # noqa: PLC0415  (not everywhere)

        from clients import window  # noqa: PLC0415
    except ImportError:
        raise ViewError(
            "This Python has no tkinter (Debian: apt install python3-tk); --show terminal needs none."
        ) from None
    try:
        window.show(watching, console, labels)
    except tkinter.TclError as error:
        raise ViewError(f"There is no screen for a window ({error}); --show terminal needs none.") from None
