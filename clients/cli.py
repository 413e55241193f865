"""The command ``emotion``: the service, for people."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console

from clients import webcam

if TYPE_CHECKING:
    from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; gives its exit status, one of `clients.exits`."""
    parser = argparse.ArgumentParser(prog="emotion", description=__doc__.replace("`", ""))
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    webcam.add_to(commands)
    _add_video(commands)
    options = parser.parse_args(arguments)
    return int(options.run(options, Console()))


def _add_video(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser(
        "video",
        help="analyse a video file or a folder of images",
        description="What the faces in a video file, or in a folder of images, show: a table, a plot, a video.",
    )
    parser.add_argument("file", type=Path, metavar="FILE", help="the video, or the folder of images")
    parser.add_argument("--url", help="base URL of the service (default: $API_URL, or http://localhost:3000)")
    parser.add_argument(
        "--out", type=Path, metavar="TABLE", help="a .csv or .jsonl file (default: FILE's name with .emotions.csv)"
    )
    parser.add_argument("--every", type=_count, default=1, metavar="N", help="analyse each Nth frame (default: 1)")
    parser.add_argument("--annotate", type=Path, metavar="MP4", help="also write the video with boxes round the faces")
    parser.add_argument("--plot", type=Path, metavar="PNG", help="also draw the emotions over time")
    parser.add_argument(
        "--in-flight", type=_count, default=8, metavar="N", help="requests under way at a time (default: 8)"
    )
    parser.add_argument("--overwrite", action="store_true", help="start over, and replace files that exist")
    parser.set_defaults(run=_video)


def _video(options: argparse.Namespace, console: Console) -> int:
    from clients import video  # noqa: PLC0415  (it loads FFmpeg, NumPy and Matplotlib)

    return video.run(options, console)


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r}; expected a whole number from 1")
    return int(text)


if __name__ == "__main__":
    raise SystemExit(main())
