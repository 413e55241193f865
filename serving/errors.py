"""The one form of every error answer: ``{"error": {"code": ..., "message": ...}}``."""

from __future__ import annotations

import logging
from http import HTTPStatus
from typing import TYPE_CHECKING

from bentoml.exceptions import BentoMLException
from starlette.responses import JSONResponse

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

#: Where the scope of a request keeps the error that it is to be answered with.
SCOPE_KEY = "serving.error"

RETRY_AFTER_SECONDS = 1

CODES = {
    400: ("bad_request", "The request could not be read."),
    404: ("not_found", "There is no such route; /docs.json lists them."),
    405: ("method_not_allowed", "This route does not take this method; /docs.json says which it takes."),
    413: ("too_large", "The request is too large."),
    415: ("unsupported_media_type", "The body's content type is not taken here; expected JSON."),
    429: ("overloaded", "More requests are under way than can be served; try again in a moment."),
    503: ("overloaded", "More requests are under way than can be served; try again in a moment."),
    504: ("timeout", "The request was not answered in time."),
}
INTERNAL = ("internal_error", "The service failed at this request; its log says more.")


class ApiError(BentoMLException):
    """A request that is answered with an error.

    Args:
        status: the HTTP status, 4xx or 5xx.
        code: a short name for programs.
        message: a sentence for people: what was wrong, what was expected. Never any piece of the frame.
    """

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.error_code = HTTPStatus(status)
        self.status, self.code, self.message = status, code, message

    @classmethod
    def of_status(cls, status: int) -> ApiError:
        """Make the error that answers a status that came without one."""
        return cls(status, *CODES.get(status, INTERNAL if status >= 500 else CODES[400]))


class ErrorResponse(JSONResponse):
    """An error's answer, which the middleware below leaves as it is."""

    def __init__(self, error: ApiError) -> None:
        headers = {"Retry-After": str(RETRY_AFTER_SECONDS)} if error.status in {429, 503} else None
        super().__init__({"error": {"code": error.code, "message": error.message}}, error.status, headers)
        self._error = error

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, and say in the scope that this is the answer."""
        scope[SCOPE_KEY] = None
        await super().__call__(scope, receive, send)


class ErrorAnswers:
    """ASGI middleware: whatever answers with an error, the body has the one form.

    An :class:`ApiError` that was put into the scope answers for itself; any other error (no such route, BentoML's own)
    is answered with what its status means.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one connection."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        replaced = False

        async def send_in_form(message: Message) -> None:
            nonlocal replaced
            if message["type"] == "http.response.start" and message["status"] >= 400:
                error = scope.get(SCOPE_KEY, ApiError.of_status(message["status"]))
                if error is not None:
                    replaced = True
                    await ErrorResponse(error)(scope, receive, send)
                    return
            if not replaced:
                await send(message)

        await self._app(scope, receive, send_in_form)


class NoClientTracebacks(logging.Filter):
    """Logging filter: a request that was wrong is the client's business and leaves no traceback in our log."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Drop the records that BentoML writes for an :class:`ApiError`."""
        return not (record.exc_info and isinstance(record.exc_info[1], ApiError))


logging.getLogger("bentoml._internal.server.http_app").addFilter(NoClientTracebacks())
