"""Make a test video of our own, for the README's timeline: ``python -m docs.footage OUT.mp4``."""

from __future__ import annotations

import argparse
import math
from pathlib import Path
from typing import TYPE_CHECKING

import av
import numpy as np
from PIL import Image, ImageFilter, ImageOps

from benchmarks.frames import photo

if TYPE_CHECKING:
    from collections.abc import Iterator

WIDTH, HEIGHT = 640, 480
FRAMES_PER_SECOND, SECONDS = 15, 20
HEAD = (110, 5, 335, 225)
"""Left, top, right, bottom of the head in the photo, in pixels."""

MAX_BLUR = 7.0
"""Pixels of the photo; a face out of focus shows little."""

GREY = (90, 110, 130)


def scene(at: float) -> Image.Image:
    """Give the frame at a second: a head that sways, blurs, darkens and leaves; another one, mirrored, for a while."""
    picture = Image.new("RGB", (WIDTH, HEIGHT), GREY)
    if not 8 <= at < 10:
        head = photo().crop(HEAD).filter(ImageFilter.GaussianBlur(MAX_BLUR * max(0.0, math.sin(at * 0.9)) ** 2))
        head = head.point(lambda level: round(level * (0.65 + 0.35 * math.cos(at * 0.5))))
        height = round(300 + 60 * math.sin(at * 0.6))
        head = head.resize((round(height * head.width / head.height), height), Image.Resampling.BICUBIC)
        picture.paste(head, (round(60 + 30 * math.sin(at)), HEIGHT - height))
    if 12 <= at < 17:
        other = ImageOps.mirror(photo().crop(HEAD)).resize((160, 156), Image.Resampling.BICUBIC)
        picture.paste(other, (440, round(120 + 10 * math.sin(2 * at))))
    return picture


def frames() -> Iterator[Image.Image]:
    """Give all frames of the video."""
    for number in range(FRAMES_PER_SECOND * SECONDS):
        yield scene(number / FRAMES_PER_SECOND)


def make(out: Path) -> None:
    """Write it as H.264 in MP4."""
    out.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(out), "w") as container:
        stream = container.add_stream("libx264", rate=FRAMES_PER_SECOND)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        for frame in frames():
            container.mux(stream.encode(av.VideoFrame.from_ndarray(np.asarray(frame), format="rgb24")))
        container.mux(stream.encode(None))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    make(parser.parse_args().out)
