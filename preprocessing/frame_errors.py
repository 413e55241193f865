"""What can be wrong with a frame, and the limits on its size.

Each error has a `code` for programs and a message for people, and neither
ever holds any of the frame's data:

    FrameError
      x MissingFrame       missing_frame
      x NotBase64          not_base64
      x NotAnImage         not_an_image
      x NoPixels           no_pixels
      + FrameTooLarge      frame_too_large
        x TooManyBytes     too_many_bytes
        x TooManyPixels    too_many_pixels
"""
# ruff: noqa: N818  (each name says what is wrong; the name of the base says that it is an error)

from dataclasses import dataclass
from typing import ClassVar


class FrameError(ValueError):
    """What is wrong with a frame: `code` for programs, the message for people."""

    code: ClassVar[str] = "bad_frame"


class MissingFrame(FrameError):
    """There is no data at all."""

    code = "missing_frame"


class NotBase64(FrameError):
    """The text is neither base64 nor a base64 data URL."""

    code = "not_base64"


class NotAnImage(FrameError):
    """The bytes are no picture of a known format, or a damaged one."""

    code = "not_an_image"


class NoPixels(FrameError):
    """The picture is zero pixels wide or high."""

    code = "no_pixels"


class FrameTooLarge(FrameError):
    """The frame is over one of `FrameLimits`."""

    code = "frame_too_large"
    unit: ClassVar[str]

    def __init__(self, limit: int) -> None:
        super().__init__(f"The picture is too large: at most {limit} {self.unit} are accepted.")


class TooManyBytes(FrameTooLarge):
    """The picture file is over `FrameLimits.max_bytes`."""

    code = "too_many_bytes"
    unit = "bytes"


class TooManyPixels(FrameTooLarge):
    """The picture is over `FrameLimits.max_pixels`."""

    code = "too_many_pixels"
    unit = "pixels"


@dataclass(frozen=True)
class FrameLimits:
    """The largest frame accepted: encoded bytes (base64 taken off), and width x height of the picture."""

    max_bytes: int = 10 * 2**20
    max_pixels: int = 25_000_000


DEFAULT_LIMITS = FrameLimits()
