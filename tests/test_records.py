"""clients.records: faces of a video keep their numbers; images have none."""

from clients.records import FrameRecord, followed
from clients.schemas import Box, Face


def face(x):
    box = Box(x=x, y=0, width=50, height=50)
    return Face(box=box, emotion="happy", probabilities={"happy": 0.9, "sad": 0.1})


def record(frame, time, *xs):
    return FrameRecord(frame=frame, time=time, file="a", faces=tuple(face(x) for x in xs))


def tracks(records):
    return [[face.track for face in record.faces] for record in followed(records)]


def test_faces_are_followed_through_frames_without_any():
    given = [record(0, 0.0, 0, 200), record(1, 0.1), record(2, 0.2, 205, 5), record(3, 2.0, 5)]
    assert tracks(given) == [[1, 2], [], [2, 1], [3]]


def test_images_have_no_numbers_and_stay_as_they_are():
    given = [record(0, None, 0), record(1, None, 0)]
    assert list(followed(given)) == given


def test_probabilities_are_not_smoothed():
    assert [r.faces[0].probabilities for r in followed([record(0, 0.0, 0), record(1, 0.1, 0)])] == [
        {"happy": 0.9, "sad": 0.1}
    ] * 2
