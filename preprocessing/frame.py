"""A picture file -> a BGR picture, with every limit enforced before anything is decoded."""

import io
import re
from dataclasses import dataclass
from typing import TypeAlias

import cv2
import numpy as np
import numpy.typing as npt
from cv2.typing import MatLike
from PIL import ExifTags, Image, UnidentifiedImageError

from preprocessing.frame_errors import (
    DEFAULT_LIMITS,
    FrameError,
    FrameLimits,
    MissingFrame,
    NoPixels,
    NotAnImage,
    TooManyBytes,
    TooManyPixels,
)

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

# Width and height where PNG, GIF, BMP and JPEG headers keep them; Pillow does not say that one of them is zero.
_HEADER_SIZE = re.compile(
    rb"\x89PNG\r\n\x1a\n.{8}(.{4})(.{4})|GIF8[79]a(..)(..)|BM.{16}(.{4})(.{4})|\xff\xd8.*?\xff[\xc0-\xc2]..\x08(..)(..)",
    re.DOTALL,
)


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
