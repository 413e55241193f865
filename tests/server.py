"""A server in a process of its own, started as a user starts it."""

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import httpx

from serving.settings import Settings

ROOT = Path(__file__).parents[1]
START_SECONDS = 60


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def environment(home, **settings):
    """The environment of a user who has set nothing but these."""
    unset = {name.upper() for name in Settings.model_fields}
    return {
        **{name: value for name, value in os.environ.items() if name not in unset},
        "BENTOML_HOME": str(home),
        "BENTOML_DO_NOT_TRACK": "True",
        **settings,
    }


class Server:
    """`bentoml serve TARGET`, ready when the context is entered and gone when it is left.

    `folder` keeps its log, its temporary files and, unless `home` says where, its BENTOML_HOME.
    """

    def __init__(self, folder, target=".", home=None, cwd=ROOT, command=None, **settings):
        self.folder, self.cwd, self.port = Path(folder), cwd, free_port()
        self.home = Path(home or self.folder / "home")
        self.temp = self.folder / "tmp"
        self.log = self.folder / "log"
        self.seconds = START_SECONDS
        for needed in (self.home, self.temp):
            needed.mkdir(parents=True, exist_ok=True)
        self.command = command or [sys.executable, "-m", "bentoml", "serve", target]
        if command is None:
            self.command += ["--port", str(self.port)]
        self.env = environment(self.home, TMPDIR=str(self.temp), **settings)
        self.url = f"http://127.0.0.1:{self.port}"

    def __enter__(self):
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                self.command, cwd=self.cwd, env=self.env, stdout=log, stderr=log, start_new_session=True
            )
        try:
            self.wait(self.seconds)
        except BaseException:
            self.stop()
            raise
        self.client = httpx.Client(base_url=self.url, timeout=30)
        return self

    def __exit__(self, *_):
        self.client.close()
        self.stop()

    def wait(self, seconds):
        """Wait until /health says that it is ready."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            if self.process.poll() is not None:
                break
            try:
                if httpx.get(f"{self.url}/health", timeout=5).status_code == 200:
                    return
            except httpx.TransportError:
                pass
            time.sleep(0.1)
        raise AssertionError(f"the server was not ready in {seconds} s:\n{self.text()}")

    def text(self):
        return self.log.read_text(errors="replace")

    def stop(self):
        """Ask it to stop, as Ctrl-C does, and give its exit status."""
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGINT)
        try:
            return self.process.wait(20)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
            raise AssertionError(f"the server did not stop:\n{self.text()}") from None
