"""A video with boxes round its faces: H.264 in MP4, with the times and the sound of the original."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, Any

import av
import numpy as np
from PIL import Image, ImageOps

from clients.annotate import annotate
from clients.footage import Folder, FootageError, decoded, packets, seconds, upright
from clients.outputs import replacing

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from av.audio.stream import AudioStream
    from av.container import InputContainer, OutputContainer
    from av.packet import Packet

    from clients.footage import Footage, Video
    from clients.progress import Report
    from clients.records import FrameRecord
    from clients.schemas import Face

IMAGES_PER_SECOND = 2

MAX_IMAGE_SIDE = 1920
"""Of the video of a folder's images, in pixels."""

QUALITY = {"crf": "20", "preset": "veryfast"}


def write(path: Path, footage: Footage, records: Iterable[FrameRecord], every: int, report: Report) -> None:
    """Draw each frame's faces; a frame that was not analysed gets those of the last one that was.

    Images are letterboxed to the first one's size, and shown for half a second each.

    Args:
        path: Of the MP4.
        footage: What was analysed.
        records: Of each frame whose index is a multiple of `every`, in order.
        every: As above.
        report: Told how many frames of `footage` are drawn.

    Raises:
        FootageError: What was analysed cannot be read any more.
        OutputError: The file cannot be written.
    """
    with replacing(path) as temporary, av.open(str(temporary), "w", format="mp4") as output:
        if isinstance(footage, Folder):
            _write_images(output, footage, records, report)
        else:
            _write_video(output, footage, records, every, report)


class _Film:
    """The stream of pictures of an MP4, (width, height) pixels of even numbers."""

    def __init__(self, output: OutputContainer, size: tuple[int, int], time_base: Fraction) -> None:
        self._output, self._size, self._time_base, self._last = output, size, time_base, -1
        self._stream = output.add_stream("libx264", options=QUALITY)
        self._stream.width, self._stream.height = (side + side % 2 for side in size)
        self._stream.pix_fmt = "yuv420p"
        self._stream.codec_context.time_base = time_base

    def add(self, picture: Image.Image, faces: Iterable[Face], pts: int) -> None:
        """Encode an RGB picture of any size with its faces; one whose time is not after the last one's is left out."""
        if pts <= self._last:
            return
        self._last = pts
        annotate(picture, faces)
        if picture.size != self._size:
            picture = ImageOps.pad(picture, self._size, Image.Resampling.LANCZOS)
        pixels = np.asarray(picture)
        pixels = np.pad(pixels, ((0, pixels.shape[0] % 2), (0, pixels.shape[1] % 2), (0, 0)), "edge")
        frame = av.VideoFrame.from_ndarray(pixels, format="rgb24")
        frame.pts, frame.time_base = pts, self._time_base
        self._output.mux(self._stream.encode(frame))

    def end(self) -> None:
        """Encode what is left."""
        self._output.mux(self._stream.encode(None))


def _write_video(
    output: OutputContainer, video: Video, records: Iterable[FrameRecord], every: int, report: Report
) -> None:
    first = next(video.frames(), None)
    if first is None or not isinstance(first.picture, Image.Image):
        raise FootageError(f"{video.path} holds no frame any more.")
    known, index = iter(records), 0
    faces: tuple[Face, ...] = ()
    with video.opened() as (container, stream):
        assert stream.time_base is not None, "FFmpeg gives every stream a time base"
        film = _Film(output, first.picture.size, stream.time_base)
        sound = _Sound(container, output, float(video.start))
        for packet in packets(container, stream, *sound.streams):
            if packet.stream != stream:
                sound.add(packet)
                continue
            for frame in decoded(packet) or ():
                if index % every == 0:
                    record = next(known, None)
                    faces = record.faces if record else ()
                time = seconds(frame, stream, index, video.start) or 0.0
                film.add(Image.fromarray(upright(frame)), faces, round(time / stream.time_base))
                index += 1
                report(index)
        film.end()


class _Sound:
    """The sound of a video, copied as it is; none where there is none, or none that MP4 can hold.

    Args:
        container: Of the video.
        output: Of the copy.
        start: When the copy starts, in seconds of the original.
    """

    def __init__(self, container: InputContainer, output: OutputContainer, start: float) -> None:
        self.streams = [one for one in container.streams.audio if one.codec_context.name in output.supported_codecs][:1]
        self._output, self._start = output, start
        self._copies: list[AudioStream] = [output.add_stream_from_template(one) for one in self.streams]

    def add(self, packet: Packet[Any]) -> None:
        """Copy a packet."""
        if packet.dts is None or packet.pts is None:
            return
        shift = round(self._start / packet.time_base)
        packet.pts, packet.dts = packet.pts - shift, packet.dts - shift
        packet.stream = self._copies[0]
        self._output.mux(packet)


def _write_images(output: OutputContainer, folder: Folder, records: Iterable[FrameRecord], report: Report) -> None:
    film, shown = None, 0
    for number, record in enumerate(records, 1):
        report(number)
        try:
            with Image.open(folder.path / record.file) as image:
                picture = ImageOps.exif_transpose(image).convert("RGB")
        except (OSError, ValueError, Image.DecompressionBombError):
            continue  # the table says so
        film = film or _Film(output, _within(picture.size), Fraction(1, IMAGES_PER_SECOND))
        film.add(picture, record.faces, shown)
        shown += 1
    if film is None:
        raise FootageError(f"{folder.path} holds no image that can be read.")
    film.end()


def _within(size: tuple[int, int]) -> tuple[int, int]:
    """Scale a size down to the largest side that is taken."""
    scale = min(1.0, MAX_IMAGE_SIDE / max(size))
    return max(round(size[0] * scale), 1), max(round(size[1] * scale), 1)
