"""Whether speed changes answers: the service's pipeline against a plain reference, on varied frames."""

from __future__ import annotations

import asyncio
import io
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from PIL import Image, ImageEnhance, ImageFilter
from torchvision.transforms import v2

from benchmarks.frames import photo
from preprocessing.detectors import create_detector
from preprocessing.frame import Frame
from resemotenet import checkpoint as checkpoints
from resemotenet import model as networks
from serving.pipeline import Pipeline
from serving.settings import Settings

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from preprocessing.faces import Box


#: Of the frames; the last one is decoded at half of its size by the service.
SIZES = ((320, 240), (640, 480), (1280, 960), (2560, 1920))


@dataclass(frozen=True)
class Agreement:
    """How the service's answers compare with the reference's, over all faces that both found."""

    faces: int
    same_label: float
    largest_gap: float
    other_count: int  # frames in which one found more faces than the other


def measure(model: Path, count: int) -> Agreement:
    """Send ``count`` varied frames through the service's pipeline and through the reference.

    The reference decodes the whole picture with Pillow, finds faces with the same detector, and then does what
    training did: crop, torchvision's Grayscale, Pillow's antialiased bilinear resize, which is what torchvision's
    Resize does with a picture, and Normalize; PyTorch in float32.
    """
    checkpoint = checkpoints.load(model)
    network = networks.from_checkpoint(checkpoint)
    detector = create_detector()
    pipeline = Pipeline.load(model, Settings())
    config = checkpoint.config
    prepare = v2.Compose(
        [
            v2.ToImage(),
            v2.ToDtype(torch.float32, scale=True),
            v2.Normalize(config.mean, config.std),
        ]
    )

    def reference(jpeg: bytes) -> NDArray[np.float32]:
        picture = Image.open(io.BytesIO(jpeg)).convert("RGB")
        frame = Frame(np.ascontiguousarray(np.array(picture)[:, :, ::-1]), picture.width, picture.height)
        rows = []
        for face in detector.detect(frame):
            crop = _cut(picture, face.square, config.input_size)
            with torch.no_grad():
                rows.append(torch.softmax(network(prepare(crop)[None]), dim=1)[0].numpy())
        return np.array(rows, np.float32).reshape(-1, config.num_classes)

    async def compare() -> Agreement:
        same, gaps, other_count = [], [], 0
        for jpeg in varied(count):
            expected = reference(jpeg)
            found = (await pipeline.analyse(jpeg)).probabilities
            if len(found) != len(expected):
                other_count += 1
                continue
            same += (found.argmax(axis=1) == expected.argmax(axis=1)).tolist()
            gaps += np.abs(found - expected).max(axis=1).tolist()
        await pipeline.close()
        return Agreement(len(same), float(np.mean(same)), float(np.max(gaps)), other_count)

    return asyncio.run(compare())


def varied(count: int, seed: int = 0) -> list[bytes]:
    """Make JPEG frames that differ in size, framing, light, sharpness, tilt, quality and what hides the face."""
    astronaut, rng = photo(), np.random.default_rng(seed)
    made = []
    for _ in range(count):
        side = int(rng.integers(250, 480))
        left, top = int(rng.integers(0, 512 - side)), int(rng.integers(0, 60))
        picture = astronaut.rotate(float(rng.uniform(-15, 15)), Image.Resampling.BICUBIC)
        picture = picture.crop((left, top, left + side, top + side * 3 // 4))
        picture = picture.resize(SIZES[rng.integers(len(SIZES))], Image.Resampling.BICUBIC)
        picture = ImageEnhance.Brightness(picture).enhance(float(rng.uniform(0.5, 1.4)))
        picture = picture.filter(ImageFilter.GaussianBlur(float(rng.uniform(0, 2))))
        if rng.random() < 0.5:
            picture = picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        if rng.random() < 0.5:
            x, y = rng.integers(0, picture.width), rng.integers(0, picture.height)
            picture.paste((128, 128, 128), (int(x), int(y), int(x + picture.width // 6), int(y + picture.height // 12)))
        buffer = io.BytesIO()
        picture.save(buffer, "JPEG", quality=int(rng.integers(50, 96)))
        made.append(buffer.getvalue())
    return made


def _cut(picture: Image.Image, square: Box, side: int) -> Image.Image:
    """Cut a square in gray and resize it; what lies outside of the picture repeats its edge."""
    left, top = math.floor(square.x), math.floor(square.y)
    rows = np.arange(top, math.ceil(square.y + square.height)).clip(0, picture.height - 1)
    columns = np.arange(left, math.ceil(square.x + square.width)).clip(0, picture.width - 1)
    around: Image.Image = v2.Grayscale(3)(Image.fromarray(np.array(picture)[np.ix_(rows, columns)]))
    x, y = square.x - left, square.y - top
    box = (x, y, x + square.width, y + square.height)
    return around.resize((side, side), Image.Resampling.BILINEAR, box)
