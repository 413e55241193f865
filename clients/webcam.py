"""`emotion webcam`: what the faces before a camera show, live."""

from __future__ import annotations

import argparse
import signal
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

from clients import exits

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from rich.console import Console

    from clients.emotion_client import EmotionClient

RETRIES = 8
"""How often in a row to try to reach a service that is gone: for about 20 seconds."""

MAX_SECONDS = 60.0


def add_to(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the sub-command."""
    parser = commands.add_parser("webcam", help="show what the faces before a camera show, live", description=__doc__)
    parser.add_argument("--url", help="base URL of the service (default: $API_URL, or http://localhost:3000)")
    parser.add_argument("--camera", default="0", help="its number, a video file, or an rtsp:// URL (default: 0)")
    parser.add_argument(
        "--interval", type=_seconds, default=0.1, metavar="S", help="least seconds between two frames (default: 0.1)"
    )
    parser.add_argument(
        "--smoothing", type=_seconds, default=0.5, metavar="S", help="seconds over which to smooth (default: 0.5)"
    )
    parser.add_argument(
        "--show",
        choices=("window", "terminal", "none"),
        help="a window, bars in the terminal, or only a line for each frame (default: the first that there is)",
    )
    parser.set_defaults(run=run)


def run(options: argparse.Namespace, console: Console) -> int:
    """Watch a camera; gives the exit status, after a sentence that says what went wrong."""
    from clients import views  # noqa: PLC0415  (they load OpenCV, aiohttp and Tk)
    from clients.camera import Camera, CameraError, CameraLostError  # noqa: PLC0415
    from clients.emotion_client import EmotionClient, EmotionError, InputError  # noqa: PLC0415
    from clients.watching import Watching  # noqa: PLC0415

    try:
        show = views.named(options.show or views.default(console))
        with Camera(int(options.camera) if options.camera.isdecimal() else options.camera) as camera:
            with EmotionClient(options.url, retries=1) as client:
                labels = _labels(client, console)
            with (
                EmotionClient(options.url, retries=RETRIES) as client,
                Watching(camera, client, options.interval, options.smoothing) as watching,
                _signals(watching.stopped.set),
            ):
                show(watching, console, labels)
            error: Exception | None = watching.error or camera.error
    except (views.ViewError, CameraError, EmotionError) as raised:
        error = raised
    except KeyboardInterrupt:  # before there was anything to see
        return exits.INTERRUPTED
    if error is None:
        return exits.OK
    print(f"emotion webcam: {error}", file=sys.stderr)
    if isinstance(error, (InputError, views.ViewError)):
        return exits.USAGE
    if isinstance(error, CameraLostError):
        return exits.LOST
    return exits.NO_INPUT if isinstance(error, CameraError) else exits.UNAVAILABLE


def _labels(client: EmotionClient, console: Console) -> tuple[str, ...]:
    """Wait until the service is ready, and ask for its model's labels."""
    if client.health().status != "ok":
        console.print("The service is starting ...", style="dim")
    return client.ready().labels or ()


@contextmanager
def _signals(stop: Callable[[], None]) -> Iterator[None]:
    """End by Ctrl-C or SIGTERM in good order; by a second one, whatever happens."""
    wanted = (signal.SIGINT, signal.SIGTERM)
    before = {number: signal.getsignal(number) for number in wanted}

    def handle(number: int, _: object) -> None:
        signal.signal(number, signal.SIG_DFL)
        stop()

    for number in wanted:
        signal.signal(number, handle)
    try:
        yield
    finally:
        for number in wanted:
            signal.signal(number, before[number])


def _seconds(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value <= MAX_SECONDS:
        raise argparse.ArgumentTypeError(f"{text!r}; expected seconds from 0 to {MAX_SECONDS:.0f}")
    return value
