"""resemotenet.store: put in, listed, found again, and left as it was when something fails."""

import bentoml
import numpy as np
import pytest
from bentoml.exceptions import BentoMLException, NotFound
from drive import QUOTA_PAGE, SIGN_IN_PAGE, confirm, cut, page, whole
from safetensors.numpy import load_file, save_file

from resemotenet import checkpoint as checkpoints
from resemotenet import store as stores
from resemotenet.config import PAPER_LABELS, SERVICE_LABELS, ModelConfig
from resemotenet.errors import CheckpointError
from resemotenet.source_errors import SourceError

DRIVE = "1aB-cD_eF0123456789ghijklmnopqrstu"

pytestmark = pytest.mark.usefixtures("store")


def config(model):
    return checkpoints.load_config(stores.Path(model.path))


def test_what_is_put_in_comes_out():
    checkpoint = checkpoints.load(stores.EMBEDDED)
    model = stores.put(checkpoint)
    found = stores.find("resemotenet:latest")
    assert found.tag == model.tag
    loaded = checkpoints.load(stores.Path(found.path))
    assert loaded.config == checkpoint.config
    assert all(np.array_equal(loaded.weights[key], value) for key, value in checkpoint.weights.items())
    metadata = found.info.metadata
    assert metadata["labels"] == list(SERVICE_LABELS)
    assert (metadata["input_size"], metadata["width"], metadata["transformer"]) == (64, 0.5, False)
    assert metadata["metrics"]["val_accuracy"] == pytest.approx(0.72, abs=0.01)


def test_an_import_carries_where_it_came_from(weights):
    model = stores.import_model(str(weights))
    assert config(model).labels == PAPER_LABELS
    assert config(model).provenance.source == weights.name
    assert config(model).provenance.sha256 == model.info.metadata["sha256"]
    assert len(config(model).provenance.sha256) == 64


def test_an_import_with_labels_and_a_name(weights):
    model = stores.import_model(str(weights), labels=list("abcdefg"), name="other")
    assert model.tag.name == "other"
    assert config(model).labels == tuple("abcdefg")


def test_a_saved_folder_is_imported_with_its_config(tmp_path):
    checkpoints.save(checkpoints.load(stores.EMBEDDED), tmp_path)
    assert config(stores.import_model(str(tmp_path))) == checkpoints.load_config(stores.EMBEDDED)


def test_a_folder_is_imported_once_and_has_no_sha256(tmp_path):
    checkpoints.save(checkpoints.load(stores.EMBEDDED), tmp_path)
    first = stores.ensure(source=str(tmp_path))
    assert stores.ensure(source=str(tmp_path)).tag == first.tag
    with pytest.raises(SourceError, match="folder, which has no sha256"):
        stores.import_model(str(tmp_path), sha256="0" * 64)
    assert len(stores.models()) == 1


@pytest.mark.parametrize(
    ("spoil", "error", "words"),
    [
        (lambda path: path.write_bytes(path.read_bytes()[:100_000]), CheckpointError, "weights.safetensors"),
        (lambda path: path.write_text("<!DOCTYPE html><title>Quota exceeded</title>"), SourceError, "Quota"),
        (lambda path: path.write_bytes(b""), SourceError, "empty"),
        (lambda path: path.unlink(), SourceError, "no such file"),
        (lambda path: save_file({"a": np.zeros(3, np.float32)}, path), CheckpointError, "conv1.weight is missing"),
        (
            lambda path: save_file({**load_file(path), "fc4.bias": np.full(7, np.nan, np.float32)}, path),
            CheckpointError,
            "fc4.bias holds NaN",
        ),
    ],
)
def test_what_fails_leaves_the_store_as_it_was(weights, store, spoil, error, words):
    stores.put(checkpoints.load(stores.EMBEDDED))
    before = sorted(store.rglob("*"))
    spoil(weights)
    with pytest.raises(error, match=words):
        stores.import_model(str(weights))
    assert sorted(store.rglob("*")) == before


def test_a_wrong_sha256_leaves_the_store_as_it_was(weights):
    with pytest.raises(SourceError, match="sha256"):
        stores.import_model(str(weights), sha256="0" * 64)
    assert stores.models() == []


def test_weights_come_from_drive_whatever_it_asks_first(drive):
    drive.answers[DRIVE] = confirm(whole((stores.EMBEDDED / checkpoints.WEIGHTS_FILE).read_bytes()))
    model = stores.ensure(source=f"https://drive.google.com/file/d/{DRIVE}/view?usp=sharing")
    assert config(model).provenance.source == f"https://drive.google.com/file/d/{DRIVE}/view"
    drive.answers.clear()
    assert stores.ensure(source=f"https://drive.google.com/open?id={DRIVE}").tag == model.tag  # not fetched again


@pytest.mark.parametrize("answer", [page(QUOTA_PAGE), page(SIGN_IN_PAGE), whole(b""), cut(b"PK" * 500_000, 1000)])
def test_what_drive_gives_in_a_checkpoints_place_never_gets_into_the_store(drive, store, answer):
    drive.answers[DRIVE] = answer
    with pytest.raises(SourceError, match=DRIVE):
        stores.ensure(source=DRIVE)
    assert not list(store.rglob("*.safetensors"))


def test_an_empty_store_gets_the_embedded_default_once():
    first = stores.ensure()
    files = [stores.Path(first.path) / checkpoints.WEIGHTS_FILE, stores.EMBEDDED / checkpoints.WEIGHTS_FILE]
    copied, original = (load_file(file) for file in files)
    assert all(
        np.array_equal(copied[key], value) and copied[key].dtype == value.dtype for key, value in original.items()
    )
    assert config(first).labels == SERVICE_LABELS
    assert stores.ensure().tag == first.tag
    assert len(stores.models()) == 1


def test_a_source_is_imported_once_and_becomes_the_newest(weights):
    default = stores.ensure()
    imported = stores.ensure(source=str(weights))
    assert imported.tag != default.tag
    assert stores.ensure(source=f"  {weights}  ").tag == imported.tag
    assert stores.ensure().tag == imported.tag
    assert len(stores.models()) == 2


def test_what_is_imported_after_it_is_served_before_it(weights, tmp_path):
    stores.ensure(source=str(weights))
    later = stores.import_model(str(stores.EMBEDDED / checkpoints.WEIGHTS_FILE))
    assert stores.ensure(source=str(weights)).tag == later.tag


def test_sources_are_told_apart_however_they_are_written():
    same = [DRIVE, f"https://drive.google.com/file/d/{DRIVE}/view?usp=sharing", f"drive.google.com/uc?id={DRIVE}"]
    assert len({stores.source_id(source) for source in same}) == 1
    other = [DRIVE[::-1], "https://example.org/a.pth?key=1", "https://example.org/a.pth?key=2", "a.pth", "b/a.pth"]
    assert len({stores.source_id(source) for source in [DRIVE, *other]}) == 6


@pytest.mark.parametrize("tag", ["resemotenet:no-such-version", "another", "another:latest"])
def test_a_model_that_is_not_there_is_named_with_those_that_are(tag):
    default = stores.ensure()
    with pytest.raises(NotFound, match=str(default.tag)) as caught:
        stores.ensure(tag)
    assert tag in str(caught.value)


def test_foreign_models_are_not_listed():
    with bentoml.models.create("foreign"):
        pass
    assert stores.models() == []


def test_models_are_listed_newest_first():
    tags = [stores.put(checkpoints.load(stores.EMBEDDED), name).tag for name in ("a", "b", "a")]
    assert [model.tag for model in stores.models()] == tags[::-1]


def test_a_service_finds_its_model_or_says_why_not(weights):
    model = stores.StoredModel("resemotenet:latest", str(weights)).resolve()
    assert model.tag == stores.find("resemotenet").tag
    assert stores.StoredModel("resemotenet").to_info().tag == model.tag  # what a Bento pins
    with pytest.raises(BentoMLException, match="no such file"):
        stores.StoredModel("resemotenet", "/no/such/file.pth").resolve()


def test_the_embedded_default_is_small_and_whole():
    assert (stores.EMBEDDED / checkpoints.WEIGHTS_FILE).stat().st_size < 25e6
    assert isinstance(checkpoints.load_config(stores.EMBEDDED), ModelConfig)
    assert (stores.EMBEDDED / "MODEL_CARD.md").read_text().startswith("# ")
