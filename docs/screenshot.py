"""Make docs/demo.jpg, the README's picture of GET /demo: ``python -m docs.screenshot --url http://localhost:3000``."""

from __future__ import annotations

import argparse
import math
import shutil
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from PIL import Image, ImageFilter
from playwright.sync_api import sync_playwright

from benchmarks.frames import photo

if TYPE_CHECKING:
    from collections.abc import Iterator

OUT = Path(__file__).with_name("demo.jpg")
WIDTH, HEIGHT = 1280, 800
JPEG_QUALITY = 92
CAMERA_SIZE = 640, 480
FRAMES_PER_SECOND = 30
"""At which Chromium plays a camera's file."""

FILM_SECONDS = 12
SHOW_SECONDS = 3.5 * FILM_SECONDS
"""Until the picture is taken: long enough for lines in the chart, and at a moment in which the film is sharp."""

MAX_BLUR = 8.0
"""Pixels; a face out of focus shows little, so that the lines of the chart move."""


def film() -> Iterator[Image.Image]:
    """Show a face to a camera that sways, and loses its focus once a round."""
    picture = photo()
    for number in range(FILM_SECONDS * FRAMES_PER_SECOND):
        turn = math.tau * number / (FILM_SECONDS * FRAMES_PER_SECOND)
        left, top = round(20 + 20 * math.cos(turn)), round(10 + 10 * math.sin(2 * turn))
        frame = picture.crop((left, top, left + 400, top + 300)).resize(CAMERA_SIZE, Image.Resampling.BICUBIC)
        yield frame.filter(ImageFilter.GaussianBlur(MAX_BLUR * max(0.0, math.cos(turn)) ** 2))


def take(url: str, out: Path) -> None:
    """Visit a running service's demo with that camera, and take the picture."""
    with TemporaryDirectory() as folder, sync_playwright() as playwright:
        camera = Path(folder) / "camera.mjpeg"
        with camera.open("wb") as file:
            for frame in film():
                frame.save(file, "JPEG", quality=90)
        flags = ["--use-fake-device-for-media-stream", f"--use-file-for-fake-video-capture={camera}"]
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=flags)
        page = browser.new_page(viewport={"width": WIDTH, "height": HEIGHT}, permissions=["camera"])
        page.goto(f"{url}/demo")
        page.get_by_role("button", name="Start").click()
        page.locator("#faces li").first.wait_for()
        page.wait_for_timeout(1000 * SHOW_SECONDS)
        page.get_by_role("option").evaluate("option => { option.textContent = 'Camera'; }")  # else the file's path
        page.screenshot(path=out, type="jpeg", quality=JPEG_QUALITY)
        browser.close()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--url", default="http://localhost:3000", help="of a running service")
    parser.add_argument("--out", type=Path, default=OUT)
    arguments = parser.parse_args()
    take(arguments.url.rstrip("/"), arguments.out)
