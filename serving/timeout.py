"""A time limit on each request, its body's arrival included."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio

from serving.errors import ApiError, ErrorResponse

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send


class TimeLimit:
    """ASGI middleware: a request that is not answered in ``seconds`` is cancelled and answered 504.

    WebSockets are not limited, nor is an answer that has begun.
    """

    def __init__(self, app: ASGIApp, seconds: float) -> None:
        self._app, self._seconds = app, seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one connection."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        with anyio.move_on_after(self._seconds) as limit:

            async def send_and_stop_the_clock(message: Message) -> None:
                limit.deadline = float("inf")
                await send(message)

            await self._app(scope, receive, send_and_stop_the_clock)
        if limit.cancelled_caught:
            error = ApiError(504, "timeout", f"The request was not answered within {self._seconds:g} seconds.")
            await ErrorResponse(error)(scope, receive, send)
