"""The benchmark's command: ``python -m benchmarks``, or ``make bench``."""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from benchmarks import engines, frames, load, report, servers
from resemotenet import checkpoint as checkpoints
from resemotenet import model as networks
from resemotenet.config import SERVICE_LABELS, ModelConfig

if TYPE_CHECKING:
    from collections.abc import Sequence

CLIENTS = (1, 2, 4, 8, 16, 32, 64)
BATCHES = (1, 8, 32)
BATCH_LIMITS = (1, 2, 4, 8, 16, 32)
TWELVE_MEGAPIXELS = (4000, 3000)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmark; gives the exit status."""
    parser = argparse.ArgumentParser(prog="benchmarks", description="Measure the service beside the old design.")
    parser.add_argument("--url", help="measure a server that runs already, anywhere, instead")
    parser.add_argument("--seconds", type=float, default=4, help="of one run of a load (default: %(default)s)")
    parser.add_argument("--rounds", type=int, default=3, help="runs of each, in turn (default: %(default)s)")
    parser.add_argument("--clients", default=",".join(map(str, CLIENTS)), help="numbers (default: %(default)s)")
    parser.add_argument("--frames", type=int, default=300, help="varied frames to compare answers on")
    parser.add_argument("--out", type=Path, default=Path("benchmarks"), help="folder for results.md and its plots")
    options = parser.parse_args(arguments)
    options.clients = [int(count) for count in options.clients.split(",")]
    results = report.Results()
    if options.url:
        _load(results, options.url, options.url.rstrip("/"), options)
    else:
        _measure(results, options)
    written = report.write(results, options.out)
    print(written.read_text(encoding="utf-8"))
    say(f"written: {written}")
    return 0


def say(line: str) -> None:
    """Show progress."""
    print(f"{time.strftime('%H:%M:%S')} {line}", flush=True)


def _measure(results: report.Results, options: argparse.Namespace) -> None:
    with tempfile.TemporaryDirectory(prefix="benchmark-") as folder:
        model, home, default = Path(folder) / "model", Path(folder) / "home", Path(folder) / "default"
        for needed in (model, home, default):
            needed.mkdir()
        _full_size(model, home)
        for number in range(1, options.rounds + 1):
            say(f"round {number} of {options.rounds}")
            with servers.old(model) as server:
                _load(results, "old design", server.url, options, rounds=1)
                _memory(results, "old design, full-size weights", server)
            with servers.ours(home) as server:
                _load(results, "this service", server.url, options, rounds=1)
                _memory(results, "this service, full-size weights", server)
                _lone(results, server.url)
            with servers.ours(default) as server:
                if number > 1:  # the first start of all fills the store
                    results.starts.setdefault("this service, embedded default", []).append(server.start_seconds)
                load.run(server.url, _bodies(), 8, options.seconds)
                _memory(results, "this service, embedded default", server)
            for limit in BATCH_LIMITS:
                with servers.ours(home, MAX_BATCH_SIZE=str(limit)) as server:
                    results.batches.setdefault(limit, []).append(load.run(server.url, _bodies(), 8, options.seconds))
        say("engines")
        results.engines = engines.measure(checkpoints.load(model), BATCHES, repeats=10)
    from benchmarks import agreement  # noqa: PLC0415  (imports torchvision)
    from resemotenet import store  # noqa: PLC0415  (as above)

    say("answers")
    results.agreement = agreement.measure(store.EMBEDDED, options.frames)


def _full_size(model: Path, home: Path) -> None:
    """Make full-size weights, which cost what trained ones cost, and put them into the store."""
    torch.manual_seed(0)
    config = ModelConfig(labels=SERVICE_LABELS)
    weights = {key: value.numpy() for key, value in networks.ResEmoteNet(config).state_dict().items()}
    floats = {key: value for key, value in weights.items() if value.dtype.kind == "f"}
    checkpoints.save(checkpoints.Checkpoint(config, floats), model)
    environ = {**os.environ, "BENTOML_HOME": str(home)}
    command = [sys.executable, "-m", "resemotenet.cli", "import", str(model)]
    subprocess.run(command, env=environ, check=True, capture_output=True, cwd=servers.ROOT)


def _bodies() -> list[bytes]:
    return [frames.body(jpeg) for jpeg in frames.jpegs(16)]


def _load(results: report.Results, name: str, url: str, options: argparse.Namespace, rounds: int | None = None) -> None:
    for _ in range(rounds or options.rounds):
        for clients in options.clients:
            run = load.run(url, _bodies(), clients, options.seconds)
            results.loads.setdefault(name, []).append(run)
            say(f"{name}: {clients} clients, {run.throughput:.1f} frames/s, p50 {run.p50:.1f} ms, p99 {run.p99:.1f} ms")


def _memory(results: report.Results, name: str, server: servers.Server) -> None:
    results.memory.setdefault(name, []).append(server.rss())
    results.memory.setdefault(f"{name}, shared pages counted once", []).append(server.pss())


def _lone(results: report.Results, url: str) -> None:
    """Measure what a lone client's frame costs, by what is in it, and where its time goes."""
    pictures = {
        "640x480 JPEG": frames.jpegs(1)[0],
        "12-megapixel JPEG": frames.jpegs(1, TWELVE_MEGAPIXELS)[0],
        "frame with one face": frames.crowd(1),
        "frame with eight faces": frames.crowd(8),
    }
    for name, jpeg in pictures.items():
        results.costs.setdefault(name, []).append(load.run(url, [frames.body(jpeg)], 1, 2).p50)
    request = urllib.request.Request(f"{url}/predict", frames.body(pictures["640x480 JPEG"]))
    timings = []
    for _ in range(30):
        with urllib.request.urlopen(request, timeout=30) as answer:
            timings.append(dict(re.findall(r"(\w+);dur=([\d.]+)", answer.headers["Server-Timing"])))
    results.stages = {stage: sorted(float(one[stage]) for one in timings)[15] for stage in timings[0]}


if __name__ == "__main__":
    raise SystemExit(main())
