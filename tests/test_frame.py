"""preprocessing.frame: a picture file is decoded right, or refused with a reason."""

import base64
import io
import struct
import zlib

import cv2
import numpy as np
import pytest
import skimage.data
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import ExifTags, Image, ImageOps

from preprocessing import frame as frame_module
from preprocessing.frame import Frame, decode
from preprocessing.frame_errors import (
    FrameError,
    FrameLimits,
    MissingFrame,
    NoPixels,
    NotAnImage,
    TooManyBytes,
    TooManyPixels,
)

ASTRONAUT = Image.fromarray(skimage.data.astronaut())
SMALL = ASTRONAUT.resize((96, 64))
ORIENTATIONS = range(1, 9)


def encode(picture: Image.Image, form: str, orientation: int | None = None, **options) -> bytes:
    if orientation is not None:
        options["exif"] = Image.Exif()
        options["exif"][ExifTags.Base.Orientation] = orientation
    buffer = io.BytesIO()
    picture.save(buffer, form, **options)
    return buffer.getvalue()


def bgr(picture: Image.Image) -> np.ndarray:
    return np.asarray(picture.convert("RGB"))[..., ::-1]


def gap(a: np.ndarray, b: np.ndarray) -> int:
    assert a.shape == b.shape
    return int(np.abs(a.astype(int) - b.astype(int)).max())


def on_white(picture: Image.Image) -> Image.Image:
    layer = picture.convert("RGBA")
    white = Image.new("RGBA", picture.size, "white")
    return Image.alpha_composite(white, layer).convert("RGB")


def check_invariants(frame: Frame) -> None:
    assert frame.image.dtype == np.uint8
    assert frame.image.ndim == 3
    assert frame.image.shape[2] == 3
    assert frame.image.flags.c_contiguous
    assert frame.width >= frame.image.shape[1]
    assert frame.height >= frame.image.shape[0]


def ramp(mode: str) -> Image.Image:
    """SMALL with an alpha that runs from 0 to 255."""
    picture = SMALL.convert(mode)
    alpha = np.broadcast_to(np.linspace(0, 255, SMALL.width).astype(np.uint8), (SMALL.height, SMALL.width))
    picture.putalpha(Image.fromarray(np.ascontiguousarray(alpha)))
    return picture


def palette() -> Image.Image:
    picture = SMALL.quantize(32)
    picture.info["transparency"] = 3
    return picture


def wide_16_bit(channels: int) -> np.ndarray:
    values = np.random.default_rng(0).integers(0, 65536, (40, 60, channels), dtype=np.uint16)
    values[0, 0], values[0, 1], values[0, 2] = 0, 65535, 300
    return values


# ---------------------------------------------------------------- formats


@pytest.mark.parametrize(
    ("data", "expected", "tolerance"),
    [
        pytest.param(encode(SMALL, "JPEG"), None, 0, id="jpeg"),
        pytest.param(encode(SMALL, "JPEG", progressive=True), None, 0, id="jpeg-progressive"),
        pytest.param(encode(SMALL.convert("L"), "JPEG"), None, 0, id="jpeg-gray"),
        pytest.param(encode(SMALL.convert("CMYK"), "JPEG", quality=95), None, 2, id="jpeg-cmyk"),
        pytest.param(encode(SMALL, "JPEG", keep_rgb=True), None, 0, id="jpeg-rgb"),
        pytest.param(encode(SMALL, "MPO", save_all=True, append_images=[ASTRONAUT]), None, 0, id="mpo"),
        pytest.param(encode(SMALL, "PNG"), SMALL, 0, id="png"),
        pytest.param(encode(SMALL.convert("L"), "PNG"), SMALL.convert("L"), 0, id="png-gray"),
        pytest.param(encode(SMALL.convert("1"), "PNG"), SMALL.convert("1"), 0, id="png-1-bit"),
        pytest.param(encode(ramp("RGB"), "PNG"), on_white(ramp("RGB")), 1, id="png-rgba"),
        pytest.param(encode(ramp("L"), "PNG"), on_white(ramp("L")), 1, id="png-la"),
        pytest.param(encode(SMALL.quantize(16), "PNG"), SMALL.quantize(16), 0, id="png-palette"),
        pytest.param(encode(palette(), "PNG"), on_white(palette()), 0, id="png-palette-transparent"),
        pytest.param(encode(SMALL, "WEBP", lossless=True), SMALL, 0, id="webp-lossless"),
        pytest.param(encode(SMALL, "WEBP"), None, 0, id="webp"),
        pytest.param(encode(ramp("RGB"), "WEBP", lossless=True, exact=True), on_white(ramp("RGB")), 1, id="webp-rgba"),
        pytest.param(encode(SMALL, "BMP"), SMALL, 0, id="bmp"),
        pytest.param(encode(SMALL.convert("L"), "BMP"), SMALL.convert("L"), 0, id="bmp-gray"),
        pytest.param(encode(SMALL.convert("1"), "BMP"), SMALL.convert("1"), 0, id="bmp-1-bit"),
        pytest.param(encode(SMALL.quantize(16), "GIF"), SMALL.quantize(16), 0, id="gif"),
        pytest.param(encode(palette(), "GIF", transparency=3), on_white(palette()), 0, id="gif-transparent"),
    ],
)
def test_every_format_gives_the_colours_it_shows(data, expected, tolerance):
    frame = decode(data)
    check_invariants(frame)
    assert (frame.width, frame.height) == SMALL.size
    assert frame.scale == (1.0, 1.0)
    assert gap(frame.image, bgr(expected or Image.open(io.BytesIO(data)))) <= tolerance


def test_ycck_jpeg_has_the_colours_that_pillow_gives():
    cmyk = cv2.resize(np.random.default_rng(0).integers(0, 256, (8, 8, 4), np.uint8), (96, 64))
    data = bytearray(encode(Image.fromarray(cmyk, "CMYK"), "JPEG", quality=100, subsampling=0))
    data[data.index(b"Adobe") + 11] = 2  # the transform flag: YCCK
    assert gap(decode(bytes(data)).image, bgr(Image.open(io.BytesIO(data)))) <= 3


@pytest.mark.parametrize("channels", [1, 3])
def test_16_bits_are_scaled_and_not_clipped(channels):
    values = wide_16_bit(channels)
    data = cv2.imencode(".png", values)[1].tobytes()
    expected = np.broadcast_to(np.round(values / 257), (40, 60, 3))
    image = decode(data).image
    assert gap(image, expected) <= 1
    assert image[0, 0].tolist() == [0, 0, 0]
    assert image[0, 1].tolist() == [255, 255, 255]


def test_16_bit_alpha_is_laid_on_white():
    values = wide_16_bit(4)
    data = cv2.imencode(".png", values)[1].tobytes()
    alpha = values[..., 3:] / 65535
    assert gap(decode(data).image, values[..., :3] / 257 * alpha + 255 * (1 - alpha)) <= 2


@pytest.mark.parametrize("form", ["GIF", "WEBP", "PNG"])
def test_of_an_animation_the_first_frame_is_taken(form):
    first, second = Image.new("RGB", (40, 30), (200, 30, 60)), Image.new("RGB", (40, 30), (0, 0, 255))
    frame = decode(encode(first, form, save_all=True, append_images=[second], duration=50))
    assert gap(frame.image, bgr(first)) <= 4


@pytest.mark.parametrize("orientation", ORIENTATIONS)
@pytest.mark.parametrize(("form", "options"), [("JPEG", {}), ("PNG", {}), ("WEBP", {"lossless": True}), ("WEBP", {})])
def test_exif_orientation_is_honoured(form, options, orientation):
    data = encode(SMALL, form, orientation, **options)
    expected = ImageOps.exif_transpose(Image.open(io.BytesIO(data)))
    frame = decode(data)
    check_invariants(frame)
    assert (frame.width, frame.height) == expected.size
    assert gap(frame.image, bgr(expected)) == 0


@pytest.mark.parametrize("orientation", ORIENTATIONS)
def test_exif_orientation_is_honoured_in_a_reduced_decode(orientation):
    data = encode(ASTRONAUT.resize((1999, 1001)), "JPEG", orientation, quality=90)
    expected = ImageOps.exif_transpose(Image.open(io.BytesIO(data)))
    frame = decode(data)
    check_invariants(frame)
    assert (frame.width, frame.height) == expected.size
    assert sorted(frame.image.shape[:2]) == [501, 1000]
    shrunk = expected.resize(frame.image.shape[1::-1], Image.Resampling.BOX)
    assert np.abs(frame.image.astype(int) - bgr(shrunk)).mean() < 4


@pytest.mark.filterwarnings("ignore:Corrupt EXIF data:UserWarning")
@pytest.mark.parametrize(
    "exif", [b"Exif\0\0garbage", b"Exif\0\0II*\0\xff\xff\xff\xff", b"Exif\0\0MM\0*\0\0\0\x08\0\x09"]
)
@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP"])
def test_broken_exif_data_does_not_spoil_the_picture(form, exif):
    frame = decode(encode(SMALL, form, exif=exif))
    assert (frame.width, frame.height) == SMALL.size


# ---------------------------------------------------------------- reduced decode


@pytest.mark.parametrize(
    ("size", "reduction"),
    [
        ((640, 480), 1),
        ((1919, 1080), 1),
        ((1920, 1080), 2),
        ((1080, 1920), 2),
        ((3839, 21), 2),
        ((3840, 2160), 4),
        ((7680, 300), 8),
        ((20000, 10), 8),
    ],
)
def test_a_big_jpeg_is_reduced_as_far_as_its_long_side_allows(size, reduction):
    frame = decode(encode(Image.new("RGB", size, (10, 200, 30)), "JPEG"))
    check_invariants(frame)
    assert (frame.width, frame.height) == size
    assert frame.image.shape == (-(-size[1] // reduction), -(-size[0] // reduction), 3)
    assert frame.scale == (size[0] / frame.image.shape[1], size[1] / frame.image.shape[0])


def test_min_side_sets_where_reduction_stops():
    data = encode(ASTRONAUT, "JPEG")
    assert decode(data, min_side=256).image.shape == (256, 256, 3)
    assert decode(data, min_side=257).image.shape == (512, 512, 3)


def test_a_webcam_jpeg_goes_through_cv2_alone(monkeypatch):
    def forbidden(*_):
        raise AssertionError("Pillow decoded")

    data = encode(ASTRONAUT.resize((640, 480)), "JPEG")
    expected = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    monkeypatch.setattr(Image.Image, "load", forbidden)
    monkeypatch.setattr(cv2, "imdecode", lambda *_: expected)
    assert decode(data).image is expected


# ---------------------------------------------------------------- what is refused


def png(width: int, height: int) -> bytes:
    """A whole black PNG of one bit a pixel, some KB long."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    packer = zlib.compressobj(6)
    row = bytes(1 + (width + 7) // 8)
    body = b"".join(packer.compress(row) for _ in range(height)) + packer.flush()
    header = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", body) + chunk(b"IEND", b"")


@pytest.fixture
def no_decoding(monkeypatch):
    def forbidden(*_args, **_options):
        pytest.fail("something was decoded")

    for owner, name in [(cv2, "imdecode"), (Image.Image, "load"), (Image.Image, "convert"), (base64, "b64decode")]:
        monkeypatch.setattr(owner, name, forbidden)


@pytest.mark.usefixtures("no_decoding")
@pytest.mark.parametrize(
    ("width", "height"),
    [
        pytest.param(6000, 5000, id="over-our-limit"),
        pytest.param(10000, 9000, id="pillow-warns"),
        pytest.param(30000, 30000, id="pillow-refuses"),
    ],
)
def test_too_many_pixels_are_refused_before_decoding(width, height):
    data = png(width, height)
    assert len(data) < 200_000
    with pytest.raises(TooManyPixels, match="at most 25000000 pixels") as caught:
        decode(data)
    assert caught.value.code == "too_many_pixels"


@pytest.mark.usefixtures("no_decoding")
@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP", "BMP", "GIF"])
def test_the_pixel_limit_holds_for_every_format(form, monkeypatch):
    monkeypatch.undo()
    data = encode(SMALL, form)
    assert decode(data, FrameLimits(max_pixels=96 * 64)).width == 96
    monkeypatch.setattr(frame_module, "_decode_jpeg", lambda *_: pytest.fail("decoded"))
    monkeypatch.setattr(frame_module, "_decode_other", lambda *_: pytest.fail("decoded"))
    with pytest.raises(TooManyPixels):
        decode(data, FrameLimits(max_pixels=96 * 64 - 1))


@pytest.mark.usefixtures("no_decoding")
def test_too_many_bytes_are_refused_before_decoding():
    data = b"\xff\xd8" + bytes(1000)
    with pytest.raises(TooManyBytes, match="at most 1001 bytes"):
        decode(data, FrameLimits(max_bytes=1001))


@pytest.mark.parametrize(
    "data",
    [
        b"hello",
        b"\0" * 100,
        b"<svg xmlns='http://www.w3.org/2000/svg'/>",
        b"%PDF-1.4",
        b"\xff\xd8\xff",
        b"\x89PNG\r\n\x1a\n",
        b"GIF89a",
        b"BM",
        b"RIFF\0\0\0\0WEBPVP8 ",
        encode(SMALL, "TIFF"),
        encode(SMALL, "PPM"),
        encode(SMALL, "ICO"),
        encode(SMALL, "TGA"),
    ],
)
def test_what_is_no_picture_of_a_known_format_is_refused(data):
    with pytest.raises(NotAnImage) as caught:
        decode(data)
    assert caught.value.code == "not_an_image"


def test_a_jpeg_of_countless_scans_is_refused_before_decoding(monkeypatch):
    plain = encode(Image.new("RGB", (2500, 2000), (9, 99, 200)), "JPEG", progressive=True)
    assert decode(plain).width == 2500
    last_scan = plain[plain.rindex(b"\xff\xc4") : -2]
    monkeypatch.setattr(cv2, "imdecode", lambda *_: pytest.fail("decoded"))
    with pytest.raises(NotAnImage, match="more scans"):
        decode(plain[:-2] + last_scan * 1000 + b"\xff\xd9")


def test_an_empty_file_is_a_missing_frame():
    with pytest.raises(MissingFrame):
        decode(b"")


@pytest.mark.parametrize(
    ("form", "at", "zero"),
    [("PNG", 16, bytes(4)), ("PNG", 20, bytes(4)), ("BMP", 18, bytes(4)), ("BMP", 22, bytes(4))],
)
def test_a_header_without_pixels_is_named_so(form, at, zero):
    data = bytearray(encode(SMALL, form))
    data[at : at + len(zero)] = zero
    with pytest.raises(NoPixels) as caught:
        decode(bytes(data))
    assert caught.value.code == "no_pixels"


@pytest.mark.parametrize("side", [0, 2])
def test_a_jpeg_header_without_pixels_is_named_so(side):
    data = bytearray(encode(SMALL, "JPEG"))
    at = data.index(b"\xff\xc0") + 5 + side
    data[at : at + 2] = bytes(2)
    with pytest.raises(NoPixels):
        decode(bytes(data))


WHOLE = {
    "jpeg": encode(SMALL, "JPEG"),
    "jpeg-progressive": encode(SMALL, "JPEG", progressive=True),
    "jpeg-cmyk": encode(SMALL.convert("CMYK"), "JPEG"),
    "png": encode(SMALL, "PNG"),
    "png-16-bit": cv2.imencode(".png", wide_16_bit(1))[1].tobytes(),
    "webp": encode(SMALL, "WEBP"),
    "webp-lossless": encode(SMALL, "WEBP", lossless=True),
    "gif": encode(SMALL.quantize(64), "GIF"),
    "bmp": encode(SMALL, "BMP"),
}


@pytest.mark.parametrize("name", WHOLE)
def test_a_picture_cut_short_is_refused(name):
    whole = WHOLE[name]
    image = decode(whole).image
    tail = 32  # trailers: past the last pixel a cut may go unnoticed
    cuts = [*range(1, len(whole) - tail, max(1, len(whole) // 150)), *range(len(whole) - tail, len(whole))]
    for cut in cuts:
        try:
            frame = decode(whole[:cut])
        except (NotAnImage, NoPixels):
            continue
        assert cut >= len(whole) - tail, f"cut at {cut} of {len(whole)}"
        assert gap(frame.image, image) == 0


def test_a_big_jpeg_cut_short_is_refused_in_reduced_decode_too():
    whole = encode(ASTRONAUT.resize((2000, 2000)), "JPEG")
    for cut in range(2000, len(whole), len(whole) // 12):
        with pytest.raises(NotAnImage, match="damaged or cut short"):
            decode(whole[:cut])


SIGNATURES = [b"", b"\xff\xd8\xff\xe0", b"\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR", b"GIF89a", b"BM", b"RIFF\x40\0\0\0WEBPVP8X"]
FUZZ_LIMITS = FrameLimits(max_pixels=200_000)


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(SIGNATURES), st.binary(max_size=300))
def test_random_bytes_raise_frame_errors_only(signature, body):
    with pytest.raises(FrameError):
        decode(signature + body, FUZZ_LIMITS)


@settings(max_examples=300, deadline=None)
@given(
    st.sampled_from(sorted(WHOLE)),
    st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255)), min_size=1, max_size=8),
)
def test_damaged_pictures_are_frames_or_frame_errors(name, changes):
    data = bytearray(WHOLE[name])
    for place, value in changes:
        data[int(place**3 * len(data))] = value  # mostly in the header
    try:
        frame = decode(bytes(data), FUZZ_LIMITS)
    except FrameError:
        return
    check_invariants(frame)


def test_messages_hold_nothing_of_the_frame():
    secret = b"SECRETSECRET"
    for data in (secret, WHOLE["jpeg"][:200] + secret, WHOLE["png"][:100] + secret):
        with pytest.raises(FrameError) as caught:
            decode(data)
        assert "SECRET" not in repr(caught.value)
        assert caught.value.__suppress_context__ or caught.value.__cause__ is None
