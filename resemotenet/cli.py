"""The command ``resemotenet``: checkpoints into the model store, and what the store holds."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

# The store's own usage reports go nowhere: this has to be said before it is imported.
os.environ.setdefault("BENTOML_DO_NOT_TRACK", "True")

from bentoml.exceptions import BentoMLException
from rich.console import Console
from rich.table import Table

from resemotenet import __version__, store
from resemotenet import checkpoint as checkpoints
from resemotenet.errors import CheckpointError
from resemotenet.source_errors import SourceError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bentoml import Model


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; gives its exit status: 0, or 1 after a sentence that says what went wrong."""
    options = _parser().parse_args(arguments)
    try:
        return int(options.run(options))
    except (SourceError, CheckpointError, BentoMLException, OSError) as error:
        print(f"resemotenet: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("resemotenet: stopped; the store is as it was", file=sys.stderr)
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="resemotenet", description=__doc__)
    parser.add_argument("--version", action="version", version=__version__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    add = commands.add_parser("import", help="fetch a checkpoint, check it, and save it in the model store")
    add.add_argument(
        "source", nargs="?", help="Google Drive link or file id, https URL, or path; left out: $GDRIVE_MODEL_URL"
    )
    add.add_argument("--labels", help="the classes in the order of the network's outputs, with commas between them")
    add.add_argument("--sha256", help="refuse the file unless it has this SHA-256")
    add.add_argument("--name", default=store.NAME, help="the model's name in the store (default: %(default)s)")
    add.set_defaults(run=_import)

    models = commands.add_parser("models", help="list the models in the store")
    models.set_defaults(run=_models)
    return parser


def _import(options: argparse.Namespace) -> int:
    source = options.source or os.environ.get("GDRIVE_MODEL_URL")
    if not source:
        raise SourceError("nothing to import: name a SOURCE, or set GDRIVE_MODEL_URL")
    labels = [label.strip() for label in options.labels.split(",")] if options.labels else None
    model = store.import_model(source, labels, options.sha256, options.name)
    print(f"imported {model.tag}: {_described(model)}")
    return 0


def _models(_: argparse.Namespace) -> int:
    found = store.models()
    if not found:
        print("the store holds no ResEmoteNet; 'resemotenet import' puts one there, 'make serve' the embedded default")
        return 0
    table = Table("tag", "labels", "source", "size", "created")
    for model in found:
        folder = Path(model.path)
        try:
            config = checkpoints.load_config(folder)
            labels, source = ", ".join(config.labels), config.provenance.source or "unknown"
        except CheckpointError as error:
            labels, source = f"damaged: {error}", ""
        size = sum(file.stat().st_size for file in folder.iterdir())
        table.add_row(
            str(model.tag), labels, source, f"{size / 1e6:.1f} MB", f"{model.creation_time:%Y-%m-%d %H:%M} UTC"
        )
    Console(width=None if sys.stdout.isatty() else 200).print(table)
    return 0


def _described(model: Model) -> str:
    config = checkpoints.load_config(Path(model.path))
    variant = ", spatial transformer" if config.transformer else ""
    size = f"{config.input_size}x{config.input_size} pixels"
    return f"width {config.width:g}, {size}{variant}, labels {', '.join(config.labels)}"


if __name__ == "__main__":
    raise SystemExit(main())
