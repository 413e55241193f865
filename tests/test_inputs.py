"""serving.inputs: request bodies within their limits, and errors that say what was wrong."""

import asyncio
import types

import bentoml
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.requests import Request

from serving import inputs
from serving.errors import SCOPE_KEY, ApiError
from serving.inputs import CropsInput, FrameInput, ImageInput, crops
from serving.settings import Settings

LIMIT = 4096


@pytest.fixture(autouse=True)
def current_service(monkeypatch):
    """A running service with small limits, whose model takes crops as they are."""

    async def to_input(faces):
        return faces

    service = types.SimpleNamespace(settings=Settings(max_image_bytes=LIMIT), to_input=to_input)
    monkeypatch.setattr(bentoml, "get_current_service", lambda: service)


def request(*chunks, content_type="application/json", **headers):
    """A request whose body arrives in these chunks; `taken` says how many were read."""
    sent = [{"type": "http.request", "body": chunk, "more_body": True} for chunk in chunks]
    sent.append({"type": "http.request", "body": b"", "more_body": False})
    taken = []

    async def receive():
        taken.append(len(taken))
        return sent[len(taken) - 1]

    fields = {"content-type": content_type, **headers}
    raw = [(name.replace("_", "-").encode(), value.encode()) for name, value in fields.items()]
    made = Request({"type": "http", "method": "POST", "path": "/", "query_string": b"", "headers": raw}, receive)
    made.taken = taken
    return made


def read(kind, made):
    return asyncio.run(kind.from_http_request(made, None))


def refused(kind, made):
    with pytest.raises(ApiError) as caught:
        read(kind, made)
    assert made.scope[SCOPE_KEY] is caught.value  # which is what the request is answered with
    return caught.value


def form(body, name="image", filename='; filename="me.jpg"'):
    head = f'--XX\r\nContent-Disposition: form-data; name="{name}"{filename}\r\nContent-Type: image/jpeg\r\n\r\n'
    return head.encode() + body + b"\r\n--XX--\r\n"


FORM = "multipart/form-data; boundary=XX"


def test_a_frame_in_json():
    assert read(FrameInput, request(b'{"frame": "da', b'ta:,QQ==", "other": 1}')).frame == "data:,QQ=="


def test_a_frame_whatever_the_content_type_says():
    form_type = "application/x-www-form-urlencoded"  # what curl -d says
    assert read(FrameInput, request(b'{"frame": "QQ=="}', content_type=form_type)).frame == "QQ=="


@pytest.mark.parametrize(
    ("body", "code", "words"),
    [
        (b"", "not_json", '{"frame":'),
        (b"{", "not_json", "not JSON"),
        (b"\xff\xfe", "not_json", "not JSON"),
        (b'{"frame": NaN}', "not_json", "not JSON"),
        (b'"QQ=="', "not_json", "str"),
        (b"[]", "not_json", "list"),
        (b"null", "not_json", "NoneType"),
        (b"{}", "missing_frame", '"frame" is missing'),
        (b'{"frame": null}', "missing_frame", '"frame" is missing'),
        (b'{"Frame": "QQ=="}', "missing_frame", '"frame" is missing'),
        (b'{"frame": 7}', "not_base64", "int"),
        (b'{"frame": {"a": 1}}', "not_base64", "dict"),
        (b'{"frame": ["QQ=="]}', "not_base64", "list"),
    ],
)
def test_what_is_no_frame(body, code, words):
    error = refused(FrameInput, request(body))
    assert (error.status, error.code) == (400, code)
    assert words in error.message


def test_deep_json_is_refused_and_does_not_exhaust_the_stack(monkeypatch):
    monkeypatch.setattr(inputs, "ENVELOPE_BYTES", 1_000_000)
    assert refused(FrameInput, request(b"[" * 500_000)).code == "not_json"


def test_a_message_never_holds_the_frame():
    assert "SECRET" not in refused(FrameInput, request(b'{"frame": {"SECRET": "SECRET"}}')).message
    assert "SECRET" not in refused(FrameInput, request(b'{"frame": "SECRET')).message


def test_a_body_announced_as_too_large_is_not_read():
    made = request(b"x", content_length=str(LIMIT * 100))
    assert refused(FrameInput, made).status == 413
    assert made.taken == []


def test_reading_stops_where_a_body_without_a_length_grows_too_large():
    made = request(*[b"x" * 50_000] * 100)
    error = refused(FrameInput, made)
    assert (error.status, error.code) == (413, "too_many_bytes")
    assert len(made.taken) == 2


def test_the_json_of_the_largest_picture_is_within_the_limit():
    assert len(read(FrameInput, request(b'{"frame": "' + b"A" * (LIMIT * 4 // 3) + b'"}')).frame) == LIMIT * 4 // 3


@pytest.mark.parametrize("chunk", [1, 7, 100_000])
def test_an_upload(chunk):
    body = form(b"\x00\r\n--picture\xff" * 50)
    parts = [body[start : start + chunk] for start in range(0, len(body), chunk)]
    assert read(ImageInput, request(*parts, content_type=FORM)).image == b"\x00\r\n--picture\xff" * 50


@pytest.mark.parametrize("content_type", ["image/jpeg", "image/png", "application/octet-stream", "IMAGE/WebP; q=1"])
def test_a_picture_as_the_body(content_type):
    assert read(ImageInput, request(b"pic", b"ture", content_type=content_type)).image == b"picture"


@pytest.mark.parametrize(
    ("body", "content_type", "status", "code"),
    [
        (form(b"x", name="photo"), FORM, 400, "missing_frame"),
        (form(b"x", filename=""), FORM, 400, "missing_frame"),
        (form(b"x").removesuffix(b"--XX--\r\n") + form(b"y"), FORM, 400, "bad_form"),
        (b"--XX\r\nnonsense", FORM, 400, "missing_frame"),
        (b"nonsense", FORM, 400, "bad_form"),
        (form(b"x"), "multipart/form-data", 400, "bad_form"),
        (b"", FORM, 400, "missing_frame"),
        (b'{"frame": "QQ=="}', "application/json", 415, "unsupported_media_type"),
        (b"x", "", 415, "unsupported_media_type"),
        (b"x" * 70_000, "image/jpeg", 413, "too_many_bytes"),
        (form(b"x" * 70_000), FORM, 413, "too_many_bytes"),
    ],
)
def test_what_is_no_upload(body, content_type, status, code):
    error = refused(ImageInput, request(body, content_type=content_type))
    assert (error.status, error.code) == (status, code)


def test_a_url_or_path_in_the_place_of_a_file_is_not_opened(monkeypatch):
    monkeypatch.setattr("socket.socket.connect", lambda *_: pytest.fail("connected"))
    for sent in (b"http://127.0.0.1:1/secret", b"file:///etc/passwd", b"/etc/passwd"):
        assert refused(ImageInput, request(form(sent, filename=""), content_type=FORM)).code == "missing_frame"


def test_an_upload_never_touches_the_disk(monkeypatch):
    made = request(form(b"x" * LIMIT * 2), content_type=FORM)
    monkeypatch.setattr("tempfile.SpooledTemporaryFile.rollover", lambda _: pytest.fail("written to disk"))
    assert len(read(ImageInput, made).image) == LIMIT * 2


def test_crops_in_json(monkeypatch):
    sent = [[[0] * 8] * 8, [[255] * 8] * 8]
    assert read(CropsInput, request(str({"faces": sent}).replace("'", '"').encode())).faces.tolist() == sent


def test_no_crops_in_json():
    assert refused(CropsInput, request(b"{}")).code == "bad_crops"


@pytest.mark.parametrize(
    ("faces", "words"),
    [
        (None, "NoneType"),
        ("text", "str"),
        (7, "int"),
        ([], "shape (0,)"),
        ([[0] * 64] * 64, "shape (64, 64)"),
        ([[[[0] * 8] * 8] * 8], "shape (1, 8, 8, 8)"),
        ([[[0.5] * 8] * 8], "float64"),
        ([[[True] * 8] * 8], "bool"),
        ([[["a"] * 8] * 8], "<U1"),
        ([[[None] * 8] * 8], "object"),
        ([[[256] * 8] * 8], "0 to 255"),
        ([[[-1] * 8] * 8], "-1"),
        ([[[2**70] * 8] * 8], "object"),
        ([[[0] * 8] * 7 + [[0] * 7]], "differ in length"),
        ([[[0] * 7] * 8], "shape (1, 8, 7)"),
        ([[[0] * 1025] * 8], "shape (1, 8, 1025)"),
        ([[[0] * 8] * 8] * 257, "N from 1 to 256"),
    ],
)
def test_what_is_no_crops(faces, words):
    with pytest.raises(ApiError) as caught:
        crops(faces)
    assert (caught.value.status, caught.value.code) == (400, "bad_crops")
    assert words in caught.value.message


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=30,
)


@given(json_values)
def test_any_json_is_crops_or_an_error(value):
    try:
        assert crops(value).dtype == np.uint8
    except ApiError as error:
        assert error.status == 400  # noqa: PT017


@given(st.binary(max_size=300))
def test_any_body_is_a_frame_or_an_error(body):
    try:
        assert isinstance(read(FrameInput, request(body)).frame, str)
    except ApiError as error:
        assert error.status == 400  # noqa: PT017
