"""clients.watching: the service reads a camera, and nobody who looks at it waits."""

import asyncio
import itertools
import threading
import time

import pictures
import pytest
from standin import Standin, answers

from clients.camera import Camera
from clients.emotion_client import EmotionClient
from clients.schemas import Face, Problem, StreamPrediction
from clients.watching import Reading, Watching


@pytest.fixture(scope="module")
def video(tmp_path_factory):
    """A face that moves for three seconds."""
    frames = [pictures.frame(100 + x, 60, 200) for x in range(75)]
    return str(pictures.video(tmp_path_factory.mktemp("video") / "face.avi", frames))


@pytest.fixture
def standin():
    """One in a thread of its own: what is tried here blocks."""
    loop, made = asyncio.new_event_loop(), Standin()
    running = made.running()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    asyncio.run_coroutine_threadsafe(running.__aenter__(), loop).result()
    yield made
    asyncio.run_coroutine_threadsafe(running.__aexit__(None, None, None), loop).result()
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    loop.close()


def until(condition, seconds=10):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


def test_a_video_is_read_to_its_end(server, video):
    with (
        Camera(video) as camera,
        EmotionClient(server.url) as client,
        Watching(camera, client, interval=0.1, smoothing=0.5) as watching,
    ):
        until(lambda: watching.reading is not None)
        until(lambda: "1 face." in watching.status)
        until(lambda: watching.over, 20)
        last = watching.reading.prediction
        assert watching.error is None
    assert 5 < last.frame <= 31  # ten a second, for three seconds
    assert [face.track for face in last.faces] == [1]
    assert last.emotion == "happy"


def test_the_camera_goes_on_while_the_service_hangs_and_leaving_takes_no_time(standin, video):
    async def silent(opened):
        async for _ in opened:
            pass

    standin.talks = [silent]
    with (
        Camera(video) as camera,
        EmotionClient(standin.url, timeout=60) as client,
        Watching(camera, client, interval=0.0, smoothing=0.0) as watching,
    ):
        until(lambda: camera.newest.number > 30)
        assert watching.reading is None
        assert watching.status == "Waiting for the service ..."
        start = time.monotonic()
    assert time.monotonic() - start < 3
    assert watching.over


def test_a_service_that_is_gone_is_an_error(standin, video):
    standin.talks = [answers(2, close=1008)]
    with (
        Camera(video) as camera,
        EmotionClient(standin.url) as client,
        Watching(camera, client, interval=0.0, smoothing=0.0) as watching,
    ):
        until(lambda: watching.over)
        assert "1008" in str(watching.error)


# ---------------------------------------------------------------- what is shown, when


def reading(at=0.0, faces=1, **fields):
    face = Face(box={"x": 1, "y": 1, "width": 9, "height": 9}, emotion="happy", probabilities={"happy": 1.0}, track=1)
    return Reading(StreamPrediction(frame=1, faces=(face,) * faces, **fields), time.monotonic() - at, 0.0123)


@pytest.fixture
def watching():
    return Watching(None, None, interval=0.1, smoothing=0.0)


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({}, "1 face. 0 frames/s, 12 ms"),
        ({"faces": 0}, "No face in view."),
        ({"faces": 3}, "3 faces."),
        ({"error": Problem(code="x", message="The frame is not a picture.")}, "The frame is not a picture."),
        ({"at": 2}, "The service does not answer; trying again"),
    ],
)
def test_the_status_is_a_sentence(watching, fields, words):
    assert watching.status == "Waiting for the service ..."
    watching.reading = reading(**fields)
    assert words in watching.status


def test_what_is_old_is_not_shown_as_if_it_were_now(watching):
    watching.reading = reading(at=0.9)
    assert watching.current is watching.reading
    watching.reading = reading(at=1.2)
    assert watching.current is None


def test_the_rate_is_that_of_late(watching):
    assert watching.rate == 0.0
    watching._times.extend(itertools.accumulate([1.0] * 5 + [0.1] * 40))
    assert watching.rate == pytest.approx(10)


def test_each_answer_belongs_to_its_frame_also_when_some_were_dropped(watching):
    watching._taken.extend([10.0, 20.0, 30.0, 40.0])
    assert [watching._when(1), watching._when(3), watching._when(4)] == [10.0, 30.0, 40.0]
