"""clients.calls: what is tried again, how long after, and what every failure is called."""

import asyncio

import aiohttp
import pytest
import tenacity
from tenacity import RetryCallState

from clients import calls
from clients.calls import error_of, named_errors, retrying
from clients.errors import OutOfTimeError, OverloadedError, RefusedError, ServiceError, UnreachableError

URL = "http://service"


class Fails:
    """Fails with each of these, then succeeds."""

    def __init__(self, *errors):
        self.errors, self.tries = list(errors), 0

    async def __call__(self):
        self.tries += 1
        if self.errors:
            raise self.errors.pop(0)
        return "answer"


def busy(after=None):
    return OverloadedError(503, "overloaded", "busy", after)


@pytest.fixture
def slept(monkeypatch):
    """How long was waited, without waiting."""
    seconds = []

    async def sleep(wait):
        seconds.append(wait)

    monkeypatch.setattr(calls.AsyncRetrying, "__init__", _with_sleep(sleep))
    return seconds


def _with_sleep(sleep):
    init = tenacity.AsyncRetrying.__init__

    def wrapped(self, **options):
        init(self, sleep=sleep, **options)

    return wrapped


@pytest.mark.parametrize("error", [busy(), busy(1.0), UnreachableError("gone")])
async def test_what_may_pass_is_tried_again(slept, error):
    fails = Fails(error, error)
    assert await retrying(4)(fails) == "answer"
    assert (fails.tries, len(slept)) == (3, 2)


@pytest.mark.parametrize(
    "error",
    [RefusedError(400, "x", "wrong"), ServiceError(500, "x", "failed"), OutOfTimeError("late"), busy(31.0), OSError()],
)
async def test_what_will_not_pass_is_not(slept, error):
    fails = Fails(error)
    with pytest.raises(type(error)):
        await retrying(4)(fails)
    assert (fails.tries, slept) == (1, [])


async def test_the_last_error_is_raised_when_all_tries_are_used(slept):
    fails = Fails(*[busy()] * 9)
    with pytest.raises(OverloadedError, match="busy"):
        await retrying(4)(fails)
    assert fails.tries == 5


async def test_waits_grow_and_are_never_shorter_than_what_was_asked_for(slept):
    await retrying(6)(Fails(*[busy()] * 6))
    assert slept[:4] == sorted(slept[:4])
    assert slept[0] < 0.5
    assert max(slept) <= 5.5
    slept.clear()
    await retrying(2)(Fails(busy(3.0), busy(0.0)))
    assert slept[0] >= 3.0
    assert slept[1] < 3.0


def test_waits_of_many_clients_are_spread():
    state = RetryCallState(retrying(3), None, (), {})
    assert len({calls._wait(state) for _ in range(50)}) > 40


@pytest.mark.parametrize(
    ("raised", "named"),
    [
        (asyncio.TimeoutError(), OutOfTimeError),
        (aiohttp.ServerTimeoutError(), OutOfTimeError),
        (aiohttp.ServerDisconnectedError(), UnreachableError),
        (aiohttp.ClientPayloadError("cut"), UnreachableError),
        (ConnectionResetError("Cannot write"), UnreachableError),
        (aiohttp.InvalidURL("x"), ServiceError),
        (aiohttp.ClientError("garbled"), ServiceError),
        (aiohttp.WSServerHandshakeError(None, (), status=404), RefusedError),
        (aiohttp.WSServerHandshakeError(None, (), status=503, headers={"Retry-After": "2"}), OverloadedError),
    ],
)
async def test_every_failure_has_our_name_and_the_url(raised, named):
    with pytest.raises(named, match=URL) as caught:
        async with named_errors(URL):
            raise raised
    assert type(caught.value) is named
    assert caught.value.__cause__ is raised


async def test_what_is_not_the_networks_stays_what_it_is():
    with pytest.raises(FileNotFoundError):
        async with named_errors(URL):
            raise FileNotFoundError


@pytest.mark.parametrize(
    ("status", "kind"),
    [(400, RefusedError), (413, RefusedError), (429, OverloadedError), (500, ServiceError), (503, OverloadedError)],
)
def test_the_services_words_are_kept(status, kind):
    error = error_of(status, {}, b'{"error": {"code": "c", "message": "m"}}', URL)
    assert type(error) is kind
    assert (error.status, error.code, error.message) == (status, "c", "m")


@pytest.mark.parametrize(
    "body", [b"", b"<html>", b"[]", b'{"error": "text"}', b'{"error": {"code": 1}}', b"\xff", b'{"detail": "x"}']
)
def test_where_it_gave_none_there_is_a_sentence(body):
    error = error_of(502, {}, body, URL)
    assert (error.code, str(error)) == ("http_error", "http://service answered with the HTTP status 502.")


@pytest.mark.parametrize(
    ("value", "seconds"),
    [("2", 2.0), ("0", 0.0), ("soon", None), ("-1", None), ("Wed, 21 Oct 2026 07:28:00 GMT", None)],
)
def test_retry_after(value, seconds):
    assert error_of(503, {"Retry-After": value}, b"", URL).retry_after == seconds
    assert error_of(503, {}, b"", URL).retry_after is None
