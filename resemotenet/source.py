"""Where a checkpoint comes from: a Google Drive link, an https URL or a file."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from urllib.parse import SplitResult, parse_qs, urlsplit

from resemotenet.source_errors import FolderLinkError, SourceFormatError

#: A source is quoted in a message up to this many characters.
QUOTE_CHARACTERS = 200

LOOPBACK_HOSTS = {"localhost", "127.0.0.1", "::1"}
DRIVE_HOSTS = {"drive.google.com", "docs.google.com", "drive.usercontent.google.com"}
_DRIVE_HOST_FIRST = re.compile("|".join(re.escape(host) + r"(?:[/?]|$)" for host in DRIVE_HOSTS), re.IGNORECASE)
_SCHEME = re.compile(r"https?:|[a-z][a-z0-9+.-]*://", re.IGNORECASE)
_DRIVE_ID = re.compile(r"[-\w]+", re.ASCII)
_BARE_DRIVE_ID = re.compile(r"[-\w]{25,}", re.ASCII)
_DRIVE_FILE_PATH = re.compile(r"/file/(?:u/\d+/)?d/([-\w]+)(?:/|$)", re.ASCII)
_DRIVE_FOLDER_PATH = re.compile(r"/folders?(?:/|$)|/(?:embedded)?folderview$", re.IGNORECASE)

EXPECTED = "a Google Drive link or file id, an https:// URL, or the path of a file"


class Kind(Enum):
    """The three kinds of source."""

    DRIVE = "Google Drive file"
    URL = "URL"
    FILE = "file"


@dataclass(frozen=True)
class Source:
    """One source: a Drive file id, a whole URL or a path, by ``kind``. A URL's secrets stay out of its repr."""

    kind: Kind
    value: str = field(repr=False)

    @property
    def description(self) -> str:
        """The source for people to read: a canonical Drive link, a URL's host and path, or a file's name."""
        if self.kind is Kind.DRIVE:
            return f"https://drive.google.com/file/d/{self.value}/view"
        if self.kind is Kind.URL:
            parts = urlsplit(self.value)
            return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"
        return Path(self.value).name

    @property
    def is_insecure(self) -> bool:
        """Whether somebody on the way could replace the bytes: plain http to another machine."""
        return self.kind is Kind.URL and is_insecure(self.value)


def parse(source: str) -> Source:
    """Say which kind of source a text names. A path wins wherever a file of that name exists.

    Args:
        source: a Drive link in any form or a bare Drive file id, an http(s) URL, or a path.

    Raises:
        SourceFormatError: it is none of these.
    """
    text = source.strip()
    if not text:
        raise SourceFormatError(f"the source is empty: expected {EXPECTED}")
    if os.path.exists(text):  # Path.exists raises on a NUL and on a very long name
        return Source(Kind.FILE, text)
    if not text.isprintable():
        raise SourceFormatError(f"the source holds control characters: expected {EXPECTED}")
    if _DRIVE_HOST_FIRST.match(text):
        text = "https://" + text
    if _SCHEME.match(text):
        return _parse_url(text)
    return Source(Kind.DRIVE if _BARE_DRIVE_ID.fullmatch(text) else Kind.FILE, text)


def is_insecure(url: str) -> bool:
    """Whether a URL is plain http to another machine than this one."""
    parts = urlsplit(url)
    return parts.scheme.lower() == "http" and parts.hostname not in LOOPBACK_HOSTS


def _parse_url(text: str) -> Source:
    try:
        parts = urlsplit(text)
        host = parts.hostname
        _ = parts.port  # raises where it is not a number
    except ValueError:
        raise SourceFormatError(f"the source is not a well-formed URL: expected {EXPECTED}") from None
    if parts.scheme not in {"http", "https"}:
        raise SourceFormatError(f"the source is a {parts.scheme}: URL: expected {EXPECTED}")
    if not host:
        raise SourceFormatError(f"the source is a URL without a host: expected {EXPECTED}")
    return _parse_drive_link(parts) if host in DRIVE_HOSTS else Source(Kind.URL, text)


def _parse_drive_link(parts: SplitResult) -> Source:
    link = f"{parts.hostname}{parts.path}"
    if _DRIVE_FOLDER_PATH.search(parts.path):
        raise FolderLinkError(f"{quote(link)} is a Drive folder: open it and copy the link of the one checkpoint file")
    if in_path := _DRIVE_FILE_PATH.search(parts.path):
        return Source(Kind.DRIVE, in_path[1])
    ids = set(parse_qs(parts.query.replace("&amp;", "&")).get("id", ()))
    if len(ids) == 1 and _DRIVE_ID.fullmatch(file_id := ids.pop()):
        return Source(Kind.DRIVE, file_id)
    raise SourceFormatError(
        f"{quote(link)} is not a link to a Drive file: expected https://drive.google.com/file/d/ID/view"
    )


def quote(text: str) -> str:
    """Quote a path for a message. It may be a URL without its scheme, so what may be secret in one is left out."""
    public = re.sub(r"^[^/]*:.*@", "", re.split(r"[?#]", text, maxsplit=1)[0])
    return repr(public[:QUOTE_CHARACTERS])
