"""A Drive file or a URL to a file that is whole, through gdown, with gdown's failures told apart.

gdown follows Drive's pages, retries a connection that breaks and goes on where it broke. It does not repeat an answer
of HTTP 429 or 5xx, nor a transfer that the server will not continue: those start again here, once. When Drive gives a
page and no file, gdown keeps the page to itself: it is asked for once more to learn which page it is.
"""

from __future__ import annotations

import hashlib
import tempfile
import threading
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import gdown
import requests
import urllib3.exceptions
from gdown.download import get_url_from_gdrive_confirmation

from resemotenet.drive_page import PAGE_BYTES, Page, page_error, read_page, recognise, title
from resemotenet.source import Kind, Source, is_insecure
from resemotenet.source_errors import (
    IncompleteError,
    InsecureURLError,
    ServerFailureError,
    SourceError,
    TooLargeError,
    UnreachableError,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from resemotenet.progress import Report

#: A full-size checkpoint takes 0.3 GB; with an optimizer's state, 1 GB.
MAX_BYTES = 2 * 2**30
#: To connect, and between bytes.
TIMEOUT_SECONDS = (10.0, 60.0)
#: Until the first byte of the file: bounds a server that trickles, and Drive asking to confirm for ever.
FIRST_BYTE_SECONDS = 120.0
#: Of a broken connection, by gdown, which waits a little longer before each.
RETRIES = 3
#: Of the whole download, where gdown does not retry.
ATTEMPTS = 2
RESTART_SECONDS = 2.0

DRIVE_URL = "https://drive.google.com/uc?id={}"

_REASONS: tuple[tuple[type[Exception], str], ...] = (
    (urllib3.exceptions.NameResolutionError, "the host's name is not known"),
    (urllib3.exceptions.NewConnectionError, "no connection could be made"),
    (urllib3.exceptions.TimeoutError, "no answer in time"),
    (urllib3.exceptions.ProxyError, "the proxy made no connection"),
    (urllib3.exceptions.SSLError, "the secure connection failed; is the server's certificate valid?"),
    (urllib3.exceptions.ProtocolError, "the connection broke"),
    (requests.TooManyRedirects, "it redirects without end"),
)


class _NotContinuedError(IncompleteError):
    """A transfer broke, and the server will not continue it: worth a new start."""


@contextmanager
def download(
    source: Source, destination: Path, progress: Report | None, *, trust_redirects: bool
) -> Iterator[tuple[Path, str]]:
    """Download a Drive file or a URL; on leaving, whatever is left of it is removed.

    Args:
        source: of kind DRIVE or URL.
        destination: an existing directory; a temporary one is made inside.
        progress: called with the bytes so far and, where it is known, the total.
        trust_redirects: accept a redirect to plain http, because the caller knows the hash.

    Yields:
        The path of the whole file, which the caller moves away to keep it, and its sha256 in hex.

    Raises:
        SourceError: it could not be had whole. A web page that came in its place may pass: the caller looks.
    """
    with tempfile.TemporaryDirectory(dir=destination) as private:
        partial = Path(private) / "partial"
        for attempts_left in reversed(range(ATTEMPTS)):
            try:
                sha256 = _transfer(source, partial, progress)
                break
            except (ServerFailureError, _NotContinuedError):
                if not attempts_left:
                    raise
                time.sleep(RESTART_SECONDS)
        if source.kind is Kind.URL and not trust_redirects:
            _refuse_insecure_redirects(source)
        yield partial, sha256


def _transfer(source: Source, partial: Path, progress: Report | None) -> str:
    hasher = hashlib.sha256()
    received = 0
    total: int | None = None
    cancel = threading.Event()
    patience = threading.Timer(FIRST_BYTE_SECONDS, cancel.set)

    def report(done: int, announced: int | None) -> None:
        nonlocal received, total
        patience.cancel()
        received, total = done, announced
        if max(done, announced or 0) > MAX_BYTES:
            found = f"{announced} bytes announced" if announced else f"{done} bytes and no end"
            raise TooLargeError(f"{source.description}: {found}; expected a checkpoint of {MAX_BYTES} bytes at most")
        if progress is not None:
            progress(done, announced)

    # gdown's own errors, requests' (which are OSErrors), and those that a strange answer makes it raise
    expected = (
        gdown.DownloadError,
        gdown.DownloadCancelled,
        OSError,
        LookupError,
        ValueError,
        AssertionError,
    )
    patience.daemon = True
    patience.start()
    try:
        gdown.download(
            url=DRIVE_URL.format(source.value) if source.kind is Kind.DRIVE else source.value,
            output=str(partial),
            quiet=True,
            use_cookies=False,
            hasher=hasher,
            timeout=TIMEOUT_SECONDS,
            retries=RETRIES,
            progress=report,
            cancel=cancel,
        )
    except SourceError:
        raise
    except expected as error:
        # The original's text holds the whole URL, secrets and all: keep it out of tracebacks.
        raise _explain(error, source, received, total) from None
    finally:
        patience.cancel()
    return hasher.hexdigest()


def _explain(error: Exception, source: Source, received: int, total: int | None) -> SourceError:
    name = source.description
    if isinstance(error, gdown.DownloadCancelled | gdown.FileURLRetrievalError | LookupError | AssertionError):
        return _explain_page(error, source)
    if isinstance(error, gdown.DownloadError) and error.__cause__ is None:
        return _NotContinuedError(f"{name}: {_amount(received, total)}, and the server does not continue; try again")
    if isinstance(error, requests.HTTPError) and error.response is not None:
        status = error.response.status_code
        page = read_page(b"", status)
        refused = SourceError(f"{name}: HTTP {status}: the server refused it")
        return refused if page is Page.OTHER else page_error(name, page, f"HTTP {status}")
    if isinstance(error, gdown.DownloadError | requests.RequestException):
        return _explain_connection(error, source, received, total)
    if isinstance(error, OSError):
        return SourceError(f"{name}: the download could not be written here: {error.strerror}")
    return SourceError(f"{name}: the server's answer makes no sense ({type(error).__name__})")


def _explain_page(error: Exception, source: Source) -> SourceError:
    """Explain a failure that comes before the first byte, which on Drive means a page."""
    page = recognise(str(error)) if isinstance(error, gdown.FileURLRetrievalError) else None
    heading = None
    if page is None and source.kind is Kind.DRIVE:
        page, heading = _look(source.value)
    if isinstance(error, gdown.DownloadCancelled) and page is not Page.CONFIRM:
        return UnreachableError(f"{source.description}: not one byte of it came in {FIRST_BYTE_SECONDS:g} seconds")
    return page_error(source.description, page or Page.OTHER, heading)


def _explain_connection(error: Exception, source: Source, received: int, total: int | None) -> SourceError:
    causes = tuple(_causes(error))
    known = (words for kind, words in _REASONS if any(isinstance(cause, kind) for cause in causes))
    reason = next(known, type(causes[-1]).__name__)
    for cause in causes:
        # What came after the last whole chunk, urllib3 alone knows.
        if isinstance(cause, urllib3.exceptions.IncompleteRead):
            total = total or cause.partial + cause.expected
            received = total - cause.expected
    if received or any(isinstance(cause, requests.exceptions.ChunkedEncodingError) for cause in causes):
        return IncompleteError(f"{source.description}: {_amount(received, total)}: {reason}; try again")
    return UnreachableError(f"{source.description}: {reason}")


def _causes(error: BaseException) -> Iterator[BaseException]:
    """An error and those that it wraps, as requests and urllib3 do: as a cause, a reason or an argument."""
    yield error
    for inner in (error.__cause__, getattr(error, "reason", None), *error.args):
        if isinstance(inner, BaseException):
            yield from _causes(inner)


def _amount(received: int, total: int | None) -> str:
    return f"received {received} of {'an unknown number of' if total is None else total} bytes"


def _look(file_id: str) -> tuple[Page, str | None]:
    """Ask Drive for a file to see which page comes, and what that page's title is."""
    page, heading = Page.OTHER, None
    url = DRIVE_URL.format(file_id)
    with requests.Session() as session:
        for _ in range(2):  # the page that asks to confirm, and the one behind it
            try:
                with session.get(url, stream=True, timeout=TIMEOUT_SECONDS) as answer:
                    start = next(answer.iter_content(PAGE_BYTES), b"")
                page, heading = read_page(start, answer.status_code, answer.url), title(start)
                if page is not Page.CONFIRM:
                    break
                url = get_url_from_gdrive_confirmation(start.decode(errors="replace"))
            except (requests.RequestException, gdown.DownloadError, LookupError, AssertionError):
                break
    return page, heading


def _refuse_insecure_redirects(source: Source) -> None:
    """Refuse a URL that led to plain http. gdown does not say where it was led, so the way is walked once more."""
    try:
        with requests.get(source.value, stream=True, timeout=TIMEOUT_SECONDS) as answer:
            way = [*answer.history, answer]
    except requests.RequestException:
        return  # a link that works only once: it did
    if any(is_insecure(step.url) for step in way):
        raise InsecureURLError(
            f"{source.description}: it redirects to plain http, where somebody on the way could replace the weights; "
            "give the file's sha256 to accept that"
        )
