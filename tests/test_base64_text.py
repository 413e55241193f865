"""preprocessing.base64_text: every spelling of base64 gives the bytes, and nothing else does."""

import base64

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from preprocessing import base64_text
from preprocessing.base64_text import from_base64
from preprocessing.frame_errors import (
    FrameLimits,
    MissingFrame,
    NoPixels,
    NotBase64,
    TooManyBytes,
)

PREFIXES = [
    "",
    "data:image/jpeg;base64,",
    "data:image/png;charset=utf-8;base64,",
    "DATA:IMAGE/JPEG;BASE64,",
    "data:;base64,",
    "data:image/jpeg; base64,",
    "  \r\n data:image/jpeg;base64,",
]


@settings(max_examples=300, deadline=None)
@given(
    data=st.binary(min_size=1, max_size=200),
    prefix=st.sampled_from(PREFIXES),
    url_safe=st.booleans(),
    padded=st.booleans(),
    percent=st.sampled_from(["", "=", "=+/"]),
    lower=st.booleans(),
    spaces=st.lists(st.tuples(st.floats(0, 1), st.sampled_from([" ", "\n", "\r\n", "\t", "%0A"])), max_size=6),
    as_bytes=st.booleans(),
)
def test_every_spelling_of_base64_gives_the_data_back(
    *, data, prefix, url_safe, padded, percent, lower, spaces, as_bytes
):
    text = (base64.urlsafe_b64encode if url_safe else base64.b64encode)(data).decode()
    parts = list(text if padded else text.rstrip("="))
    for place, space in spaces:
        parts.insert(int(place * len(parts)), space)
    for character in percent:
        code = f"%{ord(character):02x}" if lower else f"%{ord(character):02X}"
        parts = [code if part == character else part for part in parts]
    text = prefix + "".join(parts)
    assert from_base64(text.encode() if as_bytes else text) == data


@pytest.mark.parametrize(
    "text",
    [
        "hello!!",
        "A",
        "AAAAA",
        "data:image/jpeg;base64,AAAAA",
        "=",
        "====",
        "AA=A",
        "AA==AA==",
        "AAAA,AAAA",
        "AAAA%41",
        "AAAA%",
        "AAA\0",
        "\u00e9\u00e9\u00e9\u00e9",
        "\U0001f600",
        b"\xff\xfe\xfd\xfc",
        "data:image/jpeg,AAAA",
        "data:image/svg+xml,<svg/>",
        "data:image/jpeg;base64",
        "data:",
        "data:image/jpeg;base64,data:image/jpeg;base64,AAAA",
        "https://example.org/face.jpg",
        "/etc/passwd.jpg",
        "[object Object]",
    ],
)
def test_what_is_not_base64_is_refused(text):
    with pytest.raises(NotBase64) as caught:
        from_base64(text)
    assert caught.value.code == "not_base64"


@pytest.mark.parametrize("text", ["", b"", "  \n", "data:image/jpeg;base64,", "data:image/jpeg;base64, \n", "%0A"])
def test_no_data_is_a_missing_frame(text):
    with pytest.raises(MissingFrame) as caught:
        from_base64(text)
    assert caught.value.code == "missing_frame"


def test_an_empty_canvas_has_no_pixels():
    with pytest.raises(NoPixels):
        from_base64("data:,")


@pytest.mark.parametrize("size", [1000, 1001, 1002])
@pytest.mark.parametrize("spell", [lambda t: t, lambda t: t.rstrip(b"="), lambda t: b"\n ".join([t[:7], t[7:]])])
def test_the_byte_limit_is_exact_in_every_spelling(size, spell):
    text = spell(base64.b64encode(bytes(size)))
    assert len(from_base64(text, FrameLimits(max_bytes=size))) == size
    with pytest.raises(TooManyBytes) as caught:
        from_base64(text, FrameLimits(max_bytes=size - 1))
    assert caught.value.code == "too_many_bytes"


@pytest.mark.parametrize("text", ["A" * 2000, "data:image/jpeg;base64," + "A-_ " * 500, "%2B" * 2000])
def test_the_byte_limit_is_checked_before_decoding(text, monkeypatch):
    monkeypatch.setattr(base64, "b64decode", lambda *_, **__: pytest.fail("something was decoded"))
    with pytest.raises(TooManyBytes):
        from_base64(text, FrameLimits(max_bytes=1000))


def test_a_clean_data_url_takes_the_fast_way(monkeypatch):
    monkeypatch.setattr(base64_text, "_from_tolerant_base64", lambda *_: pytest.fail("the slow way"))
    data = bytes(range(256)) * 300
    assert from_base64("data:image/jpeg;base64," + base64.b64encode(data).decode()) == data


def test_messages_hold_nothing_of_the_frame():
    with pytest.raises(NotBase64) as caught:
        from_base64("SECRET!SECRET")
    assert "SECRET" not in repr(caught.value)
    assert caught.value.__suppress_context__ or caught.value.__context__ is None
