"""The servers that are measured, each in a process group of its own."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING

import psutil

if TYPE_CHECKING:
    from types import TracebackType

    from typing_extensions import Self

ROOT = Path(__file__).parents[1]
START_SECONDS = 90


class Server:
    """A server, ready when the context is entered and gone when it is left.

    Args:
        command: how to start it; ``{port}`` stands for a free port.
        environ: what to add to the environment.

    Attributes:
        url: where it listens.
        start_seconds: how long it took from the start to the first 200 of /health.
    """

    def __init__(self, command: list[str], environ: dict[str, str]) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        self.url = f"http://127.0.0.1:{port}"
        self.start_seconds = 0.0
        self._command = [part.format(port=port) for part in command]
        self._environ = {**os.environ, "BENTOML_DO_NOT_TRACK": "True", **environ}

    def __enter__(self) -> Self:
        """Start it and wait until it is ready."""
        started = time.perf_counter()
        quiet = subprocess.DEVNULL
        self._process = subprocess.Popen(
            self._command, cwd=ROOT, env=self._environ, stdout=quiet, stderr=quiet, start_new_session=True
        )
        while not self._ready():
            if self._process.poll() is not None or time.perf_counter() - started > START_SECONDS:
                self.__exit__(None, None, None)
                raise RuntimeError(f"{' '.join(self._command)} did not start")
            time.sleep(0.02)
        self.start_seconds = time.perf_counter() - started
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop it."""
        if self._process.poll() is None:
            os.killpg(self._process.pid, signal.SIGINT)
        try:
            self._process.wait(20)
        except subprocess.TimeoutExpired:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()

    def rss(self) -> float:
        """Resident memory of all of its processes, in MB (10^6 bytes); pages that they share count for each."""
        return self._memory("rss")

    def pss(self) -> float:
        """As `rss`, but pages that they share count once."""
        return self._memory("pss")

    def _memory(self, kind: str) -> float:
        main = psutil.Process(self._process.pid)
        processes = [main, *main.children(recursive=True)]
        return float(sum(getattr(process.memory_full_info(), kind) for process in processes) / 1e6)

    def _ready(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.url}/health", timeout=2) as answer:
                return bool(answer.status == 200)
        except (urllib.error.URLError, OSError):
            return False


def ours(home: Path, **settings: str) -> Server:
    """Make this service, with the newest model of the store in ``home``."""
    command = [sys.executable, "-m", "bentoml", "serve", "--port", "{port}"]
    return Server(command, {"BENTOML_HOME": str(home), **settings})


def old(model: Path) -> Server:
    """Make the design that it replaces, with the model in this folder."""
    command = [sys.executable, "-m", "uvicorn", "benchmarks.old_design:app", "--port", "{port}"]
    return Server([*command, "--log-level", "warning"], {"BENCHMARK_MODEL": str(model)})
