"""A window that shows the camera, boxes round the faces, and a bar for each emotion of the largest."""

from __future__ import annotations

import tkinter
from typing import TYPE_CHECKING

from PIL import Image, ImageDraw, ImageFont, ImageOps, ImageTk

from clients.annotate import annotate
from clients.palette import colours

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from rich.console import Console

    from clients.schemas import Box, Face
    from clients.watching import Watching

REFRESH_MS = 25
PANEL_PART = 0.42
"""Width of the panel with the bars, as a part of the picture's height."""

LEAST = (320, 200)
"""Width and height of the smallest window, in pixels."""

BACKGROUND, TRACK, TEXT, DIM = "#14171c", "#2a2f38", "#f2f4f7", "#a7b0bd"


def show(watching: Watching, _: Console, labels: tuple[str, ...]) -> None:
    """Show until the window is closed (also with q or Escape), or there is nothing more to come.

    Raises:
        tkinter.TclError: There is no screen.
    """
    root = tkinter.Tk(className="emotion")
    root.title(f"{watching.camera.name}  {watching.client.url}")
    root.configure(background=BACKGROUND)
    height, width = watching.camera.newest.picture.shape[:2]
    root.geometry(f"{width + round(height * PANEL_PART)}x{height}")
    root.minsize(*LEAST)
    view = tkinter.Label(root, borderwidth=0, background=BACKGROUND)
    view.place(relx=0.5, rely=0.5, anchor="center")
    for key in ("<q>", "<Escape>"):
        root.bind(key, lambda _: root.destroy())
    shown: list[ImageTk.PhotoImage] = []  # Tk keeps no reference of its own

    def refresh() -> None:
        if watching.over:
            root.destroy()
            return
        room = (max(root.winfo_width(), LEAST[0]), max(root.winfo_height(), LEAST[1]))
        shown[:] = [ImageTk.PhotoImage(render(watching, labels, room), master=root)]
        view.configure(image=shown[0])
        root.after(REFRESH_MS, refresh)

    root.update()  # so that it has its size
    refresh()
    root.mainloop()


def render(watching: Watching, labels: tuple[str, ...], room: tuple[int, int]) -> Image.Image:
    """Draw what the window shows: an RGB picture that fits into `room` (width, height in pixels).

    What a camera sees is shown as a mirror would; a file or a network camera as it is.
    """
    mirror = isinstance(watching.camera.source, int)
    reading = watching.current
    faces = reading.prediction.faces if reading else ()
    picture = camera_picture(watching.camera.newest.picture, faces, mirror=mirror)
    scale = min(room[0] / (picture.width + picture.height * PANEL_PART), room[1] / picture.height)
    size = (max(round(picture.width * scale), 1), max(round(picture.height * scale), 1))
    whole = Image.new("RGB", (size[0] + round(size[1] * PANEL_PART), size[1]), BACKGROUND)
    whole.paste(picture.resize(size, Image.Resampling.BILINEAR) if picture.size != size else picture)
    _panel(whole, size[0], faces[0] if faces else None, labels, watching.status)
    return whole


def camera_picture(frame: NDArray[np.uint8], faces: tuple[Face, ...], *, mirror: bool) -> Image.Image:
    """Draw the faces onto a frame (H, W, 3) in BGR, as a mirror shows it or as it is; gives RGB."""
    picture = Image.fromarray(frame[..., ::-1])
    if mirror:
        picture = ImageOps.mirror(picture)
        faces = tuple(face.model_copy(update={"box": mirrored(face.box, picture.width)}) for face in faces)
    annotate(picture, faces)
    return picture


def mirrored(box: Box, width: int) -> Box:
    """Give the box in the mirror image of a picture of this width."""
    return box.model_copy(update={"x": width - box.x - box.width})


def _panel(whole: Image.Image, left: int, face: Face | None, labels: tuple[str, ...], status: str) -> None:
    """Draw the bars of a face, or empty ones, to the right of `left`, and the status below them."""
    draw = ImageDraw.Draw(whole)
    margin = max(round((whole.width - left) * 0.08), 2)
    row = (whole.height - 2 * margin) / (len(labels) + 1.5)
    font = ImageFont.load_default(max(row * 0.3, 8))
    left, right = left + margin, whole.width - margin
    for index, (label, colour) in enumerate(colours(labels).items()):
        top = margin + index * row
        part = face.probabilities.get(label, 0.0) if face else 0.0
        draw.text((left, top), label, fill=TEXT, font=font)
        if face:
            draw.text((right, top), f"{part:.0%}", fill=TEXT, font=font, anchor="ra")
        bar = (left, top + row * 0.45, right, top + row * 0.7)
        draw.rounded_rectangle(bar, radius=row * 0.1, fill=TRACK)
        if part > 0.01:
            draw.rounded_rectangle((left, bar[1], left + (right - left) * part, bar[3]), radius=row * 0.1, fill=colour)
    _wrapped(draw, status, (left, margin + len(labels) * row, right), row * 0.28)


def _wrapped(draw: ImageDraw.ImageDraw, text: str, place: tuple[float, float, float], size: float) -> None:
    """Write lines from (left, top) that end before right."""
    left, top, right = place
    font = ImageFont.load_default(max(size, 8))
    lines = [""]
    for word in text.split():
        longer = f"{lines[-1]} {word}".strip()
        if draw.textlength(longer, font) > right - left and lines[-1]:
            lines.append(word)
        else:
            lines[-1] = longer
    draw.multiline_text((left, top), "\n".join(lines), fill=DIM, font=font, spacing=2)
