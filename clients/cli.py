"""The command ``emotion``: the service, for people."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from rich.console import Console

from clients import webcam

if TYPE_CHECKING:
    from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; gives its exit status, one of `clients.exits`."""
    parser = argparse.ArgumentParser(prog="emotion", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    webcam.add_to(commands)
    options = parser.parse_args(arguments)
    return int(options.run(options, Console()))


if __name__ == "__main__":
    raise SystemExit(main())
