"""Webcam frames for the benchmark: 640x480 JPEGs of a real photo, framed differently each time."""

from __future__ import annotations

import base64
import io
import json

import skimage.data
from PIL import Image

SIZE = (640, 480)
QUALITY = 85


def photo() -> Image.Image:
    """Give scikit-image's astronaut: 512x512 pixels, one face."""
    return Image.fromarray(skimage.data.astronaut())  # type: ignore[no-untyped-call]


def jpegs(count: int, size: tuple[int, int] = SIZE) -> list[bytes]:
    """Make ``count`` JPEG files of scikit-image's astronaut, each a slightly other part of the photo."""
    astronaut = photo()
    made = []
    for number in range(count):
        left, top = 4 * (number % 8), 2 * (number % 16)
        picture = astronaut.crop((left, top, left + 480, top + 360)).resize(size, Image.Resampling.BICUBIC)
        buffer = io.BytesIO()
        picture.save(buffer, "JPEG", quality=QUALITY)
        made.append(buffer.getvalue())
    return made


def crowd(count: int) -> bytes:
    """Make one 640x480 JPEG with ``count`` (1, or up to 8) faces of the same size in it."""
    head = photo().crop((130, 20, 310, 245)).resize((128, 160), Image.Resampling.BICUBIC)
    picture = Image.new("RGB", SIZE, (90, 110, 130))
    for number in range(count):
        picture.paste(head, (16 + 160 * (number % 4), 60 + 200 * (number // 4)))
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=QUALITY)
    return buffer.getvalue()


def body(jpeg: bytes) -> bytes:
    """Give the JSON body of POST /predict with this picture."""
    return json.dumps({"frame": f"data:image/jpeg;base64,{base64.b64encode(jpeg).decode()}"}).encode()
