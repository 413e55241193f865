"""serving.errors: one form for every error answer, and no traceback for a client's mistake."""

import logging

import pytest
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse, StreamingResponse
from starlette.routing import Route
from starlette.testclient import TestClient

from serving.errors import SCOPE_KEY, ApiError, ErrorAnswers, ErrorResponse


async def fine(_):
    return PlainTextResponse("fine", headers={"X-Kept": "yes"})


async def raised(_):
    return ErrorResponse(ApiError(400, "bad_thing", "A thing is bad; expected a good one."))


async def recorded(request):
    request.scope[SCOPE_KEY] = ApiError(413, "too_many_bytes", "Too many.")
    return PlainTextResponse("whatever BentoML says", 400)


async def foreign(request):
    return PlainTextResponse("secret detail", int(request.path_params["status"]))


async def streamed(_):
    async def body():
        for part in ("secret", "detail"):
            yield part

    return StreamingResponse(body(), 500)


routes = [
    Route("/fine", fine),
    Route("/raised", raised),
    Route("/recorded", recorded),
    Route("/foreign/{status}", foreign),
    Route("/streamed", streamed),
]
client = TestClient(ErrorAnswers(Starlette(routes=routes)))


def test_a_good_answer_passes_untouched():
    answer = client.get("/fine")
    assert (answer.status_code, answer.text, answer.headers["X-Kept"]) == (200, "fine", "yes")


def test_an_error_of_ours_passes_untouched():
    answer = client.get("/raised")
    assert answer.status_code == 400
    assert answer.json() == {"error": {"code": "bad_thing", "message": "A thing is bad; expected a good one."}}


def test_an_error_left_in_the_scope_answers_for_itself():
    answer = client.get("/recorded")
    assert answer.status_code == 413
    assert answer.json() == {"error": {"code": "too_many_bytes", "message": "Too many."}}


@pytest.mark.parametrize("status", [400, 401, 404, 405, 413, 415, 422, 429, 500, 502, 503, 504])
def test_any_other_error_takes_the_form(status):
    answer = client.get(f"/foreign/{status}")
    assert answer.status_code == status
    error = answer.json()["error"]
    assert error.keys() == {"code", "message"}
    assert error["message"].endswith(".")
    assert "secret" not in answer.text
    assert ("Retry-After" in answer.headers) == (status in {429, 503})


def test_a_streamed_error_is_replaced_whole():
    assert client.get("/streamed").json()["error"]["code"] == "internal_error"


def test_no_such_route_and_no_such_method():
    assert client.get("/nowhere").json()["error"]["code"] == "not_found"
    assert client.post("/fine").json()["error"]["code"] == "method_not_allowed"


@pytest.mark.parametrize(("error", "logged"), [(ApiError(400, "x", "y"), False), (ValueError("a bug"), True)])
def test_only_our_own_failures_are_logged(error, logged, caplog):
    logger = logging.getLogger("bentoml._internal.server.http_app")
    with caplog.at_level(logging.ERROR, logger.name):
        try:
            raise error
        except Exception:
            logger.exception("Exception on %s [%s]", "/predict", "POST")
    assert bool(caplog.records) == logged
