"""Every command of the README, run in a clean clone as a new user would, in the README's order."""

import json
import re
import shutil
import subprocess

import pictures
import pytest
import torch
from films import film
from server import ROOT, Server, environment

from resemotenet import model as networks
from resemotenet.config import PAPER_LABELS, ModelConfig
from resemotenet.fetch import fetch
from serving.settings import Settings

README = (ROOT / "README.md").read_text()
COMMANDS = [
    line for block in re.findall(r"```bash\n(.*?)```", README, re.DOTALL) for line in block.strip().splitlines()
]
SNIPPETS = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
#: With an empty cache and a slow line, installing takes a while.
INSTALL_SECONDS = 600

pytestmark = pytest.mark.timeout(900)
ran = set()


def command(start):
    """The README's one command that starts like this."""
    (found,) = [line for line in COMMANDS if line.startswith(start)]
    ran.add(found)
    return found


class Clone:
    """A clean clone, with a photo and a frame of the user's own, and a home with nothing in it."""

    def __init__(self, folder):
        self.folder, self.home = folder / "clone", folder / "home"
        listed = subprocess.run(
            ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
            cwd=ROOT,
            capture_output=True,
            check=True,
        )
        for name in filter(None, listed.stdout.decode().split("\0")):
            if (ROOT / name).is_file():
                (self.folder / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(ROOT / name, self.folder / name)
        (self.folder / "me.jpg").write_bytes(pictures.encoded(pictures.astronaut()))
        (self.folder / "frame.json").write_text(json.dumps({"frame": pictures.data_url(pictures.astronaut())}))
        self.starts = 0

    def env(self, **settings):
        made = environment(self.home, **settings)
        for name in ("MAKEFLAGS", "MAKELEVEL", "MFLAGS", "PYTHON", "PORT", "VIRTUAL_ENV"):
            made.pop(name, None)
        return made

    def run(self, line, port=3000):
        return subprocess.run(
            ["bash", "-c", line.replace("localhost:3000", f"127.0.0.1:{port}")],
            cwd=self.folder, env=self.env(), capture_output=True, text=True, check=False,
        )  # fmt: skip

    def python(self, snippet, port):
        (self.folder / "snippet.py").write_text(snippet.replace("localhost:3000", f"127.0.0.1:{port}"))
        ran = self.run(".venv/bin/python snippet.py")
        assert ran.returncode == 0, ran.stderr
        return ran.stdout

    def serve(self, line):
        """Start one of the README's two ways to serve, on a free port."""
        self.starts += 1
        server = Server(self.folder.parent / f"start-{self.starts}", home=self.home, cwd=self.folder)
        server.seconds = INSTALL_SECONDS
        port = f"PORT={server.port}" if line.startswith("make") else f"--port {server.port}"
        server.command = ["bash", "-c", f"exec {line} {port}"]
        server.env = self.env()
        return server


@pytest.fixture(scope="module")
def clone(tmp_path_factory):
    return Clone(tmp_path_factory.mktemp("user"))


def test_make_serve_and_what_the_first_screen_says(clone):
    with clone.serve(command("make serve")) as server:
        assert "Installing" in server.text()
        answer = json.loads(clone.run(command("curl -F"), server.port).stdout)
        shown = json.loads(re.search(r"```json\n(.*?)```", README, re.DOTALL)[1])
        assert answer.keys() == shown.keys()
        assert (answer["emotion"], answer["face"]) == (shown["emotion"], shown["face"])
        assert answer["probabilities"] == pytest.approx(shown["probabilities"], abs=0.02)
        assert answer["faces"][0].keys() == shown["faces"][0].keys()

        assert json.loads(clone.run(command("curl -H"), server.port).stdout)["emotion"] == "happy"
        ours, bentos = (clone.python(snippet, server.port).splitlines() for snippet in SNIPPETS)
        assert ours == ["happy", "1 [(1, 'happy')]", "2 [(1, 'happy')]"]
        assert bentos[0] == "happy"
        assert "'neutral':" in bentos[1]
        assert bentos[2] == "['happy', 'happy']"

        video = pictures.video(clone.folder / "face.avi", [pictures.frame(100, 60, 200)] * 30)
        seen = clone.run(f"{command('.venv/bin/emotion webcam')} --url {server.url} --camera {video} --show none")
        assert (seen.returncode, seen.stderr) == (0, "")
        assert "happy" in seen.stdout.splitlines()[0]

        assert server.client.get("/demo").status_code == 200
        film(clone.folder / "talk.mp4", [pictures.frame(100, 60, 200)] * 5)
        analysed = clone.run(f"{command('.venv/bin/emotion video')} --url {server.url}")
        assert (analysed.returncode, analysed.stderr) == (0, "")
        assert (clone.folder / "talk.emotions.csv").read_text().count("happy") == 1 + 5
        assert (clone.folder / "talk.png").exists()
        assert (clone.folder / "talk-faces.mp4").exists()


def test_serving_needs_no_torch(clone):
    assert clone.run(".venv/bin/python -c 'import openvino'").returncode == 0
    assert "No module named 'torch'" in clone.run(".venv/bin/python -c 'import torch'").stderr


def test_a_second_start_installs_nothing(clone):
    with clone.serve("make serve") as server:
        assert "Installing" not in server.text()


def test_weights_of_ones_own(clone):
    """A full-size checkpoint as the paper's authors publish theirs, read without PyTorch, served after a restart."""
    torch.manual_seed(0)
    network = networks.ResEmoteNet(ModelConfig(labels=PAPER_LABELS))
    torch.save({"model_state_dict": network.state_dict(), "epoch": 3}, clone.folder / "some.pth")
    imported = clone.run(command(".venv/bin/resemotenet import some.pth"))
    assert imported.returncode == 0, imported.stderr
    tag = re.search(r"imported (resemotenet:\w+): width 1, 64x64 pixels", imported.stdout)[1]
    listed = clone.run(command(".venv/bin/resemotenet models")).stdout
    assert tag in listed
    assert "some.pth" in listed
    assert "the embedded default" in listed
    with clone.serve("make serve") as server:
        health = server.client.get("/health").json()
        assert (health["model"], tuple(health["labels"])) == (tag, PAPER_LABELS)
        answer = json.loads(clone.run(command("curl -F"), server.port).stdout)
        assert tuple(answer["probabilities"]) == PAPER_LABELS
        assert answer["model"] == tag


def test_weights_from_gdrive_model_url(clone):
    """The README's `GDRIVE_MODEL_URL=... make serve`, with a file in Drive's place; Drive is in test_download."""
    assert "`GDRIVE_MODEL_URL=... make serve`" in README
    (clone.folder / "other.pth").write_bytes((clone.folder / "some.pth").read_bytes())
    server = clone.serve("make serve")
    server.env["GDRIVE_MODEL_URL"] = "other.pth"
    with server:
        assert "imported resemotenet:" in server.text()
        sha256 = fetch(str(clone.folder / "other.pth"), clone.folder).sha256
        models = clone.run(f"grep -l {sha256} -r {clone.home}/models").stdout.splitlines()
        assert any(server.client.get("/health").json()["model"].split(":")[1] in path for path in models)


def test_the_bento(clone):
    built = clone.run(command(".venv/bin/bentoml build"))
    assert built.returncode == 0, built.stderr
    with clone.serve(command(".venv/bin/bentoml serve emotion_service:latest")) as server:
        assert json.loads(clone.run(command("curl -F"), server.port).stdout)["face"]


def test_make_without_a_python_says_so(clone):
    bare = clone.folder.parent / "bare"
    bare.mkdir()
    for name in ("Makefile", "pyproject.toml"):
        shutil.copy(ROOT / name, bare)
    failed = subprocess.run(["make", "serve", "PYTHON="], cwd=bare, capture_output=True, text=True, check=False)
    assert failed.returncode != 0
    assert "Python 3.10 to 3.13 is needed" in failed.stderr


def test_make_bench_runs_what_test_benchmarks_tries(clone):
    for line in ("make bench", "make bench URL=http://localhost:3000"):
        assert f"`{line}`" in README
        shown = clone.run(line.replace("make", "make --dry-run", 1)).stdout.splitlines()[-1]
        assert shown.startswith(".venv/bin/python -m benchmarks")
        assert ("--url http://" in shown) == ("URL" in line)


def test_make_pictures_makes_those_that_are_shown(clone):
    assert "`make pictures`" in README
    shown = clone.run("make --dry-run pictures URL=http://elsewhere").stdout
    assert "-m docs.screenshot --url http://elsewhere" in shown
    assert "--plot docs/timeline.png" in shown
    for picture in re.findall(r"^!\[.*\]\((.*)\)$", README, re.MULTILINE):
        assert (ROOT / picture).stat().st_size < 400_000


def test_the_figures_are_the_benchmarks():
    results = (ROOT / "benchmarks" / "results.md").read_text()

    def measured(row, column):
        (line,) = [line for line in results.splitlines() if line.startswith(f"| {row} |")]
        return f"{float(line.strip('| ').split(' | ')[column].split()[0]):.0f}"

    for row in ("this service | 8", "old design | 8"):
        assert f" {measured(row, 2)} " in README
        assert f"{measured(row, 3)} and {measured(row, 4)} ms" in README
    for row in ("this service | 1", "old design | 1"):
        assert f" {measured(row, 3)} ms" in README
    for name in ("old design, full-size weights", "this service, full-size weights", "this service, embedded default"):
        row = f"resident memory under load, {name} (MB)"
        assert f"{measured(row, 1)} MB" in README
    for name in ("12-megapixel JPEG", "frame with eight faces"):
        row = f"a lone client's {name} (ms)"
        assert f" {measured(row, 1)} ms" in README


def test_the_settings_are_all_there_with_their_defaults():
    table = re.findall(r"^\| `([A-Z_]+)` \| (?:`(.*?)`)? ?\| (.*?) \|$", README, re.MULTILINE)
    expected = [
        (name.upper(), "" if field.default is None else str(field.default), field.description)
        for name, field in Settings.model_fields.items()
    ]
    assert table == expected


def test_no_command_was_left_out():
    assert ran == set(COMMANDS)
