"""What is analysed: the frames of a video file, or the images of a folder."""

from __future__ import annotations

import hashlib
import math
import re
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import av
import numpy as np
from av.stream import Disposition
from PIL import Image

if TYPE_CHECKING:
    from collections.abc import Iterator

    from av.container import InputContainer
    from av.packet import Packet
    from av.stream import Stream
    from av.video.frame import VideoFrame
    from av.video.stream import VideoStream
    from numpy.typing import NDArray

IMAGES = (".jpg", ".jpeg", ".png", ".webp", ".bmp")

CUT_SECONDS = 1.0
"""A video that ends this much before the end that its header names was cut."""


class FootageError(Exception):
    """There is nothing to analyse. Its text is a sentence for people."""


@dataclass(frozen=True)
class Frame:
    """A frame to analyse: its index from 0, its time in seconds, its file's name, and its upright RGB picture.

    An image has no time, and its picture is its path.
    """

    index: int
    time: float | None
    file: str
    picture: Image.Image | Path


class Video:
    """A video file.

    Args:
        path: Of the file.

    Attributes:
        total: How many frames it has, by its header or by its duration; None where neither is known.
        start: The time in seconds at which it starts, which is 0 to whoever watches.
        damage: What could not be read, as a sentence, once the last frame was taken.

    Raises:
        FootageError: It is no video that can be read.
    """

    damage: str | None = None

    def __init__(self, path: Path) -> None:
        self.path, self.files = path, [path]
        with self.opened() as (container, stream):
            self.total = stream.frames or _estimate(container, stream)
            self.start = _start(container, stream)

    @contextmanager
    def opened(self) -> Iterator[tuple[InputContainer, VideoStream]]:
        """Open the file, and find its first stream of pictures; the cover of an album is none.

        Raises:
            FootageError: It is no video that can be read.
        """
        try:
            container = av.open(str(self.path))
        except (av.FFmpegError, OSError) as error:
            raise FootageError(f"{self.path} is no video that can be read: {error.strerror}.") from None
        with container:
            streams = [one for one in container.streams.video if not one.disposition & Disposition.attached_pic]
            if not streams:
                raise FootageError(f"{self.path} holds no pictures, only {_kinds(container)}.")
            yield container, streams[0]

    def frames(self, every: int = 1, first: int = 0) -> Iterator[Frame]:
        """Decode each frame whose index is a multiple of `every`, from `first` on; what is damaged is left out."""
        index, unread, time = 0, 0, None
        with self.opened() as (container, stream):
            for packet in packets(container, stream):
                frames = decoded(packet)
                unread += frames is None
                for frame in frames or ():
                    time = seconds(frame, stream, index, self.start)
                    if index >= first and index % every == 0:
                        yield Frame(index, time, self.path.name, Image.fromarray(upright(frame)))
                    index += 1
            self.damage = _damage(container, unread, time)


class Folder:
    """The images of a folder, those named 2 before those named 10; hidden files are none of them.

    Args:
        path: Of the folder.

    Raises:
        FootageError: It holds no images.
    """

    damage: str | None = None

    def __init__(self, path: Path) -> None:
        self.path = path
        images = (file for file in path.iterdir() if file.suffix.lower() in IMAGES and not file.name.startswith("."))
        self.files = sorted(filter(Path.is_file, images), key=lambda file: natural(file.name))
        self.total = len(self.files)
        if not self.files:
            raise FootageError(f"{path} holds no images; expected {', '.join(IMAGES)}.")

    def frames(self, every: int = 1, first: int = 0) -> Iterator[Frame]:
        """Give each image whose index is a multiple of `every`, from `first` on."""
        for index, file in enumerate(self.files):
            if index >= first and index % every == 0:
                yield Frame(index, None, file.name, file)


Footage: TypeAlias = Video | Folder


def footage(path: Path) -> Footage:
    """Open what a path names.

    Raises:
        FootageError: There is nothing to analyse there.
    """
    try:
        if path.is_dir():
            return Folder(path)
        if not path.exists():
            raise FootageError(f"There is no file {path}.")
    except OSError as error:
        raise FootageError(f"{path} cannot be read: {error.strerror}.") from None
    return Video(path)


def fingerprint(files: list[Path]) -> str:
    """Give a digest of the files' names, sizes and times of change: another one is another footage."""
    digest = hashlib.sha256()
    for file in files:
        status = file.stat()
        digest.update(f"{file.name}\0{status.st_size}\0{status.st_mtime_ns}\0".encode(errors="surrogateescape"))
    return digest.hexdigest()


def natural(name: str) -> list[tuple[str, int]]:
    """Give the key that sorts names as people count: img2 before img10."""
    return [(text.casefold(), int(digits or -1)) for text, digits in re.findall(r"(\D*)(\d*)", name)]


def packets(container: InputContainer, *streams: Stream) -> Iterator[Packet[Stream]]:
    """Give the streams' packets, as far as the file can be read."""
    found = container.demux(*streams)
    while True:
        try:
            packet = next(found, None)
        except (av.FFmpegError, OSError):
            return
        if packet is None:
            return
        yield packet


def decoded(packet: Packet[Any]) -> list[VideoFrame] | None:
    """Give the frames of a video's packet, or None where it is damaged."""
    try:
        return list(packet.decode())
    except (av.FFmpegError, OSError):
        return None


def upright(frame: VideoFrame) -> NDArray[np.uint8]:
    """Give a frame's pixels as they are to be looked at: (H, W, 3) uint8 RGB, contiguous."""
    return np.ascontiguousarray(np.rot90(frame.to_ndarray(format="rgb24"), round(frame.rotation / 90)))


def seconds(frame: VideoFrame, stream: VideoStream, index: int, start: Fraction) -> float | None:
    """Give a frame's time from its stream's start in seconds; by the frame rate, where the file keeps no times."""
    if frame.pts is not None and frame.time_base is not None:
        return round(float(frame.pts * frame.time_base - start), 6)
    return round(float(index / stream.average_rate), 6) if stream.average_rate else None


def _start(container: InputContainer, stream: VideoStream) -> Fraction:
    """Give the time in seconds at which a stream starts: by its header, or by its first frame."""
    if stream.start_time is not None and stream.time_base is not None:
        return stream.start_time * stream.time_base
    first = next((frame for packet in packets(container, stream) for frame in decoded(packet) or ()), None)
    if first is None or first.pts is None or first.time_base is None:
        return Fraction(0)
    return first.pts * first.time_base


def _estimate(container: InputContainer, stream: VideoStream) -> int | None:
    """Count a video's frames by its duration."""
    if not container.duration or not stream.average_rate:
        return None
    return math.ceil(container.duration / av.time_base * stream.average_rate)


def _damage(container: InputContainer, unread: int, last: float | None) -> str | None:
    """Say what is missing: packets that could not be decoded, and what comes after the last frame's time."""
    said = [f"{unread} of its packets cannot be decoded"] if unread else []
    if container.duration and last is not None:
        duration = container.duration / av.time_base
        if duration - last > CUT_SECONDS:
            said.append(f"it ends at {last:.1f} s of {duration:.1f} s")
    return " and ".join(said) or None


def _kinds(container: InputContainer) -> str:
    return " and ".join(sorted({stream.type for stream in container.streams})) or "nothing"
