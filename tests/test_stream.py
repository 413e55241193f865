"""serving.stream: frames in, a prediction for the newest out, against a started server and a played client."""

import asyncio
import json

import aiohttp
import anyio
import numpy as np
import pictures
import pytest

from serving.errors import ApiError
from serving.pipeline import Analysis, Timings
from serving.stream import Stream, StreamOptions

JPEG = pictures.encoded(pictures.astronaut())
LABELS = ("angry", "frustration", "boredom", "happy", "sad", "surprise", "neutral")


@pytest.fixture
async def connect(server):
    async with aiohttp.ClientSession() as session:
        yield lambda query="": session.ws_connect(f"{server.url}/stream{query}", max_msg_size=0)


async def ask(socket, data):
    await socket.send_bytes(data)
    return await socket.receive_json(timeout=10)


# ---------------------------------------------------------------- against the started server


async def test_each_frame_is_answered_with_its_number(connect, server):
    async with connect() as socket:
        answers = [await ask(socket, JPEG) for _ in range(3)]
    assert [answer["frame"] for answer in answers] == [1, 2, 3]
    assert {answer["dropped"] for answer in answers} == {0}
    plain = server.client.post("/predict_image", files={"image": JPEG}).json()
    for answer in answers:
        assert answer["emotion"] == "happy"
        assert answer["faces"][0].pop("track") is None
        assert {key: answer[key] for key in plain} == plain


async def test_of_frames_that_come_too_fast_the_newest_wins(connect):
    sent = 60
    async with connect() as socket:
        for _ in range(sent):
            await socket.send_bytes(JPEG)
        answers = [await socket.receive_json(timeout=10)]
        while answers[-1]["frame"] < sent:
            answers.append(await socket.receive_json(timeout=10))
    numbers = [answer["frame"] for answer in answers]
    assert numbers == sorted(set(numbers))
    assert len(answers) < sent
    assert len(answers) + answers[-1]["dropped"] == sent
    assert [answer["dropped"] for answer in answers] == sorted(answer["dropped"] for answer in answers)


async def test_a_service_that_waits_reads_the_first_of_frames_that_come_together(connect):
    for _ in range(5):
        async with connect() as socket:
            for data in (JPEG, JPEG):
                await socket.send_bytes(data)
            answers = [await socket.receive_json(timeout=10) for _ in range(2)]
        assert [(answer["frame"], answer["dropped"]) for answer in answers] == [(1, 0), (2, 0)]


@pytest.mark.parametrize(
    ("data", "code"),
    [(b"not a picture", "not_an_image"), (b"", "missing_frame"), (JPEG[:2000], "not_an_image")],
    ids=["text", "empty", "cut"],
)
async def test_a_bad_frame_gets_an_error_and_the_stream_lives_on(connect, data, code):
    async with connect() as socket:
        refused = await ask(socket, data)
        assert (refused["frame"], refused["error"]["code"]) == (1, code)
        assert (await ask(socket, JPEG))["emotion"] == "happy"


async def test_limits_are_those_of_http(connect):
    async with connect() as socket:
        assert (await ask(socket, JPEG + bytes(10 * 2**20)))["error"]["code"] == "too_many_bytes"
        bomb = pictures.encoded(pictures.astronaut().resize((1, 1)).resize((6000, 6000)), "PNG")
        assert (await ask(socket, bomb))["error"]["code"] == "too_many_pixels"
        assert (await ask(socket, JPEG))["frame"] == 3


async def test_a_message_beyond_all_limits_ends_its_stream_alone(connect, server):
    async with connect() as neighbour, connect() as socket:
        await socket.send_bytes(bytes(17 * 2**20))
        assert (await socket.receive(timeout=10)).type in {aiohttp.WSMsgType.CLOSE, aiohttp.WSMsgType.CLOSED}
        assert socket.close_code == 1009
        assert (await ask(neighbour, JPEG))["emotion"] == "happy"
    assert "Traceback" not in server.text()


async def test_text_is_refused_and_the_stream_lives_on(connect):
    async with connect() as socket:
        await socket.send_str(pictures.data_url(pictures.astronaut()))
        assert (await socket.receive_json(timeout=10))["error"]["code"] == "not_binary"
        assert (await ask(socket, JPEG))["frame"] == 2


async def test_a_frame_without_a_face_has_none(connect):
    async with connect("?smoothing=1") as socket:
        answer = await ask(socket, pictures.encoded(pictures.noise()))
        assert (answer["emotion"], answer["faces"]) == (None, [])


@pytest.mark.parametrize("query", ["?track=1", "?track=true&smoothing=0", "?smoothing=0.5"])
async def test_a_face_keeps_its_number(connect, query):
    async with connect(query) as socket:
        for x in (100, 110, 120):
            answer = await ask(socket, pictures.encoded(pictures.frame(x, 60, 200)))
            assert [face["track"] for face in answer["faces"]] == [1]


async def test_smoothing_is_each_streams_own(connect):
    dark = pictures.encoded(pictures.astronaut().point(lambda value: value // 5))
    async with connect("?smoothing=30") as smooth, connect() as plain:
        first = await ask(smooth, JPEG)
        changed, smoothed = await ask(plain, dark), await ask(smooth, dark)
    after, before = (answer["probabilities"]["happy"] for answer in (smoothed, first))
    assert abs(changed["probabilities"]["happy"] - before) > 0.005
    assert after == pytest.approx(before, abs=0.005)
    assert sum(smoothed["probabilities"].values()) == pytest.approx(1, abs=1e-3)


@pytest.mark.parametrize(
    ("query", "name"),
    [
        ("?smoothing=-1", "smoothing"),
        ("?smoothing=61", "smoothing"),
        ("?smoothing=nan", "smoothing"),
        ("?smoothing=fast", "smoothing"),
        ("?track=perhaps", "track"),
        ("?smooth=1", "smooth"),
    ],
)
async def test_a_query_that_does_not_fit_is_said_so(connect, query, name):
    async with connect(query) as socket:
        refused = await socket.receive_json(timeout=10)
        assert refused["error"]["code"] == "bad_query"
        assert repr(name) in refused["error"]["message"]
        assert (await socket.receive(timeout=10)).type is aiohttp.WSMsgType.CLOSE
        assert socket.close_code == 1008


async def test_clients_that_leave_in_the_middle_leave_nothing_behind(connect, server):
    for _ in range(5):
        async with connect() as socket:
            for _ in range(10):
                await socket.send_bytes(JPEG)
    async with connect() as socket:
        assert (await ask(socket, JPEG))["frame"] == 1
    assert "Traceback" not in server.text()


# ---------------------------------------------------------------- with a client that the test plays


class Client:
    """The server's end of a WebSocket."""

    def __init__(self):
        self.incoming, self.sent = asyncio.Queue(), []

    async def receive(self):
        return await self.incoming.get()

    async def send_text(self, text):
        self.sent.append(json.loads(text))

    def frame(self, data=b"jpeg"):
        self.incoming.put_nowait({"type": "websocket.receive", "bytes": data})

    def leave(self):
        self.incoming.put_nowait({"type": "websocket.disconnect", "code": 1000})


def stream(client, analyse, timeout=5.0):
    return asyncio.create_task(
        Stream(client, analyse, StreamOptions(), labels=LABELS, model="m:1", timeout=timeout).run()
    )


async def nothing(_):
    return Analysis([], np.empty((0, 7), np.float32), Timings(0, 0, 0, 0))


async def until(condition):
    with anyio.fail_after(5):
        while not condition():  # noqa: ASYNC110  (it has no event)
            await asyncio.sleep(0.001)


async def test_a_frame_that_takes_too_long_is_given_up_and_the_next_is_read():
    client, slow = Client(), [True]

    async def analyse(data):
        if slow.pop() if slow else False:
            await asyncio.sleep(60)
        return await nothing(data)

    running = stream(client, analyse, timeout=0.05)
    client.frame()
    await until(lambda: client.sent)
    client.frame()
    await until(lambda: len(client.sent) == 2)
    client.leave()
    await running
    assert client.sent[0]["error"]["code"] == "timeout"
    assert client.sent[1]["faces"] == []


async def test_an_overloaded_service_says_so_for_each_frame():
    client = Client()

    async def analyse(_):
        raise ApiError.of_status(503)

    running = stream(client, analyse)
    for number in (1, 2):
        client.frame()
        await until(lambda number=number: len(client.sent) == number)
    client.leave()
    await running
    assert [answer["error"]["code"] for answer in client.sent] == ["overloaded", "overloaded"]


async def test_what_waits_when_the_client_leaves_is_not_read():
    client, gate, read = Client(), asyncio.Event(), []

    async def analyse(data):
        read.append(data)
        await gate.wait()
        return await nothing(data)

    running = stream(client, analyse)
    client.frame(b"1")
    await until(lambda: read)
    client.frame(b"2")
    client.leave()
    await until(client.incoming.empty)
    gate.set()
    await running
    assert read == [b"1"]


async def test_only_the_newest_of_those_that_wait_is_read():
    client, gate, read = Client(), asyncio.Event(), []

    async def analyse(data):
        read.append(data)
        await gate.wait()
        return await nothing(data)

    running = stream(client, analyse)
    client.frame(b"1")
    await until(lambda: read)
    for number in range(2, 100):
        client.frame(b"%d" % number)
    await until(client.incoming.empty)
    gate.set()
    await until(lambda: len(client.sent) == 2)
    client.leave()
    await running
    assert read == [b"1", b"99"]
    assert [(answer["frame"], answer["dropped"]) for answer in client.sent] == [(1, 97), (99, 97)]


async def test_a_failure_that_nobody_foresaw_ends_the_stream():
    client = Client()

    async def analyse(_):
        raise ZeroDivisionError

    running = stream(client, analyse)
    client.frame()
    with pytest.raises(ZeroDivisionError):
        await running
