"""A line for each frame that was read: for logs, and for other programs."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from clients.annotate import caption

if TYPE_CHECKING:
    from rich.console import Console

    from clients.schemas import StreamPrediction
    from clients.watching import Watching

REFRESH_SECONDS = 0.02


def show(watching: Watching, console: Console, _: tuple[str, ...]) -> None:
    """Print until there is nothing more to come."""
    last = 0
    while True:
        over, reading = watching.over, watching.reading
        if reading is not None and reading.prediction.frame > last:
            last = reading.prediction.frame
            at = time.strftime("%H:%M:%S")
            console.print(f"{at}  {line(reading.prediction)}", markup=False, highlight=False, soft_wrap=True)
        if over:
            return
        watching.stopped.wait(REFRESH_SECONDS)


def line(prediction: StreamPrediction) -> str:
    """Say what a frame shows: each face's number, emotion and how sure the model is, largest first."""
    if prediction.problem is not None:
        return prediction.problem.message
    return ", ".join(caption(face) for face in prediction.faces) or "no face"
