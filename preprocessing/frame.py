"""A frame as a client sends it -> a BGR picture, with every limit enforced before anything is decoded.

What is wrong with a frame is one of these; each has a `code` for programs and a message for people, and neither
ever holds any of the frame's data:

    FrameError
      x MissingFrame       missing_frame
      x NotBase64          not_base64
      x NotAnImage         not_an_image
      x NoPixels           no_pixels
      + FrameTooLarge      frame_too_large
        x TooManyBytes     too_many_bytes
        x TooManyPixels    too_many_pixels
"""
# ruff: noqa: N818  (each name says what is wrong; the name of the base says that it is an error)

import base64
import contextlib
import io
import re
from dataclasses import dataclass
from typing import ClassVar, TypeAlias

import cv2
import numpy as np
import numpy.typing as npt
from cv2.typing import MatLike
from PIL import ExifTags, Image, UnidentifiedImageError

Pixels: TypeAlias = npt.NDArray[np.uint8]

FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "GIF")
REDUCED_SIDE = 960
"""A big JPEG is decoded at a half, a quarter or an eighth, as long as its long side keeps this many pixels."""

_JPEG_FORMATS = ("JPEG", "MPO")  # MPO: a JPEG with further pictures behind it, as many phones write
_REDUCTIONS = {8: cv2.IMREAD_REDUCED_COLOR_8, 4: cv2.IMREAD_REDUCED_COLOR_4, 2: cv2.IMREAD_REDUCED_COLOR_2}
# Every scan of a progressive JPEG visits every pixel and may be 60 bytes long: a file of 10 MB could take an hour.
_SCAN = b"\xff\xda"
_MAX_SCANNED_PIXELS = 3_000_000_000
_TRANSPOSED = range(5, 9)  # EXIF orientations that swap width and height
_FLIPS = {2: 1, 3: -1, 4: 0, 6: 1, 7: -1, 8: 0}  # EXIF orientation -> cv2.flip's code, after transposing

_WHITESPACE = b" \t\n\r\v\f"
_TO_STANDARD_ALPHABET = bytes.maketrans(b"-_", b"+/")
_PERCENT = {b"%2B": b"+", b"%2F": b"/", b"%3D": b"=", b"%0A": b"", b"%0D": b"", b"%20": b""}

# Width and height where PNG, GIF, BMP and JPEG headers keep them; Pillow does not say that one of them is zero.
_HEADER_SIZE = re.compile(
    rb"\x89PNG\r\n\x1a\n.{8}(.{4})(.{4})|GIF8[79]a(..)(..)|BM.{16}(.{4})(.{4})|\xff\xd8.*?\xff[\xc0-\xc2]..\x08(..)(..)",
    re.DOTALL,
)


class FrameError(ValueError):
    """What is wrong with a frame: `code` for programs, the message for people."""

    code: ClassVar[str] = "bad_frame"


class MissingFrame(FrameError):
    """There is no data at all."""

    code = "missing_frame"


class NotBase64(FrameError):
    """The text is neither base64 nor a base64 data URL."""

    code = "not_base64"


class NotAnImage(FrameError):
    """The bytes are no picture of a known format, or a damaged one."""

    code = "not_an_image"


class NoPixels(FrameError):
    """The picture is zero pixels wide or high."""

    code = "no_pixels"


class FrameTooLarge(FrameError):
    """The frame is over one of `FrameLimits`."""

    code = "frame_too_large"
    unit: ClassVar[str]

    def __init__(self, limit: int) -> None:
        super().__init__(f"The picture is too large: at most {limit} {self.unit} are accepted.")


class TooManyBytes(FrameTooLarge):
    """The picture file is over `FrameLimits.max_bytes`."""

    code = "too_many_bytes"
    unit = "bytes"


class TooManyPixels(FrameTooLarge):
    """The picture is over `FrameLimits.max_pixels`."""

    code = "too_many_pixels"
    unit = "pixels"


@dataclass(frozen=True)
class FrameLimits:
    """The largest frame accepted: encoded bytes (base64 taken off), and width x height of the picture."""

    max_bytes: int = 10 * 2**20
    max_pixels: int = 25_000_000


DEFAULT_LIMITS = FrameLimits()


@dataclass(frozen=True, eq=False)
class Frame:
    """A decoded picture, upright.

    Attributes:
        image: (H, W, 3) uint8, BGR, C-contiguous; smaller than the original where a JPEG was decoded reduced.
        width: Width of the original picture in pixels, after EXIF orientation.
        height: Height of the original picture in pixels, after EXIF orientation.
    """

    image: Pixels
    width: int
    height: int

    @property
    def scale(self) -> tuple[float, float]:
        """Original pixels per pixel of `image`, along x and along y."""
        rows, columns = self.image.shape[:2]
        return self.width / columns, self.height / rows


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


def decode(data: bytes, limits: FrameLimits = DEFAULT_LIMITS, min_side: int = REDUCED_SIDE) -> Frame:
    """Decodes a JPEG, PNG, WebP, BMP or GIF to an upright BGR picture.

    Of an animation it takes the first frame. Transparency is laid on white, EXIF orientation is applied, and 16 bits a
    channel are scaled to 8.

    Args:
        data: The picture file.
        limits: Checked against the file's length and the size in its header, before any pixel is decoded.
        min_side: A JPEG is decoded reduced while its long side keeps this many pixels.

    Raises:
        MissingFrame: `data` is empty.
        TooManyBytes: The file is over `limits.max_bytes`.
        TooManyPixels: The picture is over `limits.max_pixels`.
        NoPixels: The picture is zero pixels wide or high.
        NotAnImage: The file is of another format, damaged or cut short.
    """
    if not data:
        raise MissingFrame("The frame is empty: expected a picture file.")
    if len(data) > limits.max_bytes:
        raise TooManyBytes(limits.max_bytes)
    try:
        return _decode(data, limits, min_side)
    except FrameError:
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise TooManyPixels(limits.max_pixels) from None
    except UnidentifiedImageError:
        size = _HEADER_SIZE.match(data)
        if size and not all(any(side) for side in size.groups() if side is not None):
            raise NoPixels("The picture has no pixels: its width or its height is zero.") from None
        raise NotAnImage(f"The frame is not a picture: expected one of {', '.join(FORMATS)}.") from None
    except Exception:  # noqa: BLE001  on hostile data the decoders raise whatever they please
        raise NotAnImage("The picture is damaged or cut short.") from None


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


def _decode(data: bytes, limits: FrameLimits, min_side: int) -> Frame:
    # Pillow reads the header only; it decodes pixels when they are first asked for.
    with Image.open(io.BytesIO(data), formats=FORMATS) as picture:
        width, height = picture.size
        if width * height > limits.max_pixels:
            raise TooManyPixels(limits.max_pixels)
        if picture.format in _JPEG_FORMATS:
            image = _decode_jpeg(data, width, height, min_side)
        else:
            image = _decode_other(picture)
        orientation = _orientation(picture)
    if orientation in _TRANSPOSED:
        image, width, height = cv2.transpose(image), height, width
    if orientation in _FLIPS:
        image = cv2.flip(image, _FLIPS[orientation])
    return Frame(np.ascontiguousarray(image, np.uint8), width, height)


def _decode_jpeg(data: bytes, width: int, height: int, min_side: int) -> MatLike:
    if data.count(_SCAN) * width * height > _MAX_SCANNED_PIXELS:
        raise NotAnImage("The picture is a JPEG with more scans than a camera or an editor writes.")
    side = max(width, height)
    flag = next((flag for factor, flag in _REDUCTIONS.items() if side >= factor * min_side), cv2.IMREAD_COLOR)
    # cv2.imdecode refuses a JPEG that is cut short; before 4.13 it gave a half-gray picture.
    image = cv2.imdecode(np.frombuffer(data, np.uint8), flag | cv2.IMREAD_IGNORE_ORIENTATION)
    if image is None:
        raise NotAnImage("The picture is damaged or cut short.")
    return image


def _decode_other(picture: Image.Image) -> MatLike:
    if picture.mode == "I;16":
        gray = cv2.convertScaleAbs(np.asarray(picture), alpha=255 / 65535)
        return cv2.cvtColor(gray, cv2.COLOR_GRAY2BGR)
    if picture.has_transparency_data:
        layer = picture.convert("RGBA")
        rgb = Image.new("RGB", picture.size, "white")
        rgb.paste(layer, mask=layer)
    else:
        rgb = picture.convert("RGB")
    return cv2.cvtColor(np.asarray(rgb), cv2.COLOR_RGB2BGR)


def _orientation(picture: Image.Image) -> int:
    try:
        return int(picture.getexif().get(ExifTags.Base.Orientation, 1))
    except Exception:  # noqa: BLE001  a picture with broken EXIF data is still a picture
        return 1
