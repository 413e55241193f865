"""benchmarks: what is measured is what is said, and the report holds it."""

import io
import json
import urllib.request

import numpy as np
import pytest
from PIL import Image

from benchmarks import __main__ as command
from benchmarks import agreement, engines, frames, load, report, servers
from preprocessing.detectors import create_detector
from preprocessing.frame import decode
from resemotenet import checkpoint as checkpoints
from resemotenet import store
from resemotenet.engine import OpenVINOEngine


def test_frames_are_640x480_and_differ():
    made = frames.jpegs(8)
    assert len(set(made)) == 8
    assert {Image.open(io.BytesIO(jpeg)).size for jpeg in made} == {(640, 480)}
    assert Image.open(io.BytesIO(frames.jpegs(1, (4000, 3000))[0])).size == (4000, 3000)


@pytest.mark.parametrize("count", [1, 8])
def test_a_crowd_has_so_many_faces(count):
    assert len(create_detector().detect(decode(frames.crowd(count)))) == count


def test_a_load_counts_what_it_sent(server):
    run = load.run(server.url, [frames.body(jpeg) for jpeg in frames.jpegs(4)], clients=3, seconds=0.6, warm_up=0.1)
    assert run.clients == 3
    assert run.throughput > 1
    assert 0 < run.p50 <= run.p99
    assert run.failed == 0
    assert run.core_ms > 0


def test_a_load_that_is_refused_is_no_result(server):
    with pytest.raises(RuntimeError, match="none of"):
        load.run(server.url, [b"not json"], clients=1, seconds=0.2, warm_up=0)


def test_the_old_design_reads_a_face_and_starts_and_stops():
    with servers.old(store.EMBEDDED) as running:
        assert running.start_seconds > 0
        assert 100 < running.pss() <= running.rss()

        def predict(jpeg):
            request = urllib.request.Request(f"{running.url}/predict", frames.body(jpeg))
            request.add_header("Content-Type", "application/json")
            with urllib.request.urlopen(request, timeout=30) as answer:
                return json.load(answer)

        answer = predict(frames.jpegs(1)[0])
        assert answer["emotion"] in answer["probabilities"]
        assert sum(answer["probabilities"].values()) == pytest.approx(1, abs=1e-4)
        assert predict(frames.crowd(0))["emotion"] is None
    with pytest.raises(OSError, match="refused"):
        urllib.request.urlopen(f"{running.url}/health", timeout=2)


def test_a_server_that_does_not_start_is_an_error(tmp_path):
    with pytest.raises(RuntimeError, match="did not start"), servers.old(tmp_path):
        pass


def test_speed_does_not_change_answers():
    """The service's pipeline in its default precision against the plain float32 reference."""
    result = agreement.measure(store.EMBEDDED, 60)
    assert result.faces > 40
    assert result.other_count <= 1  # a reduced decode may tip a detection that is on the edge
    assert result.same_label == 1
    assert result.largest_gap < 0.02


def test_engines_take_turns_and_are_timed_at_every_batch():
    times = engines.measure(checkpoints.load(store.EMBEDDED), batches=(1, 3), repeats=2)
    assert [name.split()[0] for name in times] == ["eager", "torch", "openvino", "openvino"]
    assert all(list(values) == [1, 3] and min(values.values()) > 0 for values in times.values())


def test_the_eager_network_gives_the_logits_of_the_engines():
    checkpoint = checkpoints.load(store.EMBEDDED)
    crops = np.random.default_rng(0).integers(0, 256, (3, 64, 64), np.uint8)
    expected = OpenVINOEngine(checkpoint, precision="f32").logits(crops)
    assert engines.eager(checkpoint)(crops).numpy() == pytest.approx(expected, abs=1e-3)


def some_load(clients, throughput):
    return load.Load(clients, throughput, 10.0, 20.0, 0, 0.5)


def test_the_report_holds_what_was_measured(tmp_path):
    results = report.Results(
        loads={
            "old design": [some_load(1, 11), some_load(8, 14), some_load(8, 16)],
            "this service": [some_load(1, 55), some_load(8, 100), some_load(8, 110)],
        },
        starts={"this service": [1.5, 2.5]},
        memory={"this service": [300.0]},
        stages={"decode": 1.0, "infer": 5.0},
        costs={"640x480 JPEG": [17.0, 18.0]},
        batches={1: [some_load(8, 50)], 16: [some_load(8, 100)]},
        engines={"torch cpu f32": {1: 20.0}, "openvino cpu bf16": {1: 2.5}},
        agreement=agreement.Agreement(300, 0.9967, 0.0123, 1),
    )
    text = report.write(results, tmp_path).read_text()
    for words in ("100", "105.0 [100.0-110.0]", "2.5 (8.0x)", "99.67 %", "2.0 [1.5-2.5]", report.machine()):
        assert words in text
    for picture in ("load.png", "stages.png", "batches.png"):
        assert f"({picture})" in text
        assert np.asarray(Image.open(tmp_path / picture)).std() > 5


def test_a_server_anywhere_is_measured_by_its_url(server, tmp_path, capsys):
    arguments = ["--url", server.url, "--seconds", "0.3", "--rounds", "2", "--clients", "1,2", "--out", str(tmp_path)]
    assert command.main(arguments) == 0
    text = (tmp_path / "results.md").read_text()
    assert text.count(f"| {server.url} |") == 2
    printed = capsys.readouterr().out
    assert "2 clients" in printed
    assert text in printed
