"""Pictures that the tests make, from the one photo with a face that scikit-image ships."""

import base64
import functools
import io

import cv2
import numpy as np
import skimage
from PIL import Image

#: Where the face of `astronaut()` is, roughly: left, top, right, bottom in pixels.
FACE = (170, 55, 275, 185)


@functools.cache
def astronaut():
    """A 512x512 RGB photo of a smiling woman."""
    return Image.fromarray(skimage.data.astronaut())


def frame(x, y, face_height, size=(640, 480), mirror=False, brightness=1.0, blank=None):
    """A frame of one colour with the astronaut's head pasted in, its box's corner near (x, y)."""
    left, top, right, bottom = FACE
    head = astronaut().crop((left - 60, top - 50, right + 60, bottom + 40))
    scale = face_height / (bottom - top)
    head = head.resize((round(head.width * scale), round(head.height * scale)), Image.Resampling.LANCZOS)
    if mirror:
        head = head.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    if blank is not None:  # hide a band of the face, which changes what it shows
        start, height = (round(part * head.height) for part in blank)
        head.paste((128, 128, 128), (0, start, head.width, start + height))
    head = head.point(lambda level: min(255, round(level * brightness)))
    picture = Image.new("RGB", size, (90, 110, 130))
    picture.paste(head, (round(x - 60 * scale), round(y - 50 * scale)))
    return picture


def noise(size=(640, 480), seed=0):
    """A picture without a face."""
    pixels = np.random.default_rng(seed).integers(0, 256, (size[1], size[0], 3), np.uint8)
    return Image.fromarray(pixels)


def encoded(picture, kind="JPEG", **options):
    """A picture as a file's bytes."""
    buffer = io.BytesIO()
    picture.save(buffer, kind, **options)
    return buffer.getvalue()


def data_url(picture, kind="JPEG", **options):
    """A picture as a browser's canvas gives it."""
    return f"data:image/{kind.lower()};base64,{base64.b64encode(encoded(picture, kind, **options)).decode()}"


def video(path, frames, fps=25.0):
    """Write pictures as a video that OpenCV reads anywhere (Motion JPEG)."""
    frames = list(frames)
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"MJPG"), fps, frames[0].size)
    for picture in frames:
        writer.write(cv2.cvtColor(np.asarray(picture.convert("RGB")), cv2.COLOR_RGB2BGR))
    writer.release()
    return path
