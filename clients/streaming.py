"""Frames over one WebSocket, as fast as they are answered, through lost connections."""

from __future__ import annotations

import asyncio
from collections import deque
from contextlib import suppress
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

import aiohttp
from pydantic import ValidationError

from clients.calls import named_errors, retrying
from clients.errors import ClosedError, OutOfTimeError, RefusedError, ServiceError, UnreachableError
from clients.schemas import Face, Problem, StreamPrediction
from clients.sources import FramesError, Source

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from clients.sources import Frames

Socket: TypeAlias = "aiohttp.ClientWebSocketResponse[bool]"
IN_FLIGHT = 2
"""Frames whose answers were not taken yet: one that is read, and one on its way."""

HEARTBEAT_SECONDS = 20.0
CLOSED_FOR_GOOD = {1003, 1007, 1008, 1009}  # unsupported or invalid data, policy violation, too big: RFC 6455, 7.4.1


class Stream:
    """The answers to frames, in their order.

    A frame is taken from `frames` only when there is room on the way: where they come from a camera that gives its
    newest, no answer is old. If the connection breaks, it is made anew, what was on its way is sent again, and faces
    get new numbers.

    Args:
        session: Makes the connection.
        url: Of /stream, with its query.
        frames: What to send. An iterator that blocks holds up nothing else.
        retries: How often in a row to try to connect again.
        timeout: Seconds that an answer may take.
    """

    def __init__(
        self, session: aiohttp.ClientSession, url: str, frames: Frames, *, retries: int, timeout: float
    ) -> None:
        self._session, self._url, self._timeout = session, url, timeout
        self._retrying = retrying(retries)
        self._source = Source(frames)
        self._room = asyncio.Semaphore(IN_FLIGHT)
        self._answers: asyncio.Queue[StreamPrediction | Exception | None] = asyncio.Queue()
        self._sent = self._answered = self._tracks = 0  # frames, answers, and the highest number that a face got
        self._on_way: deque[_OnWay] = deque()
        self._all_answered = asyncio.Event()
        self._all_answered.set()
        self._done = False
        self._running = asyncio.create_task(self._run())

    async def next(self) -> StreamPrediction | None:
        """Wait for the next answer; None after the last.

        Raises:
            EmotionError: The service was not reached again, or refused the stream.
            Exception: What the iterator of the frames raised.
        """
        answer = await self._answers.get()
        if isinstance(answer, StreamPrediction):
            self._room.release()
            return answer
        self._answers.put_nowait(answer)  # an end stays one
        if answer is not None:
            raise answer
        return None

    async def close(self) -> None:
        """Leave; who waits for an answer gets a :class:`ClosedError`."""
        self._source.close()
        self._running.cancel()
        with suppress(asyncio.CancelledError):
            await self._running
        self._answers.put_nowait(ClosedError())

    async def _run(self) -> None:
        try:
            while not self._done:
                await self._retrying(self._talk)
            self._answers.put_nowait(None)
        except FramesError as failed:
            self._answers.put_nowait(failed.error)
        except Exception as error:  # noqa: BLE001  (whoever waits for an answer gets it)
            self._answers.put_nowait(error)

    async def _talk(self) -> None:
        """Send and receive over one connection, until all is said or, once there was an answer, the connection breaks.

        Raises:
            UnreachableError: It broke before there was any answer.
        """
        answered = self._answered
        try:
            async with (
                named_errors(self._url),
                self._session.ws_connect(self._url, heartbeat=HEARTBEAT_SECONDS, max_msg_size=0) as socket,
            ):
                await _first(self._send(socket), self._receive(socket))
        except OutOfTimeError:
            raise
        except UnreachableError:
            if self._answered == answered:
                raise

    async def _send(self, socket: Socket) -> None:
        """Send what was on its way when a connection broke, then frames while there are any; wait for the answers."""
        for sent in list(self._on_way):
            await socket.send_bytes(sent.file)
        while (frame := await self._take()) is not None:
            self._sent += 1
            problem = frame if isinstance(frame, Problem) else None
            self._on_way.append(_OnWay(self._sent, b"" if isinstance(frame, Problem) else frame, problem))
            self._all_answered.clear()
            await socket.send_bytes(self._on_way[-1].file)
        await self._all_answered.wait()
        self._done = True

    async def _take(self) -> bytes | Problem | None:
        """Take the next frame from the source when there is room for it."""
        await self._room.acquire()
        try:
            return await self._source.next()
        except BaseException:
            self._room.release()
            raise

    async def _receive(self, socket: Socket) -> None:
        """Take in answers until the connection is closed.

        Raises:
            UnreachableError: Always, in the end.
        """
        before = _Numbers(self._on_way[0].number - 1 if self._on_way else self._sent, self._tracks)
        while True:
            waiting = bool(self._on_way)
            try:
                message = await socket.receive(self._timeout)
            except asyncio.TimeoutError:
                if waiting:
                    raise
                continue
            if message.type is not aiohttp.WSMsgType.TEXT:
                raise self._closed(socket.close_code, message.extra)
            self._answer(self._read(message.data), before)

    def _read(self, text: str) -> StreamPrediction:
        try:
            answer = StreamPrediction.model_validate_json(text)
        except ValidationError as error:
            raise ServiceError(
                0, "not_the_service", f"What answers at {self._url} is not the service: {error}."
            ) from None
        if answer.frame == 0 and answer.problem is not None:
            raise RefusedError(400, answer.problem.code, answer.problem.message)
        return answer

    def _answer(self, answer: StreamPrediction, before: _Numbers) -> None:
        """Pass on an answer, with its frame and its faces numbered on from those of earlier connections."""
        number = before.frame + answer.frame
        while self._on_way and self._on_way[0].number < number:  # a newer one had come
            self._on_way.popleft()
            self._room.release()
        if not self._on_way or self._on_way[0].number != number:
            raise ServiceError(
                0, "not_the_service", f"{self._url} answered the frame {answer.frame}, which it was not sent."
            )
        problem = self._on_way.popleft().problem or answer.problem
        if not self._on_way:
            self._all_answered.set()
        faces = tuple(_renumbered(face, before.track) for face in answer.faces)
        self._tracks = max(self._tracks, *(face.track or 0 for face in faces), 0)
        self._answered += 1
        changes = {"frame": number, "dropped": number - self._answered, "faces": faces, "problem": problem}
        self._answers.put_nowait(answer.model_copy(update=changes))

    def _closed(self, code: int | None, reason: str | None) -> UnreachableError | RefusedError:
        text = f"{self._url} closed the stream ({code or 'no code'}{f', {reason}' if reason else ''})."
        return RefusedError(400, "closed", text) if code in CLOSED_FOR_GOOD else UnreachableError(text)


class _Numbers(NamedTuple):
    """Those of the last frame and of the last face."""

    frame: int
    track: int


class _OnWay(NamedTuple):
    """A frame that was sent and not answered."""

    number: int
    file: bytes
    problem: Problem | None  # why the file is empty


async def _first(*coroutines: Coroutine[Any, Any, None]) -> None:
    """Run them until one ends, and stop the others."""
    tasks = [asyncio.create_task(coroutine) for coroutine in coroutines]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    for task in done:
        task.result()


def _renumbered(face: Face, before: int) -> Face:
    return face if face.track is None else face.model_copy(update={"track": before + face.track})
