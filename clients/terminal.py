"""The largest face's emotions as bars in a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from clients.annotate import caption
from clients.palette import colours

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

    from clients.watching import Watching

REFRESH_SECONDS = 0.1


def show(watching: Watching, console: Console, labels: tuple[str, ...]) -> None:
    """Show until there is nothing more to come."""
    with Live(render(watching, labels), console=console, auto_refresh=False) as live:
        while not watching.over:
            watching.stopped.wait(REFRESH_SECONDS)
            live.update(render(watching, labels), refresh=True)


def render(watching: Watching, labels: tuple[str, ...]) -> RenderableType:
    """Draw the bars, the other faces, and the status."""
    reading = watching.current
    faces = reading.prediction.faces if reading else ()
    bars = Table.grid(padding=(0, 1), expand=True)
    bars.add_column(justify="right", no_wrap=True)
    bars.add_column(ratio=1)
    bars.add_column(justify="right", width=4)
    for label, colour in colours(labels).items():
        part = faces[0].probabilities.get(label, 0.0) if faces else 0.0
        bold = "bold" if faces and faces[0].emotion == label else ""
        bar = ProgressBar(total=1.0, completed=part, complete_style=colour, finished_style=colour)
        bars.add_row(Text(label, bold), bar, Text(f"{part:.0%}" if faces else "", bold))
    others = Text("also: " + ", ".join(caption(face) for face in faces[1:]) if len(faces) > 1 else "", "dim")
    return Group(
        Text(f"{watching.camera.name}  {watching.client.url}", "bold", no_wrap=True, overflow="ellipsis"),
        bars,
        others,
        Text(f"{watching.status}  Ctrl-C ends.", "dim"),
    )
