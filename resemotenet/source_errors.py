"""Why a checkpoint could not be had from its source: one tree, each with a sentence that says what to do.

::

    SourceError                     a ValueError; all others derive from it
    ├── SourceFormatError           the text names no Drive file, https URL or path, or the sha256 is not one
    │   ├── FolderLinkError         a Drive link to a folder
    │   └── InsecureURLError        plain http, where nothing would notice weights replaced on the way
    ├── SourceNotFoundError         no such file, here or there; or a directory
    ├── SourceForbiddenError        private, or not readable
    ├── QuotaError                  Drive has served it too often lately
    ├── WebPageError                a web page where a checkpoint was expected
    │   └── ConfirmPageError        Drive's virus-scan warning, asked again and again
    ├── IncompleteError             fewer bytes than announced
    │   └── EmptySourceError        no bytes at all
    ├── UnreachableError            no connection, no name, no answer in time
    │   └── ServerFailureError      the server's own failure (HTTP 429, 5xx)
    ├── TooLargeError               more bytes than any checkpoint has
    └── HashMismatchError           other bytes than the sha256 names

Their messages name the source without a URL's credentials, query and fragment, which may hold secrets.
"""

from __future__ import annotations


class SourceError(ValueError):
    """A checkpoint could not be had from its source; the message says why and what to do."""


class SourceFormatError(SourceError):
    """A text that names no source, or a sha256 that is not one."""


class FolderLinkError(SourceFormatError):
    """A Drive link to a folder."""


class InsecureURLError(SourceFormatError):
    """A plain http URL, or a redirect to one, without a sha256 to check the bytes by."""


class SourceNotFoundError(SourceError):
    """Nothing is there, or a directory is."""


class SourceForbiddenError(SourceError):
    """It is there, but not for everyone."""


class QuotaError(SourceError):
    """Drive has served the file too often lately."""


class WebPageError(SourceError):
    """A web page came where a checkpoint was expected."""


class ConfirmPageError(WebPageError):
    """Drive kept asking to confirm a file that it cannot scan for viruses."""


class IncompleteError(SourceError):
    """Fewer bytes came than were announced."""


class EmptySourceError(IncompleteError):
    """No bytes at all."""


class UnreachableError(SourceError):
    """No connection, no name, or no answer in time."""


class ServerFailureError(UnreachableError):
    """The server answered that it failed or is too busy."""


class TooLargeError(SourceError):
    """More bytes than any checkpoint has."""


class HashMismatchError(SourceError):
    """The bytes are not those that the sha256 names."""
