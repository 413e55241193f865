"""Base64 as clients send it, bare or in a data URL -> the bytes of a picture file; the limit comes first."""

import base64
import contextlib

from preprocessing.frame_errors import DEFAULT_LIMITS, FrameLimits, MissingFrame, NoPixels, NotBase64, TooManyBytes

_WHITESPACE = b" \t\n\r\v\f"
_TO_STANDARD_ALPHABET = bytes.maketrans(b"-_", b"+/")
_PERCENT = {b"%2B": b"+", b"%2F": b"/", b"%3D": b"=", b"%0A": b"", b"%0D": b"", b"%20": b""}


def from_base64(text: str | bytes, limits: FrameLimits = DEFAULT_LIMITS) -> bytes:
    """Decodes base64, bare or in a data URL, to the bytes of a picture file.

    The standard and the URL-safe alphabet, missing padding, whitespace anywhere and percent-encoded characters are all
    accepted.

    Args:
        text: `data:image/jpeg;base64,...` or base64 alone; ASCII.
        limits: The size is worked out from the text's length, before decoding.

    Raises:
        MissingFrame: There is no data.
        NoPixels: The text is `data:,`, which a browser gives for a canvas without pixels.
        NotBase64: The text holds anything but base64.
        TooManyBytes: The data would decode to more than `limits.max_bytes`.
    """
    payload = _payload(text)
    if _decoded_size(payload) <= limits.max_bytes:
        with contextlib.suppress(ValueError):
            if data := base64.b64decode(payload, validate=True):
                return data
    return _from_tolerant_base64(payload, limits)


def _payload(text: str | bytes) -> bytes:
    """The base64 part of a data URL, or the whole text where it is none."""
    try:
        encoded = text.encode("ascii") if isinstance(text, str) else text
    except UnicodeEncodeError:
        raise NotBase64("The frame is not base64: it has characters outside of ASCII.") from None
    encoded = encoded.strip(_WHITESPACE)
    if encoded[:5].lower() != b"data:":
        return encoded
    header, comma, payload = encoded.partition(b",")
    if not comma:
        raise NotBase64("The data URL has no data: expected data:image/jpeg;base64,<data>.")
    if len(header) == 5 and not payload:
        raise NoPixels("The picture has no pixels: 'data:,' is what an empty canvas gives.")
    if not header.lower().replace(b" ", b"").endswith(b";base64"):
        raise NotBase64("The data URL is not in base64: expected data:image/jpeg;base64,<data>.")
    return payload


def _from_tolerant_base64(payload: bytes, limits: FrameLimits) -> bytes:
    if b"%" in payload:
        for escape, character in _PERCENT.items():
            payload = payload.replace(escape, character).replace(escape.lower(), character)
    payload = payload.translate(_TO_STANDARD_ALPHABET, delete=_WHITESPACE)
    if not payload:
        raise MissingFrame("The frame is empty: expected a picture in base64.")
    if _decoded_size(payload) > limits.max_bytes:
        raise TooManyBytes(limits.max_bytes)
    characters = payload.rstrip(b"=")
    padding = -len(characters) % 4
    if not characters or padding == 3:
        raise NotBase64("The frame is not base64: its length does not fit.")
    try:
        return base64.b64decode(characters + b"=" * padding, validate=True)
    except ValueError:
        raise NotBase64("The frame is not base64: it has characters outside of the alphabet.") from None


def _decoded_size(payload: bytes) -> int:
    return len(payload.rstrip(b"=")) * 3 // 4
