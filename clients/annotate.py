"""Faces drawn onto a picture: a box round each, and above it what it shows."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from PIL import ImageDraw, ImageFont

from clients.palette import colours, on

if TYPE_CHECKING:
    from collections.abc import Iterable

    from PIL import Image

    from clients.schemas import Face

LINE_PART, TEXT_PART = 1 / 240, 1 / 28
"""A line's width and the text's height, as parts of the picture's shorter side."""


def annotate(picture: Image.Image, faces: Iterable[Face]) -> None:
    """Draw faces onto an RGB picture, in place; boxes are in its pixels."""
    draw = ImageDraw.Draw(picture)
    side = min(picture.size)
    line, font = max(1, round(side * LINE_PART)), _font(max(11, round(side * TEXT_PART)))
    for face in faces:
        colour = colours(list(face.probabilities))[face.emotion]
        box = face.box
        draw.rectangle((box.x, box.y, box.x + box.width, box.y + box.height), outline=colour, width=line)
        _tag(draw, face, font, colour)


def caption(face: Face) -> str:
    """Say what a face shows: its number where it has one, the emotion, and how sure the model is."""
    number = "" if face.track is None else f"{face.track}  "
    return f"{number}{face.emotion} {face.probabilities[face.emotion]:.0%}"


def _tag(draw: ImageDraw.ImageDraw, face: Face, font: ImageFont.FreeTypeFont, colour: str) -> None:
    """Write the caption above the box; within it where there is no room, and never beyond the picture's sides."""
    text, padding = caption(face), round(font.size / 4)
    width, height = draw.textlength(text, font) + 2 * padding, font.size + 2 * padding
    left = min(max(face.box.x, 0), max(draw.im.size[0] - width, 0))
    top = face.box.y - height if face.box.y >= height else face.box.y
    draw.rectangle((left, top, left + width, top + height), fill=colour)
    draw.text((left + padding, top + height / 2), text, fill=on(colour), font=font, anchor="lm")


@lru_cache(maxsize=8)
def _font(size: int) -> ImageFont.FreeTypeFont:
    font = ImageFont.load_default(size)
    assert isinstance(font, ImageFont.FreeTypeFont), "Pillow was built without FreeType"
    return font
