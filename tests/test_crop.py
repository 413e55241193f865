import cv2
import numpy as np
import pytest
import skimage.data
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from torchvision.transforms import v2

from preprocessing.crop import resize, to_input
from preprocessing.faces import Box, Face
from preprocessing.frame import Frame

ASTRONAUT = skimage.data.astronaut()  # (512, 512, 3) RGB
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
TOLERANCE = 2 / 255 + 1e-6


def frame_of(rgb: np.ndarray) -> Frame:
    return Frame(np.ascontiguousarray(rgb[..., ::-1]), rgb.shape[1], rgb.shape[0])


def face_of(x: float, y: float, width: float, height: float) -> Face:
    return Face(Box(0, 0, 1, 1), 0.9, Box(x, y, width, height))


def random_picture(width: int, height: int, seed: int) -> np.ndarray:
    """Noise of a few pixels' grain with full contrast."""
    grain = np.random.default_rng(seed).integers(0, 256, (height // 3 + 1, width // 3 + 1, 3), np.uint8)
    return cv2.resize(grain, (width, height), interpolation=cv2.INTER_NEAREST)


def reference(picture: Image.Image | torch.Tensor, size: int) -> torch.Tensor:
    """What training does: (3, size, size) in 0..1."""
    steps = [v2.Grayscale(num_output_channels=3), v2.Resize((size, size), antialias=True)]
    steps += [v2.ToImage(), v2.ToDtype(torch.float32, scale=True)]
    return v2.Compose(steps)(picture)


def gap(crop: np.ndarray, expected: torch.Tensor) -> float:
    ours = torch.from_numpy(crop).float().div(255).expand(3, -1, -1)
    return float((ours - expected).abs().max())


@settings(max_examples=150, deadline=None)
@given(
    width=st.integers(1, 200),
    height=st.integers(1, 200),
    size=st.sampled_from([48, 64, 7, 112]),
    seed=st.integers(0, 1000),
    data=st.data(),
)
def test_a_crop_is_what_torchvision_makes_of_it(width, height, size, seed, data):
    rgb = random_picture(width + 20, height + 20, seed)
    x, y = data.draw(st.integers(0, 20)), data.draw(st.integers(0, 20))
    crop = to_input(frame_of(rgb), face_of(x, y, width, height), size)
    assert crop.shape == (size, size)
    assert crop.dtype == np.uint8

    cut = np.ascontiguousarray(rgb[y : y + height, x : x + width])
    normalize = v2.Normalize(MEAN, STD)
    ours = normalize(torch.from_numpy(crop).float().div(255).expand(3, -1, -1))
    for picture in (Image.fromarray(cut), torch.from_numpy(cut).permute(2, 0, 1)):
        expected = reference(picture, size)
        assert gap(crop, expected) <= TOLERANCE
        for channel in range(3):
            difference = (ours - normalize(expected))[channel].abs().max()
            assert difference <= TOLERANCE / STD[channel]


@settings(max_examples=60, deadline=None)
@given(
    count=st.integers(1, 3),
    width=st.integers(1, 150),
    height=st.integers(1, 150),
    size=st.sampled_from([48, 64]),
    seed=st.integers(0, 1000),
)
def test_resized_crops_are_what_torchvision_makes_of_them(count, width, height, size, seed):
    crops = np.stack([random_picture(width, height, seed + i)[..., 0] for i in range(count)])
    resized = resize(crops, size)
    assert resized.shape == (count, size, size)
    assert resized.dtype == np.uint8
    for crop, ours in zip(crops, resized, strict=True):
        assert gap(ours, reference(Image.fromarray(crop), size)) <= TOLERANCE
        assert gap(ours, reference(torch.from_numpy(crop.copy())[None].expand(3, -1, -1), size)) <= TOLERANCE


def test_gray_is_made_of_bgr():
    for rgb, level in (((255, 0, 0), 76), ((0, 255, 0), 150), ((0, 0, 255), 29)):
        picture = np.broadcast_to(np.array(rgb, np.uint8), (40, 40, 3))
        crop = to_input(frame_of(picture), face_of(4, 4, 20, 20), 8)
        assert np.all(np.abs(crop.astype(int) - level) <= 1)


@pytest.mark.parametrize(
    ("x", "y", "side"),
    [(-30, 20, 100), (20, -30, 100), (460, 20, 100), (20, 460, 100), (-50, -50, 612), (-40, 440, 120)],
)
def test_what_hangs_over_the_edge_repeats_it(x, y, side):
    pad = 120
    wide = cv2.copyMakeBorder(ASTRONAUT, pad, pad, pad, pad, cv2.BORDER_REPLICATE)
    cut = wide[y + pad : y + pad + side, x + pad : x + pad + side]
    crop = to_input(frame_of(ASTRONAUT), face_of(x, y, side, side), 64)
    assert gap(crop, reference(Image.fromarray(cut), 64)) <= TOLERANCE


@pytest.mark.parametrize(("x", "y"), [(-900, 100), (900, 100), (100, -900), (100, 900), (-900, -900), (900, 900)])
def test_a_square_outside_of_the_frame_shows_its_nearest_edge(x, y):
    crop = to_input(frame_of(ASTRONAUT), face_of(x, y, 50, 50), 48)
    gray = cv2.cvtColor(ASTRONAUT, cv2.COLOR_RGB2GRAY)
    rows = np.arange(y, y + 50).clip(0, 511)
    columns = np.arange(x, x + 50).clip(0, 511)
    expected = Image.fromarray(gray[rows][:, columns]).resize((48, 48), Image.Resampling.BILINEAR)
    assert np.abs(crop.astype(int) - np.asarray(expected)).max() <= 1


@settings(max_examples=200, deadline=None)
@given(
    width=st.integers(1, 40),
    height=st.integers(1, 40),
    x=st.floats(-100, 100),
    y=st.floats(-100, 100),
    side=st.floats(0, 120),
    reduced=st.sampled_from([(1, 1), (2, 2), (4, 4), (1.99, 2.01)]),
)
def test_any_square_of_any_frame_gives_a_crop(*, width, height, x, y, side, reduced):
    image = np.full((height, width, 3), 93, np.uint8)
    frame = Frame(image, round(width * reduced[0]), round(height * reduced[1]))
    crop = to_input(frame, face_of(x, y, side, side), 48)
    assert crop.shape == (48, 48)
    assert np.all(crop == 93)


def test_a_square_under_a_pixel_shows_that_pixel():
    crop = to_input(frame_of(ASTRONAUT), face_of(100.4, 200.4, 0.2, 0.2), 48)
    assert np.ptp(crop) == 0
    assert abs(int(crop[0, 0]) - int(cv2.cvtColor(ASTRONAUT, cv2.COLOR_RGB2GRAY)[200, 100])) <= 1


def test_a_square_between_pixels_lies_between_its_neighbours():
    rgb = np.repeat(np.arange(0, 200, 10, dtype=np.uint8)[None, :, None], 20, axis=0).repeat(3, axis=2)
    left, middle, right = (to_input(frame_of(rgb), face_of(x, 5, 10, 10), 10).astype(int) for x in (5.0, 5.5, 6.0))
    assert np.all(left[:, 1:-1] < middle[:, 1:-1])
    assert np.all(middle[:, 1:-1] < right[:, 1:-1])


@pytest.mark.parametrize("factor", [2, 4])
def test_a_reduced_frame_gives_the_crop_of_the_full_one(factor):
    full = frame_of(cv2.resize(ASTRONAUT, None, fx=factor, fy=factor, interpolation=cv2.INTER_CUBIC))
    reduced = Frame(np.ascontiguousarray(ASTRONAUT[..., ::-1]), full.width, full.height)
    face = face_of(*(factor * value for value in (160, 60, 120, 120)))
    crops = [to_input(frame, face, 64).astype(int) for frame in (full, reduced)]
    assert np.abs(crops[0] - crops[1]).mean() < 2


def test_scale_is_taken_along_each_axis():
    squeezed = np.ascontiguousarray(ASTRONAUT[::2, :, ::-1])
    crop = to_input(Frame(squeezed, 512, 512), face_of(160, 60, 120, 120), 64)
    whole = to_input(frame_of(ASTRONAUT), face_of(160, 60, 120, 120), 64)
    assert np.abs(crop.astype(int) - whole).mean() < 6


def test_the_frame_is_left_as_it_was():
    frame = frame_of(ASTRONAUT)
    before = frame.image.copy()
    to_input(frame, face_of(-10, -10, 100, 100), 64)[:] = 0
    assert np.array_equal(frame.image, before)


def test_crops_of_the_right_size_are_not_copied():
    crops = np.zeros((4, 64, 64), np.uint8)
    assert resize(crops, 64) is crops


def test_no_crops_give_no_crops():
    assert resize(np.zeros((0, 30, 20), np.uint8), 64).shape == (0, 64, 64)


def test_crops_need_not_be_contiguous():
    crops = np.random.default_rng(0).integers(0, 256, (2, 60, 40), np.uint8)
    turned = crops.transpose(0, 2, 1)
    assert np.array_equal(resize(turned, 48), resize(np.ascontiguousarray(turned), 48))


@pytest.mark.parametrize(
    "crops",
    [
        np.zeros((4, 64, 64), np.float32),
        np.zeros((64, 64), np.uint8),
        np.zeros((1, 8, 8, 3), np.uint8),
        np.zeros((2, 0, 8), np.uint8),
        np.zeros((2, 8, 0), np.uint8),
    ],
)
def test_what_is_no_stack_of_crops_is_refused(crops):
    with pytest.raises(ValueError, match=r"expected uint8 of shape \(N, H, W\)"):
        resize(crops, 64)
