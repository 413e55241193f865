"""An iterator of pictures -> the files that a stream sends."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterable, AsyncIterator, Iterable, Iterator
from typing import TypeAlias

from clients.errors import InputError
from clients.pictures import Picture, encoded
from clients.schemas import Problem

Frames: TypeAlias = Iterable[Picture] | AsyncIterable[Picture]

MAX_MESSAGE_BYTES = 16 * 2**20
"""The service would close the stream at a longer message."""


class FramesError(Exception):
    """The iterator of the frames raised an error, which is `error`."""

    def __init__(self, error: Exception) -> None:
        super().__init__(str(error))
        self.error = error


class Source:
    """The frames of an iterator, taken one by one, and made into files. One that blocks holds up nothing else."""

    def __init__(self, frames: Frames) -> None:
        self._iterator: AsyncIterator[Picture] | Iterator[Picture] = (
            aiter(frames) if isinstance(frames, AsyncIterable) else iter(frames)
        )
        self._taking: asyncio.Task[bytes | Problem | None] | None = None

    async def next(self) -> bytes | Problem | None:
        """Give the next frame, or why it cannot be sent, or None after the last. If cancelled, it is the next again.

        Raises:
            FramesError: The iterator raised an error.
        """
        if self._taking is None:
            self._taking = asyncio.create_task(self._take())
        frame = await asyncio.shield(self._taking)
        self._taking = None
        return frame

    def close(self) -> None:
        """Take no more."""
        if self._taking is not None:
            self._taking.cancel()

    async def _take(self) -> bytes | Problem | None:
        try:
            if isinstance(self._iterator, AsyncIterator):
                picture = await anext(self._iterator, None)
            else:
                picture = await asyncio.to_thread(next, self._iterator, None)
        except Exception as error:
            raise FramesError(error) from error
        return None if picture is None else await asyncio.to_thread(_file, picture)


def _file(picture: Picture) -> bytes | Problem:
    try:
        file = encoded(picture)
    except (InputError, OSError) as error:
        return Problem(code="invalid_input", message=str(error))
    if len(file) <= MAX_MESSAGE_BYTES:
        return file
    return Problem(code="too_many_bytes", message=f"The picture has {len(file):,} bytes; a stream takes 16 MiB.")
