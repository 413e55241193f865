"""A clean environment for every test, a model store of their own, and one really started server."""

import os
import shutil
import signal
import tempfile
from pathlib import Path

# BentoML reads these when it is imported.
os.environ["BENTOML_DO_NOT_TRACK"] = "True"
os.environ["BENTOML_HOME"] = tempfile.mkdtemp(prefix="bentoml-home-")

import pytest
from drive import Drive
from server import Server

from resemotenet import download
from resemotenet.checkpoint import WEIGHTS_FILE
from resemotenet.fetch import fetch
from resemotenet.source_errors import SourceError
from resemotenet.store import EMBEDDED
from serving.settings import Settings

# A shell that runs the tests in the background has them, and what they start, ignore Ctrl-C.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch):
    """No setting of whoever runs the tests reaches them."""
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.fixture
def store():
    """The model store, empty before and after."""
    import bentoml

    def empty():
        for model in bentoml.models.list():
            bentoml.models.delete(model.tag)

    empty()
    yield Path(os.environ["BENTOML_HOME"]) / "models"
    empty()


@pytest.fixture
def drive(monkeypatch):
    """The stand-in, with every wait of a download made short."""
    monkeypatch.setattr("random.uniform", lambda _low, _high: 0.0)  # gdown's wait before a retry
    monkeypatch.setattr(download, "RESTART_SECONDS", 0.0)
    monkeypatch.setattr(download, "TIMEOUT_SECONDS", (2.0, 2.0))
    with Drive().running() as running:
        running.route(monkeypatch)
        yield running


@pytest.fixture
def weights(tmp_path):
    """The embedded default's weights as a file of their own, without its config."""
    copy = tmp_path / "weights.safetensors"
    shutil.copy(EMBEDDED / WEIGHTS_FILE, copy)
    return copy


@pytest.fixture
def refused(tmp_path):
    """Fetches what must fail: with this error and these words, and nothing left behind."""

    def check(source, error, *words, **options):
        (tmp_path / "already-there").write_bytes(b"kept")
        with pytest.raises(SourceError) as caught:
            fetch(source, tmp_path, **options)
        assert isinstance(caught.value, error)
        for word in words:
            assert word in str(caught.value)
        assert [path.name for path in tmp_path.iterdir()] == ["already-there"]
        return caught

    return check


@pytest.fixture(scope="session")
def server(tmp_path_factory):
    """The service as `bentoml serve` starts it from a clean clone: an empty store, so the embedded default."""
    with Server(tmp_path_factory.mktemp("server")) as running:
        yield running
