"""ResEmoteNet in the BentoML model store: put in, listed, and found again when a service starts."""

from __future__ import annotations

import hashlib
import logging
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs
import bentoml
import numpy as np
from bentoml import Tag
from bentoml.exceptions import BentoMLException, NotFound
from bentoml.models import BentoModel

from resemotenet import checkpoint as checkpoints
from resemotenet.config import Provenance
from resemotenet.errors import CheckpointError
from resemotenet.fetch import fetch
from resemotenet.progress import download_progress
from resemotenet.source import Kind, parse
from resemotenet.source_errors import SourceError, SourceFormatError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bentoml import Model

    from resemotenet.checkpoint import Checkpoint

#: The model's name in the store.
NAME = "resemotenet"
#: The weights that come with this package.
EMBEDDED = Path(__file__).parent / "weights"

logger = logging.getLogger("bentoml.resemotenet")  # under a name that BentoML shows


def put(
    checkpoint: Checkpoint,
    name: str = NAME,
    source_id: str | None = None,
    dtype: type[np.floating[Any]] = np.float32,
) -> Model:
    """Save a checkpoint, its values as ``dtype``, under a new version of ``name``, and describe it in its metadata."""
    config = checkpoint.config
    metadata = {
        "labels": list(config.labels),
        "input_size": config.input_size,
        "width": config.width,
        "transformer": config.transformer,
        **config.provenance.model_dump(exclude_none=True),
        **({"source_id": source_id} if source_id else {}),
    }
    with bentoml.models.create(name, labels={"architecture": "ResEmoteNet"}, metadata=metadata) as model:
        checkpoints.save(checkpoint, Path(model.path), dtype)
    return bentoml.models.get(model.tag)


def import_model(
    source: str, labels: Sequence[str] | None = None, sha256: str | None = None, name: str = NAME
) -> Model:
    """Fetch a checkpoint, check every key and shape of it, and save it; a failure leaves the store as it was.

    Args:
        source: a Google Drive link or id, an https URL, or a path of a file or of a folder with a saved checkpoint.
        labels: the classes in the order of the network's outputs; None: see :func:`resemotenet.checkpoint.read`.
        sha256: the SHA-256 that the file must have, in hex.
        name: the model's name in the store.

    Raises:
        SourceError: the file could not be fetched whole, or has another SHA-256.
        CheckpointError: the file is no ResEmoteNet that is known.
        BentoMLException: the store does not take this name.
    """
    parsed = parse(source)
    _tag(name)
    with tempfile.TemporaryDirectory(prefix="resemotenet-") as folder:
        if parsed.kind is Kind.FILE and Path(parsed.value).is_dir():
            if sha256 is not None:
                raise SourceFormatError(
                    f"{parsed.description} is a folder, which has no sha256; name the file that has it"
                )
            return put(checkpoints.read(Path(parsed.value), labels), name, source_id(source))
        with download_progress(parsed.description) as report:
            fetched = fetch(parsed, Path(folder), sha256, report)
        try:
            checkpoint = checkpoints.read(fetched.path, labels)
        except CheckpointError as error:
            raise CheckpointError(f"{fetched.description}: {error}") from None
        provenance = Provenance(source=fetched.description, sha256=fetched.sha256)
        return put(checkpoints.with_provenance(checkpoint, provenance), name, source_id(source))


def find(tag: str) -> Model | None:
    """Find a model by its tag; a name alone, or ``name:latest``, is its newest version. None where there is none."""
    try:
        return bentoml.models.get(tag)
    except NotFound:
        return None


def models() -> list[Model]:
    """List the ResEmoteNets in the store under whatever name, newest first."""
    known = [model for model in bentoml.models.list() if model.info.labels.get("architecture") == "ResEmoteNet"]
    return sorted(known, key=lambda model: model.creation_time, reverse=True)


def ensure(tag: str = NAME, source: str | None = None) -> Model:
    """Find the model to serve, after putting into the store what it wants for that.

    With a ``source`` that no stored version of the model came from, that is fetched and becomes the newest version;
    without one, an empty store gets the embedded default.

    Raises:
        NotFound: there is no such model, and it is not one that could be put there.
    """
    name, _, version = tag.partition(":")
    if version in {"", "latest"}:
        if source and source_id(source) not in _source_ids(name):
            model = import_model(source, name=name)
            logger.info("imported %s from %s", model.tag, parse(source).description)
        elif name == NAME and find(tag) is None:
            default = put(checkpoints.load(EMBEDDED), dtype=np.float16)  # as they are in its file
            logger.info("imported %s, the embedded default", default.tag)
    found = find(tag)
    if found is None:
        here = ", ".join(str(model.tag) for model in models()) or "none"
        raise NotFound(f"the store holds no model {tag}; it holds {here}. 'resemotenet import' puts one there")
    return found


def _source_ids(name: str) -> set[object]:
    return {model.info.metadata.get("source_id") for model in models() if model.tag.name == name}


def source_id(source: str) -> str:
    """Tell sources apart without giving away what a URL may hold: the SHA-256 of the source, however it is written."""
    parsed = parse(source)
    value = str(Path(parsed.value).resolve()) if parsed.kind is Kind.FILE else parsed.value
    return hashlib.sha256(f"{parsed.kind.name} {value}".encode()).hexdigest()


def _tag(tag: str) -> Tag:
    try:
        return Tag.from_taglike(tag)
    except ValueError as error:
        raise BentoMLException(str(error)) from None


@attrs.frozen
class StoredModel(BentoModel):
    """A service's reference to its model in the store, which sees to it that there is one: see :func:`ensure`.

    BentoML resolves it before a service starts from source, and pins it when a Bento is built.
    """

    tag: Tag = attrs.field(converter=_tag)
    source: str | None = None

    @property
    def stored(self) -> Any:
        """The model in the store.

        Raises:
            BentoMLException: there is none, and none could be put there; BentoML prints it without a traceback.
        """
        try:
            return ensure(str(self.tag), self.source)
        except (SourceError, CheckpointError, OSError) as error:
            raise BentoMLException(f"the model store has nothing to serve: {error}") from error
