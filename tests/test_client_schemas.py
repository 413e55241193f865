"""clients.schemas: what the service answers, whatever it answers besides."""

import pytest
from pydantic import ValidationError

from clients.schemas import Health, Prediction, StreamPrediction
from serving import schemas as served

FACE = {
    "box": {"x": 1.0, "y": 2.0, "width": 30.0, "height": 40.0},
    "confidence": 0.9,
    "emotion": "happy",
    "probabilities": {"happy": 1.0},
}


def test_every_field_of_ours_is_one_of_the_services():
    for ours, theirs in ((Prediction, served.Prediction), (Health, served.Health)):
        assert set(ours.model_fields) <= set(theirs.model_fields)
    assert set(StreamPrediction.model_fields) - {"problem"} <= set(served.StreamPrediction.model_fields)


def test_what_the_service_sends_is_read():
    sent = served.StreamPrediction(
        emotion="happy",
        probabilities={"happy": 1.0},
        face=served.Face(**{key: FACE[key] for key in ("box", "confidence")}),
        faces=[served.TrackedFace(**FACE, track=3)],
        model="m:1",
        frame=7,
        dropped=2,
    )
    read = StreamPrediction.model_validate_json(sent.model_dump_json())
    assert (read.frame, read.dropped, read.problem, read.faces[0].track) == (7, 2, None, 3)
    assert read.faces[0].box.height == 40


def test_a_frame_that_could_not_be_read_has_a_problem():
    error = served.ErrorDetail(code="not_an_image", message="no picture")
    read = StreamPrediction.model_validate_json(served.StreamError(frame=3, dropped=0, error=error).model_dump_json())
    assert (read.frame, read.problem.code, read.emotion, read.faces) == (3, "not_an_image", None, ())


def test_fields_of_a_newer_service_are_left_out():
    assert Prediction.model_validate({"emotion": None, "probabilities": None, "faces": [], "gaze": 1}).faces == ()


def test_the_replaced_services_answer_is_one():
    read = Prediction.model_validate({"emotion": "sad", "probabilities": {"sad": 1.0}})
    assert (read.emotion, read.faces) == ("sad", ())


def test_what_is_no_answer_is_none():
    with pytest.raises(ValidationError):
        StreamPrediction.model_validate({"emotion": "happy"})
