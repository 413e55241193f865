"""Files that a command writes: each is there as a whole, or not at all."""

from __future__ import annotations

import os
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class OutputError(Exception):
    """A file cannot be written. Its text is a sentence for people."""


def check(path: Path) -> None:
    """Check, before the work, that a file can be written.

    Raises:
        OutputError: It cannot.
    """
    folder = path.parent
    if not folder.is_dir():
        raise OutputError(f"{path} cannot be written: there is no folder {folder}.")
    if path.is_dir():
        raise OutputError(f"{path} cannot be written: it is a folder.")
    if not os.access(folder, os.W_OK):
        raise OutputError(f"{path} cannot be written: the folder {folder} is read-only.")


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Raise an OutputError for an OSError."""
    try:
        yield
    except OSError as error:
        raise OutputError(f"{path} cannot be written: {error.strerror or error}.") from error


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Give the name to write a file under; it gets its own when the context is left without an error.

    Raises:
        OutputError: It cannot be written.
    """
    temporary = path.with_name(f"{path.name}.tmp")
    try:
        with writing(path):
            yield temporary
            os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
