"""docs: the README's pictures are made by commands."""

import io
import shutil

import numpy as np
import pytest
from films import frames
from PIL import Image

from docs import footage


def test_the_sample_video_has_what_a_timeline_shows(server, tmp_path):
    footage.make(tmp_path / "new" / "sample.mp4")
    decoded = frames(tmp_path / "new" / "sample.mp4")
    assert len(decoded) == footage.FRAMES_PER_SECOND * footage.SECONDS

    def faces(at):
        file = io.BytesIO()
        footage.scene(at).save(file, "JPEG", quality=95)
        return server.client.post("/predict_image", files={"image": file.getvalue()}).json()["faces"]

    assert [len(faces(at)) for at in (0, 9, 13)] == [1, 0, 2]
    assert len({faces(at)[0]["emotion"] for at in np.arange(0, 8, 0.5)}) > 1


def test_the_screenshot_is_one_of_the_page(server, tmp_path, monkeypatch):
    if shutil.which("chromium") is None:
        pytest.skip("a browser is needed: apt install chromium")
    from docs import screenshot

    monkeypatch.setattr(screenshot, "SHOW_SECONDS", 1.0)
    monkeypatch.setattr(screenshot, "FILM_SECONDS", 2)
    screenshot.take(server.url, tmp_path / "demo.jpg")
    with Image.open(tmp_path / "demo.jpg") as picture:
        assert picture.size == (screenshot.WIDTH, screenshot.HEIGHT)
        assert len(picture.getcolors(1 << 24)) > 100
    assert (tmp_path / "demo.jpg").stat().st_size < 400_000
