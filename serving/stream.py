"""A WebSocket of frames: pictures in, a prediction for the newest of them out."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from time import perf_counter
from typing import TYPE_CHECKING

import anyio
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.websockets import WebSocketDisconnect

from serving import answers
from serving.errors import ApiError
from serving.schemas import ErrorDetail, StreamError
from tracking.tracks import Tracker

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from starlette.websockets import WebSocket

    from serving.pipeline import Analysis

    Analyse = Callable[[bytes], Awaitable[Analysis]]

POLICY_VIOLATION = 1008  # RFC 6455, 7.4.1


class StreamOptions(BaseModel):
    """The query parameters of a stream."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    smoothing: float = Field(default=0.0, ge=0, le=60, allow_inf_nan=False, description="time constant in seconds")
    track: bool = Field(default=False, description="give each face a number that stays; smoothing does so too")


@dataclass(frozen=True, eq=False)
class _Incoming:
    number: int  # of the frame in its stream, from 1
    data: bytes | None  # None: it was no picture but text
    at: float


class Stream:
    """One client's stream. Of the frames that come while one is read, the newest is read next; others are dropped.

    Args:
        websocket: accepted.
        analyse: finds and reads the faces of a frame.
        options: what the client asked for.
        labels: of the model.
        model: its tag.
        timeout: seconds until a frame is given up.
    """

    def __init__(
        self,
        websocket: WebSocket,
        analyse: Analyse,
        options: StreamOptions,
        *,
        labels: tuple[str, ...],
        model: str,
        timeout: float,
    ) -> None:
        self._websocket, self._analyse, self._timeout = websocket, analyse, timeout
        self._labels, self._model = labels, model
        self._tracker = Tracker(options.smoothing) if options.track or options.smoothing else None
        self._newest: _Incoming | None = None
        self._arrived = asyncio.Event()
        self._dropped = 0
        self._open = True

    async def run(self) -> None:
        """Answer frames until the client leaves."""
        receiving = asyncio.create_task(self._receive())
        try:
            while (frame := await self._next()) is not None:
                await self._websocket.send_text(await self._answer(frame))
        except WebSocketDisconnect:
            pass  # it left while it was being answered
        finally:
            receiving.cancel()

    async def _receive(self) -> None:
        number = 0
        try:
            while (message := await self._websocket.receive())["type"] == "websocket.receive":
                number += 1
                self._dropped += self._newest is not None
                self._newest = _Incoming(number, message.get("bytes"), perf_counter())
                self._arrived.set()
                await asyncio.sleep(0)  # whoever waits for a frame takes this one before the next is looked at
        finally:
            self._open = False
            self._arrived.set()

    async def _next(self) -> _Incoming | None:
        await self._arrived.wait()
        self._arrived.clear()
        frame, self._newest = self._newest, None
        return frame if self._open else None

    async def _answer(self, frame: _Incoming) -> str:
        try:
            if frame.data is None:
                raise ApiError(400, "not_binary", "The message is text; expected a picture file as a binary message.")
            with anyio.fail_after(self._timeout):
                analysis = await self._analyse(frame.data)
        except TimeoutError:
            error = ApiError.of_status(504)
        except ApiError as refused:
            error = refused
        else:
            return self._prediction(frame, analysis)
        detail = ErrorDetail(code=error.code, message=error.message)
        return StreamError(frame=frame.number, dropped=self._dropped, error=detail).model_dump_json()

    def _prediction(self, frame: _Incoming, analysis: Analysis) -> str:
        tracks = None
        if self._tracker is not None:
            boxes = [face.box for face in analysis.faces]
            tracks, smoothed = self._tracker.update(boxes, analysis.probabilities, frame.at)
            analysis = replace(analysis, probabilities=smoothed)
        return answers.stream_prediction(
            analysis, self._labels, self._model, tracks=tracks, frame=frame.number, dropped=self._dropped
        ).model_dump_json()


def options(websocket: WebSocket) -> StreamOptions:
    """Read the query parameters.

    Raises:
        ApiError: 400, with what was wrong.
    """
    try:
        return StreamOptions.model_validate(dict(websocket.query_params))
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        message = f"The query parameter {first['loc'][0]!r} does not fit: {first['msg']}."
        raise ApiError(400, "bad_query", message) from None


async def refuse(websocket: WebSocket, error: ApiError) -> None:
    """Say what was wrong, in a message that browsers can read, and close."""
    detail = ErrorDetail(code=error.code, message=error.message)
    await websocket.send_text(StreamError(frame=0, dropped=0, error=detail).model_dump_json())
    await websocket.close(POLICY_VIOLATION, error.code)
