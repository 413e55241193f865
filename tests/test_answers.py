"""serving.answers: an analysis of a frame -> what the client gets."""

import json

import numpy as np
import pytest

from preprocessing.faces import Box, Face
from serving import answers
from serving.pipeline import Analysis, Timings
from serving.schemas import Prediction

LABELS = ("angry", "happy", "sad")
TIMINGS = Timings(decode=0.001, detect=0.002, queue=0.0004, infer=0.003)


def analysis(*rows, confidence=0.9012):
    faces = [Face(Box(10.04, 20.06, 30, 40), confidence, Box(5, 15, 40, 40)) for _ in rows]
    return Analysis(faces, np.array(rows, np.float32).reshape(-1, len(LABELS)), TIMINGS)


def test_without_a_face_everything_is_null():
    body = json.loads(answers.response(analysis(), LABELS, "m:1").body)
    assert body == {"emotion": None, "probabilities": None, "face": None, "faces": [], "model": "m:1"}


def test_the_largest_face_comes_first_and_at_the_top():
    body = json.loads(answers.response(analysis([0.1, 0.7, 0.2], [0.5, 0.2, 0.3]), LABELS, "m:1").body)
    assert body["emotion"] == "happy"
    assert list(body["probabilities"]) == list(LABELS)
    assert body["probabilities"] == pytest.approx({"angry": 0.1, "happy": 0.7, "sad": 0.2})
    assert body["face"] == {"box": {"x": 10.0, "y": 20.1, "width": 30, "height": 40}, "confidence": 0.9}
    assert [face["emotion"] for face in body["faces"]] == ["happy", "angry"]
    assert body["faces"][0] == {**body["face"], "emotion": body["emotion"], "probabilities": body["probabilities"]}


def test_a_detector_without_confidence_gives_null():
    assert answers.prediction(analysis([1, 0, 0], confidence=None), LABELS, "m:1").face.confidence is None


def test_rounded_probabilities_still_sum_to_1():
    rows = np.random.default_rng(0).dirichlet([0.3] * len(LABELS), 500)
    for row in rows.astype(np.float32):
        assert sum(answers.named(row, LABELS).values()) == pytest.approx(1, abs=2e-6)


def test_server_timing_is_in_milliseconds():
    header = answers.response(analysis(), LABELS, "m:1").headers["Server-Timing"]
    assert header == "decode;dur=1.00, detect;dur=2.00, queue;dur=0.40, infer;dur=3.00"


def test_the_answer_fits_its_schema():
    body = answers.response(analysis([0.1, 0.7, 0.2]), LABELS, "m:1").body
    assert Prediction.model_validate_json(body).model_dump_json().encode() == body
