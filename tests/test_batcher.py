"""Batches form by themselves, nobody waits for company, and nobody gets another's answer."""

import asyncio
import random
import threading
from contextlib import suppress

import numpy as np
import pytest

from resemotenet.batcher import Batcher, QueueFullError

PATIENCE = 10  # seconds until a test that would hang fails


class Engine:
    """Answers each crop with the number in it; blocks while it is held.

    Attributes:
        batches: the numbers of each call.
        overlapped: whether two calls ever ran at once.
    """

    def __init__(self, held=False):
        self.batches, self.overlapped, self.threads = [], False, set()
        self._free = threading.Event()
        self._entered = threading.Semaphore(0)
        self._inside = threading.Lock()
        if not held:
            self._free.set()

    def __call__(self, crops):
        if not self._inside.acquire(blocking=False):
            self.overlapped = True
            raise RuntimeError("two calls at once")
        try:
            self.threads.add(threading.current_thread())
            self.batches.append(numbers(crops))
            self._entered.release()
            assert self._free.wait(PATIENCE)
            return self.answer(crops)
        finally:
            self._inside.release()

    def answer(self, crops):
        return crops.view(np.uint32)[:, 0, :1].astype(np.float32)

    def release(self):
        self._free.set()

    async def entered(self):
        """Wait until a call has begun."""
        assert await asyncio.to_thread(self._entered.acquire, timeout=PATIENCE)


def crops(*values):
    """(N, 2, 4) uint8 crops, each with its number in its bytes."""
    return np.array([[value, value + 1] for value in values], np.uint32).reshape(-1, 2, 1).view(np.uint8)


def numbers(crops):
    return crops.view(np.uint32)[:, 0, 0].tolist()


def values(rows):
    return [row.values.tolist() for row in rows]


async def settle():
    """Let everything run that can run without waiting for the engine."""
    for _ in range(10):
        await asyncio.sleep(0)


@pytest.fixture
async def start():
    """Make a batcher; all of them are closed afterwards, their engines released."""
    made = []

    def start(engine, max_batch=8, max_queue=64):
        made.append((Batcher(engine, max_batch, max_queue), engine))
        return made[-1][0]

    yield start
    for batcher, engine in made:
        if isinstance(engine, Engine):
            engine.release()
        await asyncio.wait_for(batcher.close(), PATIENCE)
        if isinstance(engine, Engine):
            assert not engine.overlapped


@pytest.fixture
async def busy(start):
    """A batcher whose engine is held in a call, and what to await for that call's answer."""
    engine = Engine(held=True)
    batcher = start(engine)
    first = asyncio.create_task(batcher.submit(crops(0)))
    await engine.entered()
    yield batcher, engine, first
    engine.release()
    with suppress(asyncio.CancelledError):
        await first


def submit_all(batcher, *groups):
    return [asyncio.create_task(batcher.submit(crops(*group))) for group in groups]


async def test_a_lone_item_starts_at_once_and_alone(start):
    engine = Engine(held=True)
    task = asyncio.create_task(start(engine).submit(crops(7)))
    await engine.entered()  # though nobody else has come
    assert engine.batches == [[7]]
    engine.release()
    assert values(await task) == [[7]]


async def test_what_queues_while_the_engine_is_busy_is_the_next_batch(busy):
    batcher, engine, first = busy
    tasks = submit_all(batcher, [1], [2], [3])
    await settle()
    assert len(batcher) == 3
    engine.release()
    assert [values(rows) for rows in await asyncio.gather(first, *tasks)] == [[[0]], [[1]], [[2]], [[3]]]
    assert engine.batches == [[0], [1, 2, 3]]
    assert len(batcher) == 0


async def test_no_batch_is_larger_than_the_maximum_and_the_order_is_kept(busy):
    batcher, engine, _ = busy
    tasks = submit_all(batcher, *([i] for i in range(1, 21)))
    await settle()
    engine.release()
    assert [values(rows) for rows in await asyncio.gather(*tasks)] == [[[i]] for i in range(1, 21)]
    assert engine.batches == [[0], [*range(1, 9)], [*range(9, 17)], [*range(17, 21)]]


async def test_several_crops_of_one_caller_are_answered_in_order_across_batches(busy):
    batcher, engine, _ = busy
    tasks = submit_all(batcher, range(1, 6), range(6, 26), [26])
    await settle()
    engine.release()
    assert [values(rows) for rows in await asyncio.gather(*tasks)] == [
        [[i] for i in range(1, 6)],
        [[i] for i in range(6, 26)],
        [[26]],
    ]
    assert [len(batch) for batch in engine.batches] == [1, 8, 8, 8, 2]


async def test_no_crops_are_answered_with_no_rows(start):
    engine = Engine()
    assert await start(engine).submit(crops()[:0]) == []
    assert engine.batches == []


async def test_200_callers_at_once_each_get_their_own_answers(start):
    dice = random.Random(0)

    def engine(crops):
        if not lock.acquire(blocking=False):
            overlapped.append(True)
        try:
            threading.Event().wait(dice.random() / 1000)
            sizes.append(len(crops))
            return crops.reshape(len(crops), -1).astype(np.float32)
        finally:
            lock.release()

    sizes, overlapped, lock = [], [], threading.Lock()
    batcher = start(engine, max_batch=16, max_queue=10_000)
    pictures = [
        np.random.default_rng(i).integers(0, 256, (1 + i % 4, 6, 6), dtype=np.uint8)  # up to four faces
        for i in range(200)
    ]

    async def caller(picture, delay):
        await asyncio.sleep(delay)
        return await batcher.submit(picture)

    delays = [dice.random() / 20 for _ in pictures]
    answers = await asyncio.gather(*(caller(*args) for args in zip(pictures, delays, strict=True)))
    for picture, rows in zip(pictures, answers, strict=True):
        np.testing.assert_array_equal([row.values for row in rows], picture.reshape(len(picture), -1))
    assert sum(sizes) == sum(map(len, pictures))
    assert 1 < max(sizes) <= 16
    assert not overlapped


class BadCropError(Exception):
    """What the engine says of a batch that holds number 13."""


class Picky(Engine):
    def answer(self, crops):
        if 13 in numbers(crops):
            raise BadCropError
        return super().answer(crops)


@pytest.mark.parametrize("place", [0, 1, 3])
async def test_a_failing_item_leaves_its_neighbours_alone(start, place):
    engine = Picky(held=True)
    batcher = start(engine)
    first = asyncio.create_task(batcher.submit(crops(0)))
    await engine.entered()
    wanted = [1, 2, 3]
    wanted.insert(place, 13)
    tasks = submit_all(batcher, *([i] for i in wanted))
    await settle()
    engine.release()
    answers = await asyncio.gather(first, *tasks, return_exceptions=True)
    for number, answer in zip([0, *wanted], answers, strict=True):
        if number == 13:
            assert isinstance(answer, BadCropError)
        else:
            assert values(answer) == [[number]]
    assert engine.batches == [[0], wanted, *([i] for i in wanted)]


async def test_a_lone_failing_item_is_not_run_twice(start):
    engine = Picky()
    batcher = start(engine)
    with pytest.raises(BadCropError):
        await batcher.submit(crops(13))
    assert engine.batches == [[13]]
    assert values(await batcher.submit(crops(1))) == [[1]]


async def test_a_caller_with_one_bad_crop_of_several_gets_the_error_and_leaves(start):
    engine = Picky(held=True)
    batcher = start(engine, max_batch=2)
    bad = asyncio.create_task(batcher.submit(crops(13, *range(20, 30))))
    good = asyncio.create_task(batcher.submit(crops(1, 2)))
    await engine.entered()
    engine.release()
    with pytest.raises(BadCropError):
        await bad
    assert values(await good) == [[1], [2]]
    assert not {25, 26, 27, 28, 29} & {number for batch in engine.batches for number in batch}
    assert len(batcher) == 0


async def test_several_bad_crops_leave_no_exception_unheard(start):
    unheard = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: unheard.append(context))
    batcher = start(Picky())
    results = await asyncio.gather(*submit_all(batcher, [13, 13, 1, 13], [13, 13]), return_exceptions=True)
    assert [type(result) for result in results] == [BadCropError, BadCropError]
    await settle()
    assert unheard == []


async def test_an_engine_that_fails_once_still_answers_everyone(busy):
    batcher, engine, _ = busy
    failures = [RuntimeError("once")]

    def answer(crops):
        if failures and len(crops) > 1:
            raise failures.pop()
        return Engine.answer(engine, crops)

    engine.answer = answer
    tasks = submit_all(batcher, [1], [2], [3])
    await settle()
    engine.release()
    assert [values(rows) for rows in await asyncio.gather(*tasks)] == [[[1]], [[2]], [[3]]]
    assert failures == []


@pytest.mark.parametrize(
    "wrong", [lambda rows: rows[:-1], lambda rows: np.concatenate([rows, rows]), lambda rows: None]
)
async def test_an_engine_that_gives_another_number_of_rows_hangs_nobody(start, wrong):
    def engine(crops):
        rows = crops.astype(np.float32)
        return wrong(rows) if len(crops) > 1 or crops[0, 0, 0] == 13 else rows

    batcher = start(engine)
    tasks = submit_all(batcher, [1], [13], [2])
    answers = await asyncio.wait_for(asyncio.gather(*tasks, return_exceptions=True), PATIENCE)
    assert isinstance(answers[1], (ValueError, TypeError))
    assert [rows[0].values[0, 0] for rows in (answers[0], answers[2])] == [1, 2]


async def test_crops_of_different_shapes_do_not_spoil_each_other(start):
    batcher = start(lambda crops: crops.reshape(len(crops), -1)[:, :1].astype(np.float32))
    shapes = [(1, 4, 4), (1, 6, 6), (1, 4, 4)]
    tasks = [asyncio.create_task(batcher.submit(np.full(shape, i, np.uint8))) for i, shape in enumerate(shapes)]
    assert [values(rows) for rows in await asyncio.gather(*tasks)] == [[[0]], [[1]], [[2]]]


async def test_cancelled_callers_leave_the_queue(busy):
    batcher, engine, first = busy
    tasks = submit_all(batcher, [1], [2, 3], [4])
    await settle()
    assert len(batcher) == 4
    tasks[1].cancel()
    await settle()
    assert len(batcher) == 2
    engine.release()
    assert [values(rows) for rows in await asyncio.gather(first, tasks[0], tasks[2])] == [[[0]], [[1]], [[4]]]
    assert engine.batches == [[0], [1, 4]]
    assert tasks[1].cancelled()


async def test_the_engine_never_sees_a_crop_whose_caller_was_cancelled_in_the_same_moment(start):
    """The engine comes free before the cancelled caller has had its turn to leave the queue."""
    engine = Engine()
    batcher = start(engine)
    released, tasks = asyncio.Event(), []
    loop = asyncio.get_running_loop()

    async def answer(batch):
        engine.batches.append([numbers(item.crop[None])[0] for item in batch])
        if len(engine.batches) == 1:
            await released.wait()
        for item in batch:
            if not item.future.done():
                item.future.set_result(None)

    batcher._answer = answer
    tasks += submit_all(batcher, [0], [1], [2])
    batcher.max_batch = 1
    await settle()
    assert engine.batches == [[0]]
    loop.call_soon(released.set)
    loop.call_soon(tasks[1].cancel)
    await asyncio.gather(*tasks, return_exceptions=True)
    assert engine.batches == [[0], [2]]


async def test_everyone_cancelled_leaves_an_idle_batcher_that_works_again(busy):
    batcher, engine, first = busy
    tasks = submit_all(batcher, [1], [2, 3])
    await settle()
    for task in (first, *tasks):
        task.cancel()
    await settle()
    assert len(batcher) == 0
    engine.release()
    assert values(await batcher.submit(crops(9))) == [[9]]
    assert engine.batches == [[0], [9]]


async def test_a_caller_cancelled_while_its_item_runs_leaves_the_others_their_answers(start):
    engine = Engine(held=True)
    batcher = start(engine)
    tasks = submit_all(batcher, [1], [2], [3, 4])
    await engine.entered()
    assert engine.batches == [[1, 2, 3, 4]]
    tasks[1].cancel()
    await settle()
    assert tasks[1].cancelled()
    later = asyncio.create_task(batcher.submit(crops(5)))
    await settle()
    engine.release()
    assert values(await tasks[0]) == [[1]]
    assert values(await tasks[2]) == [[3], [4]]
    assert values(await later) == [[5]]
    assert engine.batches == [[1, 2, 3, 4], [5]]


async def test_a_caller_cancelled_while_its_failing_batch_runs_is_not_run_again(start):
    engine = Picky(held=True)
    batcher = start(engine)
    tasks = submit_all(batcher, [1], [2], [13])
    await engine.entered()
    tasks[1].cancel()
    await settle()
    engine.release()
    assert values(await tasks[0]) == [[1]]
    with pytest.raises(BadCropError):
        await tasks[2]
    assert engine.batches == [[1, 2, 13], [1], [13]]


async def test_a_caller_with_a_time_limit_leaves_when_it_is_over(busy):
    batcher, engine, _ = busy
    with pytest.raises(asyncio.TimeoutError):
        await asyncio.wait_for(batcher.submit(crops(1, 2)), 0.01)
    assert len(batcher) == 0
    engine.release()
    assert values(await batcher.submit(crops(3))) == [[3]]
    assert engine.batches == [[0], [3]]


async def test_a_full_queue_answers_at_once_and_takes_nothing(start):
    engine = Engine(held=True)
    batcher = start(engine, max_queue=3)
    first = asyncio.create_task(batcher.submit(crops(0)))
    await engine.entered()
    tasks = submit_all(batcher, [1], [2], [3])
    await settle()
    with pytest.raises(QueueFullError, match="3 items wait, of at most 3"):
        await batcher.submit(crops(4, 5))
    assert len(batcher) == 3
    tasks[0].cancel()
    await settle()
    there_is_room = asyncio.create_task(batcher.submit(crops(6)))
    await settle()
    engine.release()
    assert [values(rows) for rows in await asyncio.gather(first, *tasks[1:], there_is_room)] == [
        [[0]],
        [[2]],
        [[3]],
        [[6]],
    ]
    assert engine.batches == [[0], [2, 3, 6]]


async def test_the_items_in_the_engine_do_not_count_as_waiting(start):
    engine = Engine(held=True)
    batcher = start(engine, max_queue=1)
    first = asyncio.create_task(batcher.submit(crops(*range(5))))
    await engine.entered()
    second = asyncio.create_task(batcher.submit(crops(5)))
    await settle()
    with pytest.raises(QueueFullError):
        await batcher.submit(crops(6))
    engine.release()
    assert len(await first) == 5
    assert values(await second) == [[5]]


async def test_a_batcher_that_went_idle_works_again(start):
    engine = Engine()
    batcher = start(engine)
    for i in range(5):
        assert values(await batcher.submit(crops(i))) == [[i]]
        await settle()
    assert engine.batches == [[0], [1], [2], [3], [4]]
    assert len(engine.threads) == 1
    assert threading.current_thread() not in engine.threads


async def test_the_event_loop_stays_free_while_the_engine_runs(busy):
    _, _, first = busy
    await settle()  # would not come back, were the engine called on the loop
    assert not first.done()


async def test_close_finishes_the_queue_and_frees_the_thread():
    engine = Engine(held=True)
    batcher = Batcher(engine, 2, 64)
    tasks = submit_all(batcher, [1], [2], [3], [4], [5])
    await engine.entered()
    closing = asyncio.create_task(batcher.close())
    await settle()
    assert not closing.done()
    engine.release()
    await asyncio.wait_for(closing, PATIENCE)
    assert [values(task.result()) for task in tasks] == [[[1]], [[2]], [[3]], [[4]], [[5]]]
    assert not any(thread.is_alive() for thread in engine.threads)


async def test_closing_what_never_ran_and_closing_twice_do_nothing():
    batcher = Batcher(Engine(), 2, 64)
    await batcher.close()
    await batcher.close()
    with pytest.raises(RuntimeError):
        await asyncio.wait_for(batcher.submit(crops(1)), PATIENCE)


async def test_rows_say_how_long_they_waited_and_ran(busy):
    batcher, engine, first = busy
    clock = asyncio.get_running_loop().time
    began = clock()
    task = asyncio.create_task(batcher.submit(crops(1)))
    await asyncio.sleep(0.05)  # time itself is what is measured
    engine.release()
    (before,), (row,) = await asyncio.gather(first, task)
    whole = clock() - began
    assert 0 <= before.queued < before.ran
    assert before.ran >= 0.045
    assert 0.045 <= row.queued <= whole
    assert 0 <= row.ran <= whole
    assert row.queued + row.ran <= whole + 0.005
