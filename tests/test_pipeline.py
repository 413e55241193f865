"""serving.pipeline: a frame's way, its limits, and what happens when too much is under way."""

import asyncio
import threading

import numpy as np
import pictures
import pytest

from preprocessing.faces import Box, Face
from resemotenet import store
from resemotenet.config import ModelConfig
from resemotenet.engine import Engine
from serving.errors import ApiError
from serving.pipeline import Pipeline
from serving.settings import Settings

CONFIG = ModelConfig(labels=("dark", "light"), input_size=32)


class Brightness(Engine):
    """An engine that answers how light each crop is, and remembers its batches."""

    name, input_size = "brightness", 32

    def __init__(self, gate=None):
        self.batches, self.gate = [], gate

    def logits(self, crops):
        self.batches.append(len(crops))
        if self.gate is not None:
            assert self.gate.wait(10)
        light = crops.reshape(len(crops), -1).mean(axis=1) / 255
        return np.log(np.stack([1 - light, light], axis=1) + 1e-6).astype(np.float32)


class Everywhere:
    """A detector that finds `count` faces, each the whole frame; or fails."""

    name = "everywhere"

    def __init__(self, count=1, error=None):
        self.count, self.error = count, error

    def detect(self, frame):
        if self.error:
            raise self.error
        whole = Box(0, 0, frame.width, frame.height)
        return [Face(whole, 0.9, whole)] * self.count


def make(engine=None, detector=None, **settings):
    return Pipeline(CONFIG, engine or Brightness(), detector or Everywhere(), Settings(**settings))


def gray(level):
    return pictures.encoded(pictures.Image.new("RGB", (64, 64), (level,) * 3), "PNG")


async def test_a_frame_as_bytes_and_as_text():
    pipeline = make()
    url = pictures.data_url(pictures.Image.new("RGB", (64, 64), (204,) * 3), "PNG")
    for sent in (gray(204), url, url.partition(",")[2]):
        analysis = await pipeline.analyse(sent)
        assert analysis.probabilities[0] == pytest.approx([0.2, 0.8], abs=1e-3)
    assert all(seconds >= 0 for seconds in vars(analysis.timings).values())
    assert analysis.timings.decode > 0
    await pipeline.close()


async def test_every_face_of_a_frame_is_read_in_order():
    engine = Brightness()
    pipeline = make(engine, Everywhere(count=5))
    analysis = await pipeline.analyse(gray(100))
    assert analysis.probabilities.shape == (5, 2)
    assert engine.batches == [5]


async def test_a_frame_without_a_face_never_reaches_the_engine():
    engine = Brightness()
    analysis = await make(engine, Everywhere(count=0)).analyse(gray(100))
    assert (analysis.faces, analysis.probabilities.shape, engine.batches) == ([], (0, 2), [])
    assert analysis.timings.infer == 0


@pytest.mark.parametrize(
    ("sent", "status", "code"),
    [
        ("", 400, "missing_frame"),
        (b"", 400, "missing_frame"),
        ("hello!!", 400, "not_base64"),
        ("aGVsbG8=", 400, "not_an_image"),
        (b"hello", 400, "not_an_image"),
        (gray(1)[:-30], 400, "not_an_image"),
        ("data:,", 400, "no_pixels"),
        (b"\x89PNG" + bytes(5000), 413, "too_many_bytes"),
        (pictures.encoded(pictures.Image.new("1", (200, 200)), "PNG"), 413, "too_many_pixels"),
    ],
)
async def test_what_is_no_frame_is_answered_with_its_error(sent, status, code):
    with pytest.raises(ApiError) as caught:
        await make(max_image_bytes=4096, max_image_pixels=10_000).analyse(sent)
    assert (caught.value.status, caught.value.code) == (status, code)


async def test_a_fault_of_ours_is_no_fault_of_the_client():
    with pytest.raises(ZeroDivisionError):
        await make(detector=Everywhere(error=ZeroDivisionError())).analyse(gray(1))


async def test_concurrent_frames_share_batches_and_nobody_gets_another_answer():
    engine = Brightness()
    pipeline = make(engine, max_queue=500)
    levels = np.random.default_rng(0).permutation(200)
    analyses = await asyncio.gather(*(pipeline.analyse(gray(int(level))) for level in levels))
    for level, analysis in zip(levels, analyses, strict=True):
        assert analysis.probabilities[0, 1] == pytest.approx(level / 255, abs=1e-3)
    assert sum(engine.batches) == 200
    assert max(engine.batches) <= Settings().max_batch_size


async def test_a_bad_frame_leaves_its_neighbours_alone():
    pipeline = make()
    sent = [gray(50), b"bad", gray(150), "also bad", gray(250)]
    answers = await asyncio.gather(*map(pipeline.analyse, sent), return_exceptions=True)
    assert [isinstance(answer, ApiError) for answer in answers] == [False, True, False, True, False]


async def test_too_many_frames_are_answered_503_at_once_and_the_rest_are_served():
    gate = threading.Event()
    pipeline = make(Brightness(gate), max_queue=3)
    waiting = [asyncio.ensure_future(pipeline.analyse(gray(9))) for _ in range(3)]
    await asyncio.sleep(0)
    with pytest.raises(ApiError) as caught:
        await pipeline.analyse(gray(9))
    assert (caught.value.status, caught.value.code) == (503, "overloaded")
    gate.set()
    assert len(await asyncio.gather(*waiting)) == 3
    assert len((await pipeline.analyse(gray(9))).faces) == 1  # and then there is room again
    await pipeline.close()


async def test_cancelled_frames_make_room():
    gate = threading.Event()
    pipeline = make(Brightness(gate), max_queue=2)
    waiting = [asyncio.ensure_future(pipeline.analyse(gray(9))) for _ in range(2)]
    await asyncio.sleep(0.05)
    for task in waiting:
        task.cancel()
    await asyncio.gather(*waiting, return_exceptions=True)
    gate.set()
    assert len((await pipeline.analyse(gray(9))).faces) == 1
    await pipeline.close()


async def test_crops_of_clients_are_resized_and_classified():
    pipeline = make()
    crops = await pipeline.to_input(np.full((3, 50, 40), 51, np.uint8))
    assert crops.shape == (3, 32, 32)
    assert await pipeline.classify(crops) == pytest.approx(np.array([[0.8, 0.2]] * 3), abs=1e-3)


@pytest.mark.parametrize(("most", "sizes"), [(3, [1, 2, 3]), (1024, [*range(1, 17), 1024])])
def test_the_usual_batch_sizes_are_warmed_up_and_not_a_thousand(monkeypatch, most, sizes):
    engine = Brightness()
    monkeypatch.setattr("serving.pipeline.create_engine", lambda *_: engine)
    Pipeline.load(store.EMBEDDED, Settings(max_batch_size=most))
    assert sorted(engine.batches) == sizes


async def test_the_embedded_default_reads_a_smile():
    pipeline = Pipeline.load(store.EMBEDDED, Settings())
    analysis = await pipeline.analyse(pictures.data_url(pictures.astronaut()))
    assert len(analysis.faces) == 1
    assert pipeline.config.labels[analysis.probabilities[0].argmax()] == "happy"
    await pipeline.close()
