"""What a web page that came in place of a checkpoint says, above all Google Drive's own pages.

Drive answers a download that it will not give with a page, most often under status 200, so the page's words decide.
"""

from __future__ import annotations

import codecs
import html
import re
from enum import Enum
from urllib.parse import urlsplit

from resemotenet.source_errors import (
    ConfirmPageError,
    QuotaError,
    ServerFailureError,
    SourceError,
    SourceForbiddenError,
    SourceNotFoundError,
    WebPageError,
)

#: So much of a file's start tells a page from a checkpoint, and one page from another.
PAGE_BYTES = 256 * 1024
TITLE_CHARACTERS = 100

_BOMS = {
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
#: A page holds no NUL so early; the length with which a safetensors file starts does.
_NUL_FREE_BYTES = 8
_MARKUP = re.compile(
    r"\s*<(?:!--|!doctype\s|\?xml\s|(?:html|head|body|title|meta|link|style|script|noscript|base|div|form|h[1-6]|p)[\s>/])",
    re.IGNORECASE,
)
_TITLE = re.compile(r"<title\b[^>]*>(.*?)</title", re.IGNORECASE | re.DOTALL)


class Page(Enum):
    """What came in place of a checkpoint."""

    FILE = "no page: a file"
    CONFIRM = "the warning that Drive cannot scan the file for viruses"
    QUOTA = "too many downloads of the file lately"
    SIGN_IN = "a page to sign in, or one that denies access"
    NOT_FOUND = "no such file"
    SERVER_FAILURE = "the server's own failure"
    OTHER = "any other page"


#: Quota and confirm pages may carry a sign-in link of their own, so the order matters.
_MARKERS = (
    (Page.QUOTA, ("quota exceeded", "too many users have viewed or downloaded this file")),
    (Page.CONFIRM, ("virus scan warning", 'id="download-form"', "can't scan this file for viruses")),
    (Page.NOT_FOUND, ("the file you have requested does not exist", "<title>error 404")),
    (
        Page.SIGN_IN,
        (
            "servicelogin",
            "accounts.google.com/v3/signin",
            "you need access",
            "access denied",
            "hasn't given you permission",
        ),
    ),
)

_ERRORS: dict[Page, tuple[type[SourceError], str]] = {
    Page.FILE: (ServerFailureError, "Drive gave a page at first and the file when asked again; try again"),
    Page.CONFIRM: (
        ConfirmPageError,
        "Drive keeps asking to confirm a file too large for its virus scan; download it in a browser and give its path",
    ),
    Page.QUOTA: (
        QuotaError,
        "Drive says that too many users have viewed or downloaded this file recently; try again in up to 24 hours, or "
        "make a copy in Drive and use the copy's link",
    ),
    Page.SIGN_IN: (
        SourceForbiddenError,
        "it is not public; share it as 'Anyone with the link', or use a link that needs no sign-in",
    ),
    Page.NOT_FOUND: (
        SourceNotFoundError,
        "no such file there; check the link, or whether the file was removed",
    ),
    Page.SERVER_FAILURE: (ServerFailureError, "the server failed or is too busy; try again later"),
    Page.OTHER: (
        WebPageError,
        "found a web page, expected a checkpoint; use the link of the file itself (on Drive: of a file that is shared "
        "as 'Anyone with the link')",
    ),
}


def is_html(start: bytes) -> bool:
    """Whether a file that starts with these bytes is a web page (or XML). No checkpoint format looks like one."""
    for bom in _BOMS:
        if start.startswith(bom):
            return _MARKUP.match(_text(start)) is not None
    return b"\0" not in start[:_NUL_FREE_BYTES] and _MARKUP.match(_text(start)) is not None


def title(start: bytes) -> str | None:
    """The page's title in quotes, on one line and printable; None where it has none."""
    found = _TITLE.search(_text(start))
    words = " ".join(html.unescape(found[1]).split()) if found else ""
    printable = "".join(character for character in words if character.isprintable())
    return repr(printable[:TITLE_CHARACTERS]) if printable else None


def read_page(start: bytes, status: int = 200, url: str = "") -> Page:
    """Say which page this is.

    Args:
        start: the first bytes of the answer's body, ``PAGE_BYTES`` at most.
        status: its HTTP status.
        url: the URL that answered in the end, after redirects.
    """
    if status == 200 and not is_html(start):
        return Page.FILE
    if urlsplit(url).hostname == "accounts.google.com":
        return Page.SIGN_IN
    if page := recognise(_text(start)):
        return page
    if status in {401, 403}:
        return Page.SIGN_IN
    if status in {404, 410}:
        return Page.NOT_FOUND
    return Page.SERVER_FAILURE if status == 429 or status >= 500 else Page.OTHER


def recognise(text: str) -> Page | None:
    """Say which of Drive's pages holds this text; None where no phrase of theirs is in it."""
    words = " ".join(html.unescape(text).lower().split()).replace("\N{RIGHT SINGLE QUOTATION MARK}", "'")
    return next((page for page, markers in _MARKERS if any(marker in words for marker in markers)), None)


def page_error(name: str, page: Page, found: str | None = None) -> SourceError:
    """Make the error that says what a page means.

    Args:
        name: the source's description.
        page: which page came.
        found: its title or its HTTP status, where known.
    """
    kind, sentence = _ERRORS[page]
    return kind(f"{name}: {f'{found}: ' if found else ''}{sentence}")


def _text(start: bytes) -> str:
    encoding = next((name for bom, name in _BOMS.items() if start.startswith(bom)), "utf-8")
    return start.decode(encoding, errors="replace")
