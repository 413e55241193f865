"""A clean environment for every test, a model store of their own, and one really started server."""

import os
import tempfile
from pathlib import Path

# BentoML reads these when it is imported.
os.environ["BENTOML_DO_NOT_TRACK"] = "True"
os.environ["BENTOML_HOME"] = tempfile.mkdtemp(prefix="bentoml-home-")

import pytest
from server import Server

from serving.settings import Settings


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


@pytest.fixture(scope="session")
def server(tmp_path_factory):
    """The service as `bentoml serve` starts it from a clean clone: an empty store, so the embedded default."""
    with Server(tmp_path_factory.mktemp("server")) as running:
        yield running
