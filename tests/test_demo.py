"""serving.demo and clients/browser: the page over HTTP, and in a real Chromium with a camera that plays a file."""

import base64
import io
import json
import math
import re
import shutil

import av
import pictures
import pytest
from playwright.sync_api import expect, sync_playwright
from server import Server
from starlette.applications import Starlette
from starlette.testclient import TestClient

from serving import demo

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
in_chromium = pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed: apt-get install chromium")

FLAGS = [
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
POLICY = "default-src 'self'; img-src 'self' blob: data:; media-src 'self' blob:; connect-src 'self'"
SIZES = {"phone": (360, 740), "laptop": (1280, 800), "projector": (1920, 1080)}

NOTHING = "\N{EN DASH}"
HAPPY = pictures.frame(60, 100, 200)
NEUTRAL = pictures.frame(60, 100, 200, blank=(0.55, 0.2), brightness=0.6)


# ---------------------------------------------------------------- over HTTP


def test_the_page_is_answered_at_its_own_address(server):
    for path in ("/demo", "/demo/", "/demo/index.html"):
        answer = server.client.get(path, follow_redirects=True)
        assert answer.status_code == 200
        assert answer.url.path == "/demo"
        assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
        assert "<h1>" in answer.text
    assert server.client.get("/demo").history == []


@pytest.mark.parametrize("name", sorted(path.name for path in demo.FOLDER.iterdir()))
def test_every_file_of_the_page_has_its_type_and_is_asked_about_each_time(monkeypatch, name):
    monkeypatch.setattr("starlette.responses.guess_type", lambda *_, **__: ("application/x-wrong", None))
    answer = TestClient(Starlette(routes=demo.routes)).get(f"/demo/{name}")
    types = {"css": "text/css", "html": "text/html", "js": "text/javascript", "svg": "image/svg+xml"}
    assert answer.headers["Content-Type"].partition(";")[0] == types[name.partition(".")[2]]
    assert answer.headers["Cache-Control"] == "no-cache"
    assert answer.content == (demo.FOLDER / name).read_bytes()


def test_a_file_that_the_browser_has_is_not_sent_again(server):
    first = server.client.get("/demo/app.js")
    again = server.client.get("/demo/app.js", headers={"If-None-Match": first.headers["ETag"]})
    assert (again.status_code, again.content) == (304, b"")


@pytest.mark.parametrize("path", ["/demo/nothing.js", "/demo/../service.py", "/demo/%2e%2e/emotion_client.py"])
def test_nothing_else_is_there(server, path):
    answer = server.client.get(path)
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "not_found")


# ---------------------------------------------------------------- in a browser


@pytest.fixture(scope="module")
def playwright():
    with sync_playwright() as running:
        yield running


@pytest.fixture(scope="module")
def launch(playwright):
    """Starts a Chromium with more flags, once for the same ones."""
    browsers = {}

    def launched(*flags):
        if flags not in browsers:
            browsers[flags] = playwright.chromium.launch(
                executable_path=CHROMIUM, args=[*FLAGS, *flags], chromium_sandbox=False
            )
        return browsers[flags]

    yield launched
    for browser in browsers.values():
        browser.close()


@pytest.fixture(scope="module")
def camera(tmp_path_factory):
    """Flags of a camera that shows a face which moves, in the left part of its frames."""
    file = tmp_path_factory.mktemp("camera") / "camera.mjpeg"
    spots = [
        (60 + 30 * math.sin(math.tau * step / 90), 100 + 20 * math.cos(math.tau * step / 90)) for step in range(90)
    ]
    file.write_bytes(b"".join(pictures.encoded(pictures.frame(x, y, 200)) for x, y in spots))
    return ("--use-fake-device-for-media-stream", f"--use-file-for-fake-video-capture={file}")


class Visits:
    """Opens the demo, and hears what goes wrong in it."""

    def __init__(self, launch, url):
        self.launch, self.url = launch, url
        self.contexts, self.problems, self.expected = [], [], []

    def open(self, flags, url="/demo", prepare=lambda page: None, permissions=("camera",), **context):
        """Open the page; `prepare` gets it before that."""
        opened = self.launch(*flags).new_context(base_url=self.url, permissions=permissions, **context)
        opened.set_default_timeout(15_000)
        self.contexts.append(opened)
        page = opened.new_page()
        page.on("pageerror", lambda error: self.problems.append(str(error)))
        page.on("console", lambda message: self.problems.append(f"{message.type}: {message.text}"))
        page.on("requestfailed", lambda request: self.problems.append(f"{request.url}: {request.failure}"))
        prepare(page)
        page.goto(url)
        return page

    def close(self):
        for context in self.contexts:
            context.close()
        unforeseen = [problem for problem in self.problems if not any(word in problem for word in self.expected)]
        assert unforeseen == []


@pytest.fixture
def visits(launch, server):
    expect.set_options(timeout=15_000)
    visits = Visits(launch, server.url)
    yield visits
    visits.close()


@pytest.fixture
def visit(visits, camera):
    """Opens the demo where there is a camera."""
    return lambda **options: visits.open(camera, **options)


def button(page, name):
    return page.get_by_role("button", name=name, exact=True)


def says(page, *words):
    for word in words:
        expect(page.get_by_role("status")).to_contain_text(word)


def faces(page):
    return page.get_by_role("list", name="Faces in the frame").get_by_role("listitem")


def share(page, label):
    return int(page.get_by_role("meter", name=label, exact=True).get_attribute("aria-valuenow"))


def until(page, condition):
    for _ in range(750):
        if condition():
            return
        page.wait_for_timeout(20)  # in which the page's events are heard
    pytest.fail("it did not come to pass in 15 s")


def count_sent(page):
    """Let the page count the messages that it sends, in `sent`."""
    page.add_init_script(
        """window.sent = 0;
        WebSocket.prototype.send = new Proxy(WebSocket.prototype.send, {
            apply(send, socket, message) {
                window.sent += 1;
                return Reflect.apply(send, socket, message);
            },
        });"""
    )


def start(page):
    button(page, "Start").click()
    expect(faces(page)).to_have_count(1)


def shown(page, element):
    """The first face's box over an element, as fractions of it, and what the element shows right then."""
    return page.evaluate(
        """(id) => {
            const element = document.getElementById(id);
            const canvas = document.createElement("canvas");
            canvas.width = element.videoWidth || element.naturalWidth;
            canvas.height = element.videoHeight || element.naturalHeight;
            canvas.getContext("2d").drawImage(element, 0, 0);
            const under = element.getBoundingClientRect();
            const { x, y, width, height } = document.querySelector("#faces li").getBoundingClientRect();
            const [left, top] = [(x - under.x) / under.width, (y - under.y) / under.height];
            return [[left, top, width / under.width, height / under.height], canvas.toDataURL("image/png")];
        }""",
        element,
    )


def inside(page, inner, outer):
    """Whether an element lies within another one, to the pixel."""
    inner, outer = (page.locator(part).bounding_box() for part in (inner, outer))
    return all(
        outer[low] - 1 < inner[low] and inner[low] + inner[side] < outer[low] + outer[side] + 1
        for low, side in (("x", "width"), ("y", "height"))
    )


def found(server, frame):
    """The largest face as the API gives it: box in fractions of the frame, emotion, probabilities."""
    picture = pictures.Image.open(io.BytesIO(base64.b64decode(frame.partition(",")[2])))
    answer = server.client.post("/predict", json={"frame": frame}).json()
    x, y, width, height = answer["face"]["box"].values()
    return [x / picture.width, y / picture.height, width / picture.width, height / picture.height], answer


def drop(page, data, name, kind):
    """Let a file fall onto the page."""
    transfer = page.evaluate_handle(
        """([data, name, type]) => {
            const transfer = new DataTransfer();
            const bytes = Uint8Array.from(atob(data), (letter) => letter.charCodeAt(0));
            transfer.items.add(new File([bytes], name, { type }));
            return transfer;
        }""",
        [base64.b64encode(data).decode(), name, kind],
    )
    for event in ("dragover", "drop"):
        page.dispatch_event("#stage", event, {"dataTransfer": transfer})


@in_chromium
def test_the_box_sits_on_the_face_as_the_mirror_shows_it(visit, server):
    page = visit(device_scale_factor=2)
    start(page)
    for width, height in SIZES.values():
        page.set_viewport_size({"width": width, "height": height})
        expect(faces(page)).to_have_count(1)
        assert inside(page, "#picture", "#stage")
        box, frame = shown(page, "video")
        (x, *rest), _ = found(server, frame)
        mirrored = [1 - x - rest[1], *rest]
        assert box == pytest.approx(mirrored, abs=0.025)  # the face has moved since the answer came
        assert mirrored[0] > 0.5


@in_chromium
def test_the_face_is_named_in_letters_that_are_not_mirrored(visit):
    page = visit()
    start(page)
    says(page, "Live.")
    expect(faces(page)).to_have_text(re.compile(r"^happy \d\d %$"))
    assert page.locator("#video").evaluate("video => getComputedStyle(video).transform") == "matrix(-1, 0, 0, 1, 0, 0)"
    for part in ("#picture", "#faces", "#faces li", "#faces span"):
        assert page.locator(part).evaluate("element => getComputedStyle(element).transform") == "none"


@in_chromium
def test_figures_of_the_stream(visit, server):
    page = visit()
    expect(page.locator("#model")).to_have_text(server.client.get("/health").json()["model"])
    start(page)
    expect(page.locator("#rate")).to_have_text(re.compile(r"^\d+\.\d$"))
    expect(page.locator("#latency")).to_have_text(re.compile(r"^\d+ ms$"))
    expect(page.locator("#dropped")).to_have_text("0")
    expect(page.locator("#count")).to_have_text("1")


@in_chromium
def test_the_chart_fills(visit):
    page = visit()
    leftmost = """(below) => {
        const chart = document.getElementById("chart");
        const colour = getComputedStyle(chart).getPropertyValue("--line-3").trim();  // of `happy`, the fourth label
        const [red, green, blue] = [1, 3, 5].map((start) => Number.parseInt(colour.slice(start, start + 2), 16));
        const copy = new OffscreenCanvas(chart.width, chart.height).getContext("2d", { willReadFrequently: true });
        copy.drawImage(chart, 0, 0);
        const { data } = copy.getImageData(0, 0, chart.width, chart.height);
        let column = chart.width;
        for (let i = 0; i < data.length; i += 4) {
            if (data[i] === red && data[i + 1] === green && data[i + 2] === blue) {
                column = Math.min(column, (i / 4) % chart.width);
            }
        }
        return column < below ? column : null;
    }"""
    assert page.evaluate(leftmost, 10_000) == page.evaluate("document.getElementById('chart').width")
    start(page)
    begun = page.wait_for_function(leftmost, arg=page.evaluate(leftmost, 10_000), polling=200).json_value()
    page.wait_for_function(leftmost, arg=begun - 5, polling=200)


@in_chromium
def test_stop_stops(visit):
    page = visit(prepare=count_sent)
    with page.expect_websocket() as opened:
        start(page)
    track = page.evaluate_handle("document.getElementById('video').srcObject.getVideoTracks()[0]")
    assert track.evaluate("track => track.readyState") == "live"
    button(page, "Stop").click()
    sent = page.evaluate("window.sent")
    assert track.evaluate("track => track.readyState") == "ended"
    expect(faces(page)).to_have_count(0)
    says(page, "Stopped.")
    until(page, opened.value.is_closed)
    expect(page.locator("#rate")).to_have_text(NOTHING)  # two seconds later
    assert page.evaluate("window.sent") == sent
    button(page, "Start again").click()
    expect(faces(page)).to_have_count(1)


@in_chromium
def test_a_picture_is_sent_once_and_its_boxes_stay(visit, server):
    page = visit(prepare=count_sent)
    for picture, emotion in ((HAPPY, "happy"), (NEUTRAL, "neutral")):
        page.evaluate("window.sent = 0")
        drop(page, pictures.encoded(picture, "PNG"), "me.png", "image/png")
        expect(page.locator("#verdict")).to_contain_text(emotion)
        says(page, "One face in the picture.")
        page.wait_for_timeout(1_500)  # longer than boxes of a camera stay
        box, frame = shown(page, "image")
        expected, answer = found(server, frame)
        assert box == pytest.approx(expected, abs=0.025)  # what was sent was a JPEG
        assert answer["emotion"] == emotion
        for label, probability in answer["probabilities"].items():
            assert share(page, label) == pytest.approx(100 * probability, abs=5)
        assert page.evaluate("window.sent") == 1
    expect(button(page, "Start")).to_have_count(0)
    button(page, "Use the camera").click()
    says(page, "Live.")
    expect(button(page, "Stop")).to_be_focused()


@in_chromium
def test_several_faces_each_with_its_number(visit):
    page = visit()
    both = pictures.frame(60, 120, 90)
    both.paste(pictures.frame(100, 100, 160).crop((0, 0, 320, 400)), (320, 0))
    drop(page, pictures.encoded(both), "both.jpg", "image/jpeg")
    says(page, "2 faces in the picture.")
    expect(faces(page)).to_have_text([re.compile("^1: happy"), re.compile("^2: happy")])
    large, small = (face.bounding_box() for face in faces(page).all())
    assert large["width"] > 1.5 * small["width"]
    assert large["x"] > small["x"] + small["width"]


@pytest.fixture(scope="module")
def video(tmp_path_factory):
    """A second of a face that moves, VP8 in WebM."""
    file = tmp_path_factory.mktemp("video") / "face.webm"
    with av.open(file, "w") as container:
        stream = container.add_stream("libvpx", rate=25)
        stream.width, stream.height, stream.bit_rate = 640, 480, 4_000_000
        for step in range(50):
            picture = av.VideoFrame.from_image(pictures.frame(60 + step, 100, 200))
            container.mux(stream.encode(picture))
        container.mux(stream.encode())
    return file


@in_chromium
def test_a_video_is_streamed_until_it_ends(visit, server, video):
    page = visit()
    page.set_input_files("#file", video)
    expect(faces(page)).to_have_count(1)
    box, frame = shown(page, "video")
    expected, _ = found(server, frame)
    assert box == pytest.approx(expected, abs=0.025)
    says(page, "The video has ended.")
    expect(faces(page)).to_have_count(0)
    button(page, "Play again").click()
    expect(faces(page)).to_have_count(1)
    button(page, "Stop").click()
    page.wait_for_function("document.getElementById('video').networkState === 0")  # nothing plays on, unseen


@in_chromium
def test_a_file_that_is_neither_picture_nor_video(visit):
    page = visit()
    page.set_input_files("#file", {"name": "a.txt", "mimeType": "text/plain", "buffer": b"hello"})
    says(page, "neither a picture nor a video", "Choose another")
    button(page, "Start again").click()
    says(page, "Live.")


@in_chromium
def test_a_picture_without_a_face(visit):
    page = visit()
    drop(page, pictures.encoded(pictures.noise()), "noise.jpg", "image/jpeg")
    says(page, "No face in view.")
    expect(page.locator("#verdict")).to_have_text(NOTHING)


@in_chromium
def test_another_camera_is_chosen_while_one_runs(visits):
    page = visits.open(("--use-fake-device-for-media-stream=device-count=2",))  # which show no face
    button(page, "Start").click()
    says(page, "No face in view.")
    device = "document.getElementById('video').srcObject?.getVideoTracks()[0].getSettings().deviceId"
    choice = page.get_by_role("combobox", name="Camera")
    expect(choice.get_by_role("option")).to_have_count(2)
    first, second = (option.get_attribute("value") for option in choice.get_by_role("option").all())
    assert page.evaluate(device) == choice.input_value() == first
    old = page.evaluate_handle("document.getElementById('video').srcObject.getVideoTracks()[0]")
    choice.select_option(second)
    page.wait_for_function(f"{device} === '{second}'")
    says(page, "No face in view.")
    assert old.evaluate("track => track.readyState") == "ended"
    expect(choice).to_have_value(second)


@in_chromium
def test_without_requestvideoframecallback_frames_are_streamed_all_the_same(visit):
    gone = "delete HTMLVideoElement.prototype.requestVideoFrameCallback"
    start(visit(prepare=lambda page: page.add_init_script(gone)))


# ---------------------------------------------------------------- troubles, each with its own sentence


@in_chromium
def test_permission_denied(visit):
    page = visit(permissions=())
    button(page, "Start").click()
    says(page, "may not use the camera", "Allow it")
    expect(button(page, "Start again")).to_be_visible()


@in_chromium
def test_no_camera(visits):
    page = visits.open(("--use-fake-device-for-media-stream=device-count=0",))
    button(page, "Start").click()
    says(page, "No camera was found", "Plug one in")


@in_chromium
@pytest.mark.parametrize(
    ("name", "words"),
    [("NotReadableError", "in use by another program"), ("AbortError", "could not be opened (AbortError)")],
)
def test_a_camera_that_does_not_open(visit, name, words):
    failing = f"navigator.mediaDevices.getUserMedia = async () => {{ throw new DOMException('', '{name}') }}"
    page = visit(prepare=lambda page: page.add_init_script(failing))
    button(page, "Start").click()
    says(page, words, "start again")


@in_chromium
def test_a_page_that_is_not_secure_has_no_camera(visits, server, video):
    url = f"http://demo.test:{server.port}/demo"
    page = visits.open(("--host-resolver-rules=MAP demo.test 127.0.0.1",), url=url, permissions=())
    button(page, "Start").click()
    says(page, "https or on localhost", "choose a picture or a video")
    page.set_input_files("#file", video)
    expect(faces(page)).to_have_count(1)


@in_chromium
def test_a_camera_that_is_unplugged(visit):
    page = visit()
    start(page)
    page.evaluate("document.getElementById('video').srcObject.getVideoTracks()[0].dispatchEvent(new Event('ended'))")
    says(page, "disconnected", "start again")
    expect(faces(page)).to_have_count(0)
    button(page, "Start again").click()
    says(page, "Live.")


@in_chromium
def test_a_server_that_goes_and_comes_back(visits, visit, tmp_path):
    visits.expected = [
        "ERR_CONNECTION_REFUSED",
        "ERR_CONNECTION_RESET",
        "ERR_EMPTY_RESPONSE",
        "503 (Service Unavailable)",
    ]
    server = Server(tmp_path)
    with server:
        page = visit(url=f"{server.url}/demo")
        start(page)
    says(page, "cannot be reached", "by itself")
    expect(page.locator("#countdown")).to_have_text(re.compile(r"^Trying again in \d s\.$"))
    expect(faces(page)).to_have_count(0)
    with server:
        says(page, "Live.")
        expect(faces(page)).to_have_count(1)
        expect(page.locator("#countdown")).to_be_empty()


@in_chromium
def test_a_server_that_is_starting(visits, visit):
    visits.expected = ["503 (Service Unavailable)"]
    starting = {"status": 503, "json": {"status": "starting", "version": "1"}}
    page = visit(prepare=lambda page: page.route("**/health", lambda route: route.fulfill(**starting)))
    button(page, "Start").click()
    says(page, "The server is starting", "by itself")
    page.unroute("**/health")
    says(page, "Live.")


class PlayedServer:
    """The other end of the stream, which the test plays: `answer` gets a socket and a frame's number."""

    def __init__(self, answer, greet=lambda socket: None):
        self.answer, self.greet = answer, greet
        self.opened = self.received = 0

    def prepare(self, page):
        page.route_web_socket(re.compile(r"/stream\?"), self._open)

    def _open(self, socket):
        self.url = socket.url
        self.opened += 1
        socket.on_message(lambda _: self._hear(socket))
        self.greet(socket)

    def _hear(self, socket):
        self.received += 1
        self.answer(socket, self.received)


def answer(frame, faces=(), **more):
    face = faces[0] if faces else {"emotion": None, "probabilities": None}
    return json.dumps({**face, "faces": faces, "model": "m:1", "frame": frame, "dropped": 0, **more})


def face(label="happy", labels=("happy", "sad"), track=1, **box):
    probabilities = {each: 0.9 if each == label else 0.1 / (len(labels) - 1) for each in labels}
    box = {"x": 100, "y": 100, "width": 80, "height": 100, **box}
    return {"box": box, "confidence": 0.9, "emotion": label, "probabilities": probabilities, "track": track}


@in_chromium
@pytest.mark.parametrize("said_before", [True, False], ids=["with an error", "closed alone"])
def test_a_stream_that_is_refused(visit, said_before):
    def refuse(socket):
        if said_before:
            error = {"code": "bad_query", "message": "No smoothing here."}
            socket.send(json.dumps({"frame": 0, "dropped": 0, "error": error}))
        socket.close(code=1008, reason="No smoothing here.")

    page = visit(prepare=PlayedServer(lambda *_: None, refuse).prepare)
    button(page, "Start").click()
    says(page, "refused the stream: No smoothing here.", "Reload")
    assert page.evaluate("document.getElementById('video').srcObject") is None


@in_chromium
def test_a_frame_that_the_server_cannot_read(visit):
    error = {"code": "timeout", "message": "The frame took too long."}
    played = PlayedServer(lambda socket, n: socket.send(answer(n, [face()]) if n == 1 else answer(n, error=error)))
    page = visit(prepare=played.prepare)
    button(page, "Start").click()
    says(page, "could not read a frame: The frame took too long.")
    expect(faces(page)).to_have_count(0)


@in_chromium
def test_a_box_without_an_answer_for_a_second_vanishes_and_no_more_than_two_frames_wait(visit):
    played = PlayedServer(lambda socket, number: number == 1 and socket.send(answer(1, [face()])))
    page = visit(prepare=played.prepare)
    start(page)
    expect(page.locator("#verdict")).to_have_text("happy 90 %")
    expect(faces(page)).to_have_count(0)
    expect(page.locator("#verdict")).to_have_text(NOTHING)
    assert played.received == 3


@in_chromium
def test_frames_that_were_dropped_leave_their_slots(visit):
    """Each second frame is never answered, and is over with the next one's answer."""
    played = PlayedServer(lambda socket, n: n % 2 == 0 and socket.send(answer(n, [face()], dropped=n // 2)))
    page = visit(prepare=played.prepare)
    start(page)
    page.wait_for_function("Number(document.getElementById('dropped').textContent) > 10")


@in_chromium
def test_a_connection_that_went_silent_is_given_up(visit):
    played = PlayedServer(lambda *_: None)
    page = visit(prepare=lambda page: (page.clock.install(), played.prepare(page)))
    button(page, "Start").click()
    until(page, lambda: played.received == 2)
    page.clock.run_for(17_000)
    until(page, lambda: played.opened == 2)


@in_chromium
def test_labels_are_the_models_however_many(visit, server):
    labels = [f"label {number}" for number in range(1, 16)]
    health = {**server.client.get("/health").json(), "labels": labels, "model": "other:1"}
    played = PlayedServer(lambda socket, n: socket.send(answer(n, [face("label 15", labels)])))

    def prepare(page):
        page.route("**/health", lambda route: route.fulfill(json=health))
        played.prepare(page)

    page = visit(prepare=prepare)
    start(page)
    expect(page.get_by_role("meter")).to_have_count(15)
    assert (share(page, "label 15"), share(page, "label 1")) == (90, 1)
    looks = page.evaluate(
        """async (count) => {
            const palette = await import("./demo/palette.js");
            return Array.from({ length: count }, (_, index) => palette.colour(index) + palette.dash(index));
        }""",
        15,
    )
    assert len(set(looks)) == 15


@in_chromium
@pytest.mark.parametrize("place", [{"x": 0, "y": 0}, {"x": 560, "y": 0}, {"x": 560, "y": 380}, {"x": 0, "y": 380}])
def test_a_label_never_leaves_the_picture(visit, place):
    played = PlayedServer(lambda socket, n: socket.send(answer(n, [face(**place), face(track=2)])))
    page = visit(prepare=played.prepare, viewport={"width": 360, "height": 740})
    button(page, "Start").click()
    expect(faces(page)).to_have_count(2)
    assert inside(page, "#faces li:first-child span", "#picture")


# ---------------------------------------------------------------- for everyone


@in_chromium
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_fits_every_screen_and_its_lines_stand_out(visit, scheme):
    page = visit(color_scheme=scheme)
    start(page)
    for width, height in [*SIZES.values(), (320, 568)]:
        page.set_viewport_size({"width": width, "height": height})
        assert page.evaluate("document.documentElement.scrollWidth") == width
        box = page.locator("#stage").bounding_box()
        assert box["width"] * box["height"] > 0.2 * width * min(height, width)
    surface, *lines = page.evaluate(
        """["--surface", ...Array.from({ length: 8 }, (_, index) => `--line-${index}`)].map(
            (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim()
        )"""
    )
    assert (luminance(surface) > 0.5) == (scheme == "light")
    assert min(contrast(line, surface) for line in lines) >= 3


def luminance(colour):
    """WCAG 2.2's relative luminance of #rgb or #rrggbb."""
    channels = [int(pair, 16) / 255 for pair in re.findall("..", colour[1:] if len(colour) == 7 else 2 * colour[1:])]
    linear = [value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4 for value in channels]
    return sum(weight * value for weight, value in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def contrast(one, other):
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


@in_chromium
def test_the_keyboard_reaches_everything(visit):
    page = visit()
    page.keyboard.press("Tab")
    expect(button(page, "Start")).to_be_focused()
    assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
    page.keyboard.press("Enter")
    says(page, "Live.")
    page.keyboard.press("Tab")
    expect(button(page, "Picture or video…")).to_be_focused()
    opened = page.evaluate_handle(
        "({ now: new Promise((resolve) => document.getElementById('file').addEventListener('click', resolve)) })"
    )
    page.keyboard.press("Enter")
    opened.evaluate("opened => opened.now")
    page.keyboard.press("Tab")
    expect(page.get_by_role("combobox", name="Camera")).to_be_focused()
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("Enter")
    says(page, "Stopped.")


@in_chromium
def test_headings_in_order(visit):
    levels = visit().evaluate("[...document.querySelectorAll('h1, h2, h3')].map((heading) => heading.tagName)")
    assert levels == ["H1", "H2", "H2", "H2", "H2"]


@in_chromium
def test_the_page_says_where_frames_go_and_what_an_answer_is_not(visit, server):
    page = visit()
    expect(
        page.get_by_text(f"Frames go to 127.0.0.1:{server.port}, are analysed there, and are not stored.")
    ).to_be_visible()
    expect(page.get_by_text("reads how a face looks, not what a person feels")).to_be_visible()


@in_chromium
def test_under_a_strict_policy(visit, video):
    """Whatever the policy forbids is an error in the console, which no visit may have."""

    def guard(route):
        response = route.fetch()
        route.fulfill(response=response, headers={**response.headers, "Content-Security-Policy": POLICY})

    # a page that a route answers counts as a public one, to which this machine is a local network
    permissions = ("camera", "local-network-access")
    page = visit(prepare=lambda page: page.route("**/demo", guard), permissions=permissions)
    start(page)
    page.set_input_files("#file", video)
    expect(faces(page)).to_have_count(1)
    drop(page, pictures.encoded(HAPPY), "me.jpg", "image/jpeg")
    says(page, "One face in the picture.")


@in_chromium
def test_behind_a_proxy_with_https_and_a_prefix(visit, server):
    played = PlayedServer(lambda socket, n: socket.send(answer(n, [face()])))

    def forward(route):
        path = route.request.url.removeprefix("https://proxy.test/prefix")
        route.fulfill(response=route.fetch(url=server.url + path))

    def prepare(page):
        page.route("https://proxy.test/prefix/**", forward)
        played.prepare(page)

    page = visit(url="https://proxy.test/prefix/demo", prepare=prepare)
    start(page)
    assert played.url == "wss://proxy.test/prefix/stream?smoothing=0.5&track=true"
