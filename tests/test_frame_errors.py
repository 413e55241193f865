"""preprocessing.frame_errors: each has a code of its own, and the tree in the docstring is the tree."""

import re

from preprocessing import frame_errors
from preprocessing.frame_errors import FrameError, FrameLimits, FrameTooLarge, TooManyBytes, TooManyPixels


def test_the_tree_in_the_docstring_is_the_tree():
    drawn = dict(re.findall(r"[x+] (\w+) +(\w+)", frame_errors.__doc__))
    classes = [value for value in vars(frame_errors).values() if isinstance(value, type) and value is not FrameError]
    errors = [kind for kind in classes if issubclass(kind, FrameError)]
    assert drawn == {kind.__name__: kind.code for kind in errors}
    assert len(set(drawn.values())) == len(drawn)
    assert {kind for kind in errors if issubclass(kind, FrameTooLarge)} == {FrameTooLarge, TooManyBytes, TooManyPixels}


def test_what_is_too_large_says_what_is_not():
    assert "at most 7 bytes" in str(TooManyBytes(7))
    assert "at most 9 pixels" in str(TooManyPixels(9))


def test_the_limits_have_defaults():
    assert FrameLimits() == FrameLimits(max_bytes=10 * 2**20, max_pixels=25_000_000)
