"""One call over HTTP: its errors in our names, and tried again where that can help."""

from __future__ import annotations

import asyncio
import json
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import aiohttp
from tenacity import (
    AsyncRetrying,
    RetryCallState,
    retry_if_exception,
    stop_after_attempt,
    wait_exponential,
    wait_random,
)

from clients.errors import EmotionError, OutOfTimeError, OverloadedError, RefusedError, ServiceError, UnreachableError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

MAX_WAIT_SECONDS = 30.0
"""A service that asks to be left alone for longer than this is not tried again."""

_backoff = wait_exponential(multiplier=0.2, max=5.0) + wait_random(0.0, 0.2)


def retrying(retries: int) -> AsyncRetrying:
    """Try again, this many times, what may go well later: a busy service, one not ready yet, a broken connection."""
    return AsyncRetrying(
        stop=stop_after_attempt(retries + 1), wait=_wait, retry=retry_if_exception(_passing), reraise=True
    )


def _passing(error: BaseException) -> bool:
    if isinstance(error, OverloadedError):
        return error.retry_after is None or error.retry_after <= MAX_WAIT_SECONDS
    return isinstance(error, UnreachableError) and not isinstance(error, OutOfTimeError)


def _wait(state: RetryCallState) -> float:
    """Seconds until the next try: those that the service asked for, if they are more than ours."""
    error = state.outcome.exception() if state.outcome is not None else None
    asked = error.retry_after if isinstance(error, OverloadedError) else None
    return max(_backoff(state), asked or 0.0)


@asynccontextmanager
async def named_errors(url: str) -> AsyncIterator[None]:
    """Raise what aiohttp raises in our names.

    Raises:
        OutOfTimeError: No answer in time.
        UnreachableError: No connection, or it broke.
        ServiceError: What answered does not speak as a service does.
    """
    try:
        yield
    except aiohttp.WSServerHandshakeError as error:
        raise error_of(error.status, error.headers or {}, b"", url) from error
    except asyncio.TimeoutError as error:
        raise OutOfTimeError(f"{url} did not answer in time.") from error
    except (aiohttp.ClientConnectionError, aiohttp.ClientPayloadError, ConnectionError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error) or "connection lost"
        raise UnreachableError(f"{url} was not reached: {reason}.") from error
    except aiohttp.ClientError as error:
        raise ServiceError(0, "not_the_service", f"What answers at {url} is not the service: {error}.") from error


def error_of(status: int, headers: Mapping[str, str], body: bytes, url: str) -> EmotionError:
    """Make the error that an answer with this status is; the service's own words where it gave some."""
    try:
        told: dict[str, Any] = json.loads(body)["error"]
        code, message = str(told["code"]), str(told["message"])
    except (ValueError, TypeError, KeyError):
        code, message = "http_error", f"{url} answered with the HTTP status {status}."
    if status in {429, 503}:
        return OverloadedError(status, code, message, _seconds(headers.get("Retry-After")))
    return RefusedError(status, code, message) if 400 <= status < 500 else ServiceError(status, code, message)


def _seconds(retry_after: str | None) -> float | None:
    """Read the header's number of seconds; its other form, a date, is left to our own backoff."""
    return float(retry_after) if retry_after is not None and retry_after.isdecimal() else None
