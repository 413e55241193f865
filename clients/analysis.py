"""Frames in, what the service says of them out: in their order, with several requests under way."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING

from clients.errors import InputError, RefusedError, ServiceError
from clients.records import FrameRecord

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Iterator

    from clients.emotion_client import AsyncEmotionClient
    from clients.footage import Frame

ABOUT_THE_FRAME = {400, 413, 415, 422}
"""Statuses that say what is wrong with one frame; any other would answer the next frame just the same."""


async def analysed(
    client: AsyncEmotionClient, frames: Iterator[Frame], *, model: str | None, in_flight: int
) -> AsyncGenerator[FrameRecord, None]:
    """Send frames, and give what is known of each, in their order.

    Frames are decoded and encoded in threads, and only as many as are under way, and one more.

    Args:
        client: Of the service.
        frames: To send.
        model: The one that answers; an answer of another is an error.
        in_flight: Most requests at a time.

    Raises:
        EmotionError: The service is gone, or fails. A frame that it refuses is no error here: its record says so.
    """
    ahead = asyncio.create_task(asyncio.to_thread(next, frames, None))
    under_way: deque[asyncio.Task[FrameRecord]] = deque()
    try:
        while True:
            while len(under_way) < in_flight and (frame := await ahead) is not None:
                ahead = asyncio.create_task(asyncio.to_thread(next, frames, None))
                under_way.append(asyncio.create_task(_record(client, frame, model)))
            if not under_way:
                return
            yield await under_way[0]
            under_way.popleft()
    finally:
        for task in under_way:
            task.cancel()
        await asyncio.gather(ahead, *under_way, return_exceptions=True)


async def _record(client: AsyncEmotionClient, frame: Frame, model: str | None) -> FrameRecord:
    known = FrameRecord(frame=frame.index, time=frame.time, file=frame.file)
    try:
        prediction = await client.predict(frame.picture)
    except RefusedError as error:
        if error.status not in ABOUT_THE_FRAME:
            raise
        return known.model_copy(update={"error": error.message})
    except (InputError, OSError) as error:
        return known.model_copy(update={"error": getattr(error, "strerror", None) or str(error)})
    if prediction.model != model:
        raise ServiceError(
            200, "other_model", f"{client.url} answers with the model {prediction.model} now, not {model}."
        )
    return known.model_copy(update={"faces": prediction.faces})
