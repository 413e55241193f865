"""A source -> a file on this machine that is whole, or a ``SourceError``: ``source_errors.py`` draws their tree."""

from __future__ import annotations

import hashlib
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from resemotenet.drive_page import PAGE_BYTES, is_html, page_error, read_page, title
from resemotenet.source import EXPECTED, Kind, Source, parse, quote
from resemotenet.source_errors import (
    EmptySourceError,
    HashMismatchError,
    InsecureURLError,
    SourceForbiddenError,
    SourceFormatError,
    SourceNotFoundError,
)

if TYPE_CHECKING:
    from resemotenet.progress import Report

BLOCK_BYTES = 2**20
_SHA256 = re.compile(r"(?:sha256:)?([0-9a-f]{64})", re.IGNORECASE)


@dataclass(frozen=True)
class Fetched:
    """A whole file: its path, the sha256 of its bytes in hex, and its source for people to read."""

    path: Path
    sha256: str
    description: str


def fetch(
    source: str | Source, destination: Path, sha256: str | None = None, progress: Report | None = None
) -> Fetched:
    """Bring a source here as a file that is whole. After an error ``destination`` is as it was before.

    A file stays where it is: it is only read. Drive and URLs are downloaded to ``destination / "checkpoint"``.

    Args:
        source: a text that ``parse`` takes, or what it returned.
        destination: an existing directory, which the caller owns and removes.
        sha256: 64 hex digits, upper or lower case, with or without ``sha256:`` before them; None accepts any bytes.
        progress: called with the bytes so far and, where it is known, the total.

    Raises:
        SourceError: one of the tree in ``source_errors.py``.
    """
    source = parse(source) if isinstance(source, str) else source
    expected = None if sha256 is None else _parse_sha256(sha256)
    if source.kind is Kind.FILE:
        path = Path(source.value)
        found = _hash_file(path, progress)
        _check(source, path, found, expected)
        return Fetched(path, found, source.description)
    if source.is_insecure and expected is None:
        raise InsecureURLError(
            f"{source.description}: over plain http somebody on the way could replace the weights; "
            "use an https:// URL, or give the file's sha256"
        )
    from resemotenet.download import download  # noqa: PLC0415 - gdown takes 0.2 s to import, and a file needs none

    with download(source, destination, progress, trust_redirects=expected is not None) as (partial, found):
        _check(source, partial, found, expected)
        path = partial.replace(destination / "checkpoint")
    return Fetched(path, found, source.description)


def _parse_sha256(text: str) -> str:
    if digits := _SHA256.fullmatch(text.strip()):
        return digits[1].lower()
    raise SourceFormatError(
        f"the sha256 {quote(text)} is not one: expected 64 hex digits, found {len(text)} characters"
    )


def _hash_file(path: Path, progress: Report | None) -> str:
    if not os.path.isfile(path):
        found = "a directory" if os.path.isdir(path) else "no regular file" if os.path.exists(path) else "no such file"
        raise SourceNotFoundError(f"{quote(str(path))}: {found}; expected {EXPECTED}")
    hasher = hashlib.sha256()
    done = 0
    try:
        total = path.stat().st_size
        with path.open("rb") as file:
            while block := file.read(BLOCK_BYTES):
                hasher.update(block)
                done += len(block)
                if progress is not None:
                    progress(done, total)
    except OSError as error:
        raise SourceForbiddenError(f"{quote(str(path))} cannot be read: {error.strerror}") from error
    return hasher.hexdigest()


def _check(source: Source, path: Path, found: str, expected: str | None) -> None:
    with path.open("rb") as file:
        start = file.read(PAGE_BYTES)
    if not start:
        raise EmptySourceError(f"{source.description}: the file is empty")
    if is_html(start):
        raise page_error(source.description, read_page(start), title(start))
    if expected is not None and found != expected:
        raise HashMismatchError(
            f"{source.description}: the file's sha256 is {found}, expected {expected}; if you trust the new file, "
            "give its sha256, otherwise ask whoever gave you the old one"
        )
