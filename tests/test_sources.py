"""clients.sources: frames one by one, whatever they come from and however they end."""

import asyncio
import threading

import numpy as np
import pictures
import pytest

from clients.schemas import Problem
from clients.sources import FramesError, Source


async def taken(frames):
    source, files = Source(frames), []
    while (file := await source.next()) is not None:
        files.append(file)
    return files


@pytest.mark.parametrize("kind", [list, tuple, iter, lambda frames: (frame for frame in frames)])
async def test_an_iterable_of_any_kind(kind):
    assert await taken(kind([b"1", b"2"])) == [b"1", b"2"]


async def test_an_async_iterable():
    async def frames():
        yield b"1"
        yield b"2"

    assert await taken(frames()) == [b"1", b"2"]


async def test_pictures_become_files(tmp_path):
    (tmp_path / "a.png").write_bytes(b"file")
    path, image, array = await taken([tmp_path / "a.png", pictures.noise((8, 8)), np.zeros((4, 4, 3), np.uint8)])
    assert path == b"file"
    assert image[:2] == array[:2] == b"\xff\xd8"


async def test_what_cannot_be_sent_is_a_problem_and_the_rest_is_taken(tmp_path):
    missing, wrong, long, good = await taken([tmp_path / "none", np.zeros(3), bytes(17 * 2**20), b"1"])
    assert [missing.code, wrong.code, long.code, good] == ["invalid_input", "invalid_input", "too_many_bytes", b"1"]
    assert all(isinstance(problem, Problem) and problem.message for problem in (missing, wrong, long))


async def test_a_blocking_iterator_holds_up_nothing_and_a_cancelled_wait_loses_nothing():
    release = threading.Event()

    def camera():
        release.wait(10)
        yield b"1"
        yield b"2"

    source = Source(camera())
    waiting = asyncio.ensure_future(source.next())
    await asyncio.sleep(0.05)
    waiting.cancel()
    release.set()
    assert [await source.next(), await source.next(), await source.next()] == [b"1", b"2", None]


async def test_an_error_stays_one():
    def camera():
        yield b"1"
        raise ZeroDivisionError("unplugged")

    source = Source(camera())
    await source.next()
    for _ in range(2):
        with pytest.raises(FramesError, match="unplugged") as caught:
            await source.next()
        assert isinstance(caught.value.error, ZeroDivisionError)


async def test_closing_lets_go_of_an_async_iterator():
    closed = []

    async def camera():
        try:
            yield b"1"
            await asyncio.sleep(60)
            yield b"2"
        finally:
            closed.append(True)

    source = Source(camera())
    await source.next()
    waiting = asyncio.ensure_future(source.next())
    await asyncio.sleep(0.01)
    source.close()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert closed == [True]
