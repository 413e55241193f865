"""A typed client of the emotion service, sync and async.

    with EmotionClient("http://localhost:3000") as client:
        print(client.predict("me.jpg").emotion)

Errors are those of `clients.errors`, all of them an `EmotionError`.
"""

from __future__ import annotations

import asyncio
import io
import os
import time
from concurrent.futures import CancelledError
from contextlib import ExitStack, suppress
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import urlencode, urlsplit

import aiohttp
from anyio.from_thread import start_blocking_portal
from pydantic import BaseModel, ValidationError

from clients.calls import error_of, named_errors, retrying
from clients.errors import (
    ClosedError,
    EmotionError,
    InputError,
    OutOfTimeError,
    OverloadedError,
    RefusedError,
    ServiceError,
    UnreachableError,
)
from clients.pictures import Picture, encoded
from clients.schemas import Box, Face, Health, Prediction, Problem, StreamPrediction
from clients.sources import Frames
from clients.streaming import Stream

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator

    from typing_extensions import Self

__all__ = [
    "AsyncEmotionClient",
    "Box",
    "ClosedError",
    "EmotionClient",
    "EmotionError",
    "Face",
    "Frames",
    "Health",
    "InputError",
    "OutOfTimeError",
    "OverloadedError",
    "Picture",
    "Prediction",
    "Problem",
    "RefusedError",
    "ServiceError",
    "StreamPrediction",
    "UnreachableError",
]

DEFAULT_URL = "http://localhost:3000"

START_SECONDS = 60.0
"""How long a service may take to start."""

POLL_SECONDS = 0.5

T = TypeVar("T")
M = TypeVar("M", bound=BaseModel)


class AsyncEmotionClient:
    """Calls the service from asyncio. May be shared between tasks; close it, or use it as a context manager.

    Args:
        url: Base URL of the service. Left out: $API_URL, or http://localhost:3000.
        api_key: Sent as a bearer token. Left out: $API_KEY, or none.
        timeout: Seconds until an answer is given up.
        retries: How often to try again where the service is busy (429), not ready (503), or the connection broke.

    Raises:
        InputError: The URL is none.
    """

    def __init__(
        self, url: str | None = None, *, api_key: str | None = None, timeout: float = 10.0, retries: int = 4
    ) -> None:
        self.url = _base(url or os.environ.get("API_URL") or DEFAULT_URL)
        self._key = api_key or os.environ.get("API_KEY")
        self._timeout, self._retries = timeout, retries
        self._opened: aiohttp.ClientSession | None = None
        self._streams: set[Stream] = set()
        self._closed = False

    async def predict(self, picture: Picture) -> Prediction:
        """Read the faces of a picture: a path, a file's bytes, a Pillow image, or an array (H, W, 3) uint8 in BGR.

        Raises:
            EmotionError: One of `clients.errors`.
            OSError: The path cannot be read.
        """
        file = picture if isinstance(picture, bytes) else await asyncio.to_thread(encoded, picture)
        return await self._call(Prediction, "POST", "/predict_image", file=file)

    async def health(self) -> Health:
        """Ask what answers, and whether it is ready.

        Raises:
            EmotionError: One of `clients.errors`.
        """
        return await self._call(Health, "GET", "/health", statuses=(200, 503))

    async def ready(self, seconds: float = START_SECONDS) -> Health:
        """Wait until the service is ready, for at most this many seconds.

        Raises:
            EmotionError: One of `clients.errors`; an :class:`OutOfTimeError` where it goes on starting.
        """
        until = time.monotonic() + seconds
        while (health := await self.health()).status != "ok":
            if time.monotonic() > until:
                raise OutOfTimeError(f"{self.url} has been starting for {seconds:.0f} s and is not ready.")
            await asyncio.sleep(POLL_SECONDS)
        return health

    async def stream(
        self, frames: Frames, *, smoothing: float = 0.0, track: bool = False
    ) -> AsyncGenerator[StreamPrediction, None]:
        """Send frames over one WebSocket, and give their answers as they come.

        A frame is taken when the one before the last is answered, so nothing queues up: give it a camera's newest
        frames and no answer is late. A frame that cannot be read has a `problem`, and the stream goes on. A broken
        connection is made anew; what was on its way is then sent again, and faces get new numbers.

        Args:
            frames: Pictures as in `predict`; an iterable or an async one.
            smoothing: Time constant in seconds of the smoothing of each face's probabilities; 0 is none.
            track: Give each face a number that stays with it; smoothing does so too.

        Raises:
            EmotionError: One of `clients.errors`.
        """
        stream = self.open_stream(frames, smoothing, track)
        try:
            while (answer := await stream.next()) is not None:
                yield answer
        finally:
            await self.close_stream(stream)

    def open_stream(self, frames: Frames, smoothing: float, track: bool) -> Stream:
        """Begin a stream whose answers are asked for one by one; `stream` does it for you."""
        query = urlencode({"smoothing": smoothing, "track": str(track).lower()})
        url = f"{self.url}/stream?{query}"
        stream = Stream(self._session(), url, frames, retries=self._retries, timeout=self._timeout)
        self._streams.add(stream)
        return stream

    async def close_stream(self, stream: Stream) -> None:
        """End it."""
        self._streams.discard(stream)
        await stream.close()

    async def close(self) -> None:
        """Close the connections; calls that are under way end with an error."""
        self._closed = True
        for stream in list(self._streams):
            await self.close_stream(stream)
        if self._opened is not None:
            await self._opened.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    def _session(self) -> aiohttp.ClientSession:
        if self._closed:
            raise ClosedError
        if self._opened is None:  # not in __init__: aiohttp wants a running loop
            headers = {"Authorization": f"Bearer {self._key}"} if self._key else None
            timeout = aiohttp.ClientTimeout(total=self._timeout)
            self._opened = aiohttp.ClientSession(headers=headers, timeout=timeout, trust_env=True)
        return self._opened

    async def _call(
        self, schema: type[M], method: str, path: str, *, file: bytes | None = None, statuses: tuple[int, ...] = (200,)
    ) -> M:
        url = f"{self.url}{path}"

        async def once() -> M:
            session = self._session()
            body = None if file is None else io.BytesIO(file)  # aiohttp warns of long bytes
            headers = None if file is None else {"Content-Type": "application/octet-stream"}
            try:
                async with named_errors(url), session.request(method, url, data=body, headers=headers) as response:
                    content = await response.read()
            except Exception:
                if session.closed:  # in the middle of it, which aiohttp says in many ways
                    raise ClosedError from None
                raise
            if response.status in statuses:
                with suppress(ValidationError):
                    return schema.model_validate_json(content)
            if response.status == 200:
                raise ServiceError(200, "not_the_service", f"What answers at {url} is not the service.")
            raise error_of(response.status, response.headers, content, url)

        return await retrying(self._retries)(once)


class EmotionClient:
    """Calls the service from a program without asyncio. May be shared between threads; close it, or use it in `with`.

    Args:
        url: Base URL of the service. Left out: $API_URL, or http://localhost:3000.
        api_key: Sent as a bearer token. Left out: $API_KEY, or none.
        timeout: Seconds until an answer is given up.
        retries: How often to try again where the service is busy (429), not ready (503), or the connection broke.

    Raises:
        InputError: The URL is none.
    """

    def __init__(
        self, url: str | None = None, *, api_key: str | None = None, timeout: float = 10.0, retries: int = 4
    ) -> None:
        self._client = AsyncEmotionClient(url, api_key=api_key, timeout=timeout, retries=retries)
        self.url = self._client.url
        self._open = ExitStack()
        self._portal = self._open.enter_context(start_blocking_portal())
        self._open.callback(self._portal.call, self._portal.stop, True)
        self._open.callback(self._wait, self._client.close)

    def predict(self, picture: Picture) -> Prediction:
        """Read the faces of a picture, as :meth:`AsyncEmotionClient.predict` does."""
        return self._wait(self._client.predict, picture)

    def health(self) -> Health:
        """Ask what answers, and whether it is ready."""
        return self._wait(self._client.health)

    def ready(self, seconds: float = START_SECONDS) -> Health:
        """Wait until the service is ready, for at most this many seconds."""
        return self._wait(self._client.ready, seconds)

    def stream(self, frames: Frames, *, smoothing: float = 0.0, track: bool = False) -> Iterator[StreamPrediction]:
        """Send frames over one WebSocket, as :meth:`AsyncEmotionClient.stream` does."""

        async def start() -> Stream:
            return self._client.open_stream(frames, smoothing, track)

        stream = self._wait(start)
        try:
            while (answer := self._wait(stream.next)) is not None:
                yield answer
        finally:
            with suppress(ClosedError):
                self._wait(self._client.close_stream, stream)

    def close(self) -> None:
        """Close the connections; calls of other threads end with a :class:`ClosedError`."""
        self._open.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _wait(self, function: Callable[..., Awaitable[T]], *arguments: object) -> T:
        try:
            future = self._portal.start_task_soon(function, *arguments)
        except RuntimeError:
            raise ClosedError from None
        try:
            return future.result()
        except CancelledError:
            raise ClosedError from None
        except BaseException:  # Ctrl-C, above all
            future.cancel()
            raise


def _base(url: str) -> str:
    """Check a service's base URL."""
    with suppress(ValueError):  # a bad host or port
        parts = urlsplit(url)
        if parts.scheme in {"http", "https"} and parts.hostname and parts.port != 0:
            return url.rstrip("/")
    raise InputError(f"{url!r} is no URL of a service; expected one like {DEFAULT_URL}.")
