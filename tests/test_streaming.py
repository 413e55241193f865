"""clients.streaming: frames over a WebSocket that breaks, hangs, drops and garbles."""

import asyncio
import itertools
import json
import threading
import time

import aiohttp
import numpy as np
import pictures
import pytest
from aiohttp import web
from standin import PREDICTION, Standin, answers

from clients.emotion_client import (
    AsyncEmotionClient,
    EmotionClient,
    OutOfTimeError,
    OverloadedError,
    RefusedError,
    ServiceError,
    UnreachableError,
)

FACE = {"box": {"x": 0, "y": 0, "width": 9, "height": 9}, "emotion": "happy", "probabilities": {"happy": 1.0}}


@pytest.fixture
async def standin():
    async with Standin().running() as running:
        yield running


@pytest.fixture
async def client(standin):
    async with AsyncEmotionClient(standin.url, timeout=2.0, retries=2) as opened:
        yield opened


async def all_of(client, frames, **options):
    return [answer async for answer in client.stream(frames, **options)]


def files(count):
    return [b"frame %d" % number for number in range(1, count + 1)]


# ---------------------------------------------------------------- as it should be


async def test_the_options_are_sent(standin, client):
    standin.talks = [answers()]
    await all_of(client, files(1), smoothing=0.5, track=True)
    assert standin.query == {"smoothing": "0.5", "track": "true"}


async def test_no_frames_no_answers(standin, client):
    standin.talks = [answers()]
    assert await all_of(client, []) == []


async def test_frames_may_come_from_an_async_iterator(standin, client):
    standin.talks = [answers()]

    async def frames():
        for frame in files(5):
            await asyncio.sleep(0.001)
            yield frame

    assert [answer.frame for answer in await all_of(client, frames())] == [1, 2, 3, 4, 5]


async def test_two_frames_at_most_are_on_their_way(standin, client):
    """Those of a camera are taken when there is room for them, so that no answer is of an old one."""
    taken, received, gate = [], [], asyncio.Event()

    async def slow(opened):
        async for message in opened:
            received.append(message.data)
            await gate.wait()
            await opened.send_str(json.dumps({**PREDICTION, "frame": len(received), "dropped": 0}))

    standin.talks = [slow]

    def camera():
        for frame in files(10):
            taken.append(frame)
            yield frame

    stream = client.stream(camera())
    first = asyncio.ensure_future(anext(stream))
    await asyncio.sleep(0.2)
    assert len(taken) == 2
    gate.set()
    assert (await first).frame == 1
    await asyncio.sleep(0.2)
    assert len(taken) == 3  # the answer to the second was not taken yet
    assert len([answer async for answer in stream]) == 9
    assert received == files(10)


async def test_a_camera_that_blocks_holds_up_nothing(standin, client):
    standin.talks = [answers()]
    release = threading.Event()

    def camera():
        yield b"1"
        release.wait(10)
        yield b"2"

    stream = client.stream(camera())
    assert (await anext(stream)).frame == 1  # though the second frame is waited for
    release.set()
    assert (await anext(stream)).frame == 2


# ---------------------------------------------------------------- dropped frames


async def test_frames_that_the_service_dropped_are_counted(standin, client):
    async def newest_of_two(opened):
        for number in itertools.count(2, 2):
            await opened.receive()
            if (await opened.receive()).type is not aiohttp.WSMsgType.BINARY:
                return
            await opened.send_str(json.dumps({**PREDICTION, "frame": number, "dropped": number // 2}))

    standin.talks = [newest_of_two]
    given = await all_of(client, files(6))
    assert [(answer.frame, answer.dropped) for answer in given] == [(2, 1), (4, 2), (6, 3)]


# ---------------------------------------------------------------- frames that cannot be sent


async def test_a_frame_that_cannot_be_sent_is_a_problem_and_the_others_are_answered(standin, client, tmp_path):
    standin.talks = [answers()]
    frames = [b"1", tmp_path / "none.jpg", np.zeros((2, 2)), bytes(17 * 2**20), pictures.noise((8, 8))]
    given = await all_of(client, frames)
    assert [answer.frame for answer in given] == [1, 2, 3, 4, 5]
    problems = [answer.problem and answer.problem.code for answer in given]
    assert problems == [None, "invalid_input", "invalid_input", "too_many_bytes", None]
    assert "none.jpg" in given[1].problem.message


async def test_what_the_iterator_raises_is_raised(standin, client):
    standin.talks = [answers()]

    def camera():
        yield b"1"
        raise ZeroDivisionError("unplugged")

    with pytest.raises(ZeroDivisionError, match="unplugged"):
        await all_of(client, camera())


async def test_a_connection_error_of_the_iterator_is_not_taken_for_ours(standin, client):
    standin.talks = [answers()]

    def camera():
        yield b"1"
        raise ConnectionResetError("the camera's")

    with pytest.raises(ConnectionResetError, match="the camera's"):
        await all_of(client, camera())
    assert standin.connections == 1


# ---------------------------------------------------------------- connections that break


@pytest.mark.parametrize("close", [None, 1012, 1001, 1006], ids=["lost", "restart", "away", "abnormal"])
async def test_a_broken_connection_is_made_anew_and_numbers_go_on(standin, client, close):
    talk = answers(3, close if close != 1006 else None, faces=[{**FACE, "track": 2}])
    standin.talks = [talk, talk, answers(faces=[{**FACE, "track": 1}])]
    given = await all_of(client, files(12))
    assert [answer.frame for answer in given] == list(range(1, 13))  # what was on its way is sent again
    assert given[-1].dropped == 0
    tracks = [answer.faces[0].track for answer in given]
    assert tracks[:6] == [2, 2, 2, 4, 4, 4]
    assert set(tracks[6:]) == {5}
    assert standin.connections == 3


async def test_the_frame_that_is_being_taken_when_it_breaks_is_not_lost(standin, client):
    standin.talks = [answers(1, close=1012), answers()]
    release = threading.Event()

    def camera():
        yield b"1"
        release.wait(10)
        yield b"2"

    stream = client.stream(camera())
    assert (await anext(stream)).frame == 1
    asyncio.get_running_loop().call_later(0.3, release.set)
    assert (await anext(stream)).frame == 2


async def test_a_service_that_never_comes_back_is_said(standin, client):
    standin.talks = [answers(2), web.Response(status=503, headers={"Retry-After": "0"})]
    stream = client.stream(files(9))
    assert [(await anext(stream)).frame for _ in range(2)] == [1, 2]
    with pytest.raises(OverloadedError, match="503"):
        await anext(stream)
    assert standin.connections == 1 + 3


async def test_a_service_that_breaks_every_connection_is_given_up(standin, client):
    standin.talks = [answers(0)]
    with pytest.raises(UnreachableError, match="closed the stream"):
        await all_of(client, files(2))
    assert standin.connections == 3


@pytest.mark.parametrize("code", [1008, 1009])
async def test_a_close_that_means_never_is_not_tried_again(standin, client, code):
    standin.talks = [answers(0, close=code)]
    with pytest.raises(RefusedError, match=str(code)):
        await all_of(client, files(2))
    assert standin.connections == 1


# ---------------------------------------------------------------- answers that are none


async def test_a_refused_stream_is_said_in_the_services_words(server):
    async with AsyncEmotionClient(server.url) as client:
        with pytest.raises(RefusedError, match="'smoothing'") as caught:
            await all_of(client, [b"1"], smoothing=-1)
    assert caught.value.code == "bad_query"


@pytest.mark.parametrize("text", ["garbage", "{}", json.dumps({**PREDICTION, "frame": 9})])
async def test_an_answer_that_is_none_ends_the_stream(standin, client, text):
    async def garble(opened):
        await opened.receive()
        await opened.send_str(text)
        await opened.receive()

    standin.talks = [garble]
    with pytest.raises(ServiceError):
        await all_of(client, files(2))
    assert standin.connections == 1


@pytest.mark.parametrize(("status", "kind"), [(404, RefusedError), (500, ServiceError), (200, ServiceError)])
async def test_a_server_without_a_stream(standin, client, status, kind):
    standin.talks = [web.Response(status=status)]
    with pytest.raises(kind):
        await all_of(client, files(2))


async def test_an_answer_that_never_comes_is_given_up(standin):
    async def silent(opened):
        async for _ in opened:
            pass

    standin.talks = [silent]
    async with AsyncEmotionClient(standin.url, timeout=0.3) as client:
        with pytest.raises(OutOfTimeError):
            await all_of(client, files(2))


async def test_a_camera_that_pauses_for_longer_than_the_timeout_ends_nothing(standin):
    standin.talks = [answers()]

    async def frames():
        yield b"1"
        await asyncio.sleep(0.7)
        yield b"2"

    async with AsyncEmotionClient(standin.url, timeout=0.2) as client:
        assert [answer.frame for answer in await all_of(client, frames())] == [1, 2]
    assert standin.connections == 1


# ---------------------------------------------------------------- leaving


async def test_leaving_closes_the_connection_and_leaves_no_task(standin, client):
    standin.talks = [answers()]
    before = asyncio.all_tasks()
    stream = client.stream(itertools.repeat(b"frame"))
    async for answer in stream:
        if answer.frame == 3:
            break
    await stream.aclose()
    await asyncio.sleep(0.05)
    assert not {task for task in asyncio.all_tasks() - before if "clients" in repr(task.get_coro())}


def test_ctrl_c_in_a_sync_stream_leaves_no_thread_waiting(server, monkeypatch):
    """As a signal would, in the middle of waiting for an answer."""
    before = threading.active_count()
    with EmotionClient(server.url) as client:
        waits, wait = itertools.count(), client._wait

        def interrupted(function, *arguments):
            if function.__name__ == "next" and next(waits) == 2:
                raise KeyboardInterrupt
            return wait(function, *arguments)

        monkeypatch.setattr(client, "_wait", interrupted)
        with pytest.raises(KeyboardInterrupt):
            for _ in client.stream(itertools.repeat(pictures.encoded(pictures.noise((64, 64))))):
                pass
    until = time.monotonic() + 5
    while threading.active_count() > before and time.monotonic() < until:
        time.sleep(0.01)
    assert threading.active_count() <= before
