"""serving.timeout: a time limit on each request, its body's arrival included."""

import anyio
import pytest
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse, StreamingResponse
from starlette.routing import Route, WebSocketRoute
from starlette.testclient import TestClient

from serving.timeout import TimeLimit

cancelled = []


async def slow(request):
    try:
        await anyio.sleep(float(request.path_params["seconds"]))
    except anyio.get_cancelled_exc_class():
        cancelled.append(request.url.path)
        raise
    return PlainTextResponse("done")


async def slow_answer(_):
    async def body():
        for _ in range(4):
            yield "part"
            await anyio.sleep(0.1)

    return StreamingResponse(body())


async def socket(websocket):
    await websocket.accept()
    await anyio.sleep(0.4)
    await websocket.send_text("late")


routes = [Route("/slow/{seconds}", slow), Route("/slow_answer", slow_answer), WebSocketRoute("/socket", socket)]
client = TestClient(TimeLimit(Starlette(routes=routes), seconds=0.2))


def test_a_request_in_time_is_answered():
    assert client.get("/slow/0").text == "done"


def test_a_request_out_of_time_is_cancelled_and_answered_504():
    answer = client.get("/slow/30")
    assert answer.status_code == 504
    message = "The request was not answered within 0.2 seconds."
    assert answer.json() == {"error": {"code": "timeout", "message": message}}
    assert cancelled == ["/slow/30"]


def test_an_answer_that_has_begun_is_not_cut():
    assert client.get("/slow_answer").text == "partpartpartpart"


def test_a_websocket_is_not_limited():
    with client.websocket_connect("/socket") as websocket:
        assert websocket.receive_text() == "late"


async def test_a_body_that_never_arrives_is_answered_504():
    sent = []

    async def reads(_scope, receive, _send):
        await receive()

    async def never():
        await anyio.sleep_forever()

    async def send(message):
        sent.append(message)

    with anyio.fail_after(5):
        await TimeLimit(reads, seconds=0.05)({"type": "http"}, never, send)
    assert sent[0]["status"] == 504


async def test_cancellation_from_outside_is_not_a_timeout():
    async def forever(*_):
        await anyio.sleep_forever()

    with anyio.move_on_after(0.05) as scope:
        await TimeLimit(forever, seconds=30)({"type": "http"}, None, None)
        pytest.fail("not reached")
    assert scope.cancelled_caught
