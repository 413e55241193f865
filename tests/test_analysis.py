"""clients.analysis: many requests under way, answers in order, and nothing held that need not be."""

import asyncio
import threading

import pytest
from PIL import Image

from clients.analysis import analysed
from clients.errors import InputError, OverloadedError, RefusedError, ServiceError
from clients.footage import Frame
from clients.schemas import Prediction

PICTURE = Image.new("RGB", (8, 8))


class Client:
    """Answers with the frame's number in the model's place of an emotion, later the earlier it was asked."""

    url = "http://service"

    def __init__(self, errors=None, model="m:1"):
        self.errors, self.model, self.under_way, self.most, self.asked = errors or {}, model, 0, 0, 0

    async def predict(self, picture):
        number = self.asked
        self.asked += 1
        self.under_way += 1
        self.most = max(self.most, self.under_way)
        try:
            await asyncio.sleep(0.01 * (number % 3 == 0))
            if number in self.errors:
                raise self.errors[number]
            return Prediction(emotion=str(number), model=self.model)
        finally:
            self.under_way -= 1


class Frames:
    """Counts those that were taken, and in which threads."""

    def __init__(self, count):
        self.count, self.taken, self.threads = count, 0, set()

    def __iter__(self):
        for index in range(self.count):
            self.taken += 1
            self.threads.add(threading.current_thread())
            yield Frame(index, index / 10, "a", PICTURE)


async def records(client, count=20, in_flight=4):
    return [record async for record in analysed(client, iter(Frames(count)), model="m:1", in_flight=in_flight)]


@pytest.mark.parametrize("in_flight", [1, 4, 100])
async def test_answers_come_in_the_frames_order(in_flight):
    client = Client()
    assert [record.frame for record in await records(client, in_flight=in_flight)] == list(range(20))
    assert client.most <= in_flight


async def test_as_many_are_under_way_as_may_be():
    """None is answered before four are asked."""
    all_there = asyncio.Event()

    class Waits(Client):
        async def predict(self, picture):
            if self.asked == 3:
                all_there.set()
            prediction = await super().predict(picture)
            await all_there.wait()
            return prediction

    assert len(await asyncio.wait_for(records(Waits()), 10)) == 20


async def test_no_frames():
    assert await records(Client(), 0) == []


async def test_no_more_frames_are_decoded_than_are_under_way_and_one(monkeypatch):
    frames = Frames(100)
    found = analysed(Client(), iter(frames), model="m:1", in_flight=4)
    async for record in found:
        assert frames.taken <= record.frame + 4 + 2
        await asyncio.sleep(0.002)
    assert threading.main_thread() not in frames.threads


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (RefusedError(400, "not_an_image", "No picture."), "No picture."),
        (RefusedError(413, "too_large", "Too large."), "Too large."),
        (InputError("Cannot be sent."), "Cannot be sent."),
        (FileNotFoundError(2, "No such file or directory", "a.png"), "No such file or directory"),
    ],
)
async def test_a_frame_that_cannot_be_read_is_recorded_and_the_others_go_on(error, words):
    found = await records(Client({7: error}))
    assert [record.error for record in found] == [None] * 7 + [words] + [None] * 12


@pytest.mark.parametrize(
    "error",
    [RefusedError(401, "unauthorized", "x"), OverloadedError(503, "overloaded", "x"), ServiceError(500, "x", "x")],
)
async def test_what_every_frame_would_get_ends_it_with_what_came_before_kept(error):
    client, kept = Client({7: error}), []

    async def keep():
        async for record in analysed(client, iter(Frames(20)), model="m:1", in_flight=4):
            kept.append(record.frame)  # noqa: PERF401  (what came before the error is kept)

    with pytest.raises(type(error)):
        await keep()
    assert kept == list(range(7))
    assert client.under_way == 0


async def test_another_models_answers_are_not_mixed_in():
    with pytest.raises(ServiceError, match="with the model m:2 now, not m:1"):
        await records(Client(model="m:2"))


async def test_leaving_in_the_middle_leaves_nothing_under_way():
    client = Client()
    found = analysed(client, iter(Frames(100)), model="m:1", in_flight=8)
    async for record in found:
        if record.frame == 5:
            break
    await found.aclose()
    assert client.under_way == 0
    assert client.asked < 20
