"""resemotenet.cli: the command `resemotenet`, run as a process of its own where that matters."""

import subprocess
import sys

import pytest
from server import environment

from resemotenet import checkpoint as checkpoints
from resemotenet import cli
from resemotenet import store as stores

pytestmark = pytest.mark.usefixtures("store")


def test_import_says_what_it_imported(weights, capsys):
    assert cli.main(["import", str(weights), "--labels", "a, b,c,d,e,f,g", "--name", "mine"]) == 0
    out, err = capsys.readouterr()
    assert out.startswith("imported mine:")
    assert "width 0.5, 64x64 pixels, labels a, b, c, d, e, f, g" in out
    assert "fetched 18.1 MB" in err


def test_import_takes_the_environment_for_a_source(weights, monkeypatch, capsys):
    monkeypatch.setenv("GDRIVE_MODEL_URL", str(weights))
    assert cli.main(["import"]) == 0
    assert "imported resemotenet:" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["import"], "GDRIVE_MODEL_URL"),
        (["import", "/no/such.pth"], "no such file"),
        (["import", "ftp://example.org/a.pth"], "https://"),
        (["import", __file__], "neither a .pth file nor a safetensors file"),
        (["import", str(stores.EMBEDDED / "model.safetensors"), "--labels", "a,b"], "7 classes"),
        (["import", str(stores.EMBEDDED / "model.safetensors"), "--labels", "a,a,b,c,d,e,f"], "repeated: a"),
        (["import", str(stores.EMBEDDED / "model.safetensors"), "--sha256", "beef"], "64 hex digits"),
        (["import", str(stores.EMBEDDED / "model.safetensors"), "--name", "no good"], "no good"),
    ],
)
def test_what_fails_is_one_sentence_and_status_1(arguments, words, capsys):
    assert cli.main(arguments) == 1
    err = capsys.readouterr().err
    assert words.lower() in err.lower()
    assert "Traceback" not in err
    assert stores.models() == []


def test_models_lists_labels_source_and_size(weights, capsys):
    assert cli.main(["models"]) == 0
    assert "resemotenet import" in capsys.readouterr().out
    stores.import_model(str(weights))
    cli.main(["models"])
    out = capsys.readouterr().out
    for words in ("resemotenet:", "happy, surprise, sad", "weights.safetensors", "36.3 MB"):
        assert words in out


def test_models_lists_a_damaged_one_as_such(weights, capsys):
    model = stores.import_model(str(weights))
    (stores.Path(model.path) / checkpoints.CONFIG_FILE).unlink()
    assert cli.main(["models"]) == 0
    assert "damaged" in capsys.readouterr().out


def test_ctrl_c_is_a_sentence(monkeypatch, capsys):
    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(stores, "import_model", interrupted)
    assert cli.main(["import", "x.pth"]) == 130
    assert "the store is as it was" in capsys.readouterr().err


def test_the_installed_command(tmp_path):
    ran = subprocess.run(
        [sys.executable, "-m", "resemotenet.cli", "--help"],
        env=environment(tmp_path),
        capture_output=True,
        text=True,
        check=True,
    )
    assert "import" in ran.stdout
    assert "models" in ran.stdout
    assert not ran.stderr
