"""Pictures as programs have them -> the file that is sent."""

from __future__ import annotations

import io
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from PIL import Image, ImageOps

from clients.errors import InputError

if TYPE_CHECKING:
    from numpy.typing import NDArray

Picture: TypeAlias = "str | os.PathLike[str] | bytes | bytearray | memoryview | Image.Image | NDArray[np.uint8]"
"""A path, a file's bytes, a Pillow image, or pixels: (H, W, 3) uint8 in BGR as OpenCV gives them, or (H, W) gray."""

JPEG_QUALITY = 95


def encoded(picture: Picture) -> bytes:
    """Give the file to send: paths and bytes as they are, pixels as JPEG of quality 95.

    Raises:
        InputError: It is none of these, or cannot be written as a JPEG.
        OSError: The path cannot be read.
    """
    if isinstance(picture, bytes):
        return picture
    if isinstance(picture, (bytearray, memoryview)):
        return bytes(picture)
    if isinstance(picture, (str, os.PathLike)):
        return Path(picture).read_bytes()
    if isinstance(picture, Image.Image):
        return _jpeg(ImageOps.exif_transpose(picture))
    if isinstance(picture, np.ndarray):
        return _jpeg(Image.fromarray(_rgb(picture)))
    raise InputError(f"A {type(picture).__name__} is no picture; expected a path, bytes, a Pillow image or an array.")


def _rgb(pixels: NDArray[Any]) -> NDArray[np.uint8]:
    """Take (H, W, 3) BGR to RGB; (H, W) gray stays."""
    gray, colour = pixels.ndim == 2, pixels.ndim == 3 and pixels.shape[2] == 3
    if pixels.dtype != np.uint8 or not (gray or colour) or pixels.size == 0:
        raise InputError(
            f"The array is {pixels.dtype} {pixels.shape}; expected uint8 (height, width, 3) in BGR, or (height, width)."
        )
    return np.ascontiguousarray(pixels[..., ::-1] if colour else pixels)


def _jpeg(image: Image.Image) -> bytes:
    buffer = io.BytesIO()
    try:
        image.convert("L" if image.mode == "L" else "RGB").save(buffer, "JPEG", quality=JPEG_QUALITY)
    except (OSError, ValueError, SystemError) as error:
        raise InputError(f"The picture of {image.width}x{image.height} cannot be sent as a JPEG: {error}.") from None
    return buffer.getvalue()
