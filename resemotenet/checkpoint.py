"""Any known checkpoint file -> its config and its weights as numpy arrays.

Read are PyTorch's ``.pth`` (a bare state dict, or one under ``model_state_dict`` or ``state_dict``; keys may start with
DataParallel's ``module.``; the residual blocks' norms may be called ``norm1``/``norm2``; a spatial transformer may
stand in front), safetensors, and the folder that :func:`save` writes: ``model.safetensors`` beside ``config.json``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from pydantic import ValidationError
from safetensors.numpy import save_file

from resemotenet import taps
from resemotenet.architecture import shapes
from resemotenet.config import PAPER_CHANNELS, PAPER_LABELS, SERVICE_LABELS, ModelConfig, Provenance
from resemotenet.errors import CheckpointError
from resemotenet.formats import open_file

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from resemotenet.architecture import Shape
    from resemotenet.formats import Tensor

WEIGHTS_FILE = "model.safetensors"
CONFIG_FILE = "config.json"
#: Several input sizes give the transformer's linear layer the same shape: the multiple of this is meant.
SIZE_STEP = 16


@dataclass(frozen=True, eq=False)
class Checkpoint:
    """A ResEmoteNet: its config, and its weights by the paper's key names, float32, kernels cut to their live taps."""

    config: ModelConfig
    weights: dict[str, NDArray[np.float32]]


def read(path: Path, labels: Sequence[str] | None = None) -> Checkpoint:
    """Read a checkpoint in any known format, and check every key, shape and value.

    Args:
        path: a ``.pth`` or safetensors file, known by its content, or a folder that :func:`save` wrote.
        labels: the classes in the order of the network's outputs. Left out, they are what the file says; else the
            deployed service's seven where the file is the deployed service's, and the paper's seven where it is not.

    Raises:
        CheckpointError: the file is none of these, or does not fit: it names the key, what it found and expected.
        OSError: the file cannot be opened.
    """
    if path.is_dir():
        checkpoint = load(path)
        if labels is None:
            return checkpoint
        _check_labels(labels, checkpoint.config.num_classes)
        return Checkpoint(_config(**{**checkpoint.config.model_dump(), "labels": tuple(labels)}), checkpoint.weights)
    tensors, file_labels = open_file(path)
    if all(key.startswith("module.") for key in tensors):  # DataParallel
        tensors = {key.removeprefix("module."): value for key, value in tensors.items()}
    deployed = any(re.match(r"res_block\d\.norm\d\.", key) for key in tensors) or "localization.0.weight" in tensors
    renamed = {re.sub(r"^(res_block\d\.)norm(\d\.)", r"\1bn\2", key): value for key, value in tensors.items()}
    if len(renamed) < len(tensors):
        raise CheckpointError("a residual block has both bn1 and norm1, or both bn2 and norm2: expected one of them")
    if labels is None:
        labels = file_labels or (SERVICE_LABELS if deployed else PAPER_LABELS)
    return _checked(_infer(renamed, labels), renamed)


def load(directory: Path) -> Checkpoint:
    """Read a folder that :func:`save` wrote.

    Raises:
        CheckpointError: a file is missing or damaged, or the weights do not fit the config.
    """
    config = load_config(directory)
    if not (directory / WEIGHTS_FILE).is_file():
        raise CheckpointError(f"{directory.name} holds no {WEIGHTS_FILE}; expected it beside {CONFIG_FILE}")
    return _checked(config, open_file(directory / WEIGHTS_FILE)[0])


def load_config(directory: Path) -> ModelConfig:
    """Read the config alone of a folder that :func:`save` wrote.

    Raises:
        CheckpointError: it is missing, or does not describe a ResEmoteNet.
    """
    try:
        return ModelConfig.model_validate_json((directory / CONFIG_FILE).read_bytes())
    except OSError:
        raise CheckpointError(f"{directory.name} holds no {CONFIG_FILE}; expected {WEIGHTS_FILE} beside it") from None
    except ValidationError as error:
        raise CheckpointError(f"{CONFIG_FILE} does not describe a ResEmoteNet: {_first(error)}") from None


def save(checkpoint: Checkpoint, directory: Path, dtype: type[np.floating[Any]] = np.float32) -> None:
    """Write a checkpoint as ``model.safetensors`` (values as ``dtype``) and ``config.json`` into a folder."""
    # safetensors writes an array's memory as it lies: in another order than C's, the values would be scrambled
    weights = {key: np.ascontiguousarray(value, dtype) for key, value in checkpoint.weights.items()}
    save_file(weights, directory / WEIGHTS_FILE, {"format": "np"})
    (directory / WEIGHTS_FILE).chmod(0o644)  # safetensors writes it for its owner alone; a container's user is another
    (directory / CONFIG_FILE).write_text(checkpoint.config.model_dump_json(indent=2) + "\n", encoding="utf-8")


def _infer(tensors: Mapping[str, Tensor], labels: Sequence[str]) -> ModelConfig:
    """Read width, classes, variant and input size off the shapes."""

    def shape(key: str, dimensions: int) -> Shape:
        if key not in tensors:
            known = ", ".join(sorted(tensors)[:3])
            raise CheckpointError(f"{key} is missing, so this is no ResEmoteNet; the file holds {known}, ...")
        if len(tensors[key].shape) != dimensions:
            raise CheckpointError(f"{key}: expected {dimensions} dimensions; found shape {tensors[key].shape}")
        return tensors[key].shape

    channels, classes = shape("conv1.weight", 4)[0], shape("fc4.weight", 2)[0]
    _check_labels(labels, classes)
    transformer, size = "localization.0.weight" in tensors, 64
    if transformer:
        flat = shape("fc_loc.0.weight", 2)[1]
        sizes = [s for s in range(32, 513, SIZE_STEP) if 32 * taps.localization_side(s) ** 2 == flat]
        if not sizes:
            raise CheckpointError(f"fc_loc.0.weight: {flat} inputs fit no input size that is a multiple of {SIZE_STEP}")
        size = sizes[0]
    return _config(labels=tuple(labels), width=channels / PAPER_CHANNELS, transformer=transformer, input_size=size)


def _check_labels(labels: Sequence[str], classes: int) -> None:
    if len(labels) != classes:
        raise CheckpointError(
            f"the network tells {classes} classes apart, and {len(labels)} labels are given ({', '.join(labels)}); "
            "name one label for each class, in the order of the network's outputs"
        )


def _config(**fields: Any) -> ModelConfig:
    try:
        return ModelConfig(**fields)
    except ValidationError as error:
        raise CheckpointError(f"no ResEmoteNet that is known: {_first(error)}") from None


def _first(error: ValidationError) -> str:
    details = error.errors(include_url=False, include_context=False)[0]
    return f"{'.'.join(map(str, details['loc'])) or 'config'}: {details['msg']}"


def _checked(config: ModelConfig, tensors: Mapping[str, Tensor]) -> Checkpoint:
    """Read the tensors after every key and shape has been found to fit the config."""
    expected = shapes(config)
    cut = {key: tap.stop - tap.start for key, tap in taps.block_taps(config).items()}
    found = {key for key in tensors if not key.endswith(".num_batches_tracked")}
    if missing := sorted(expected.keys() - found):
        raise CheckpointError(f"{len(missing)} keys are missing, the first of them {missing[0]}")
    if foreign := sorted(found - expected.keys()):
        raise CheckpointError(f"{len(foreign)} keys are not ResEmoteNet's, the first of them {foreign[0]}")
    weights = {}
    for key, shape in expected.items():
        allowed = {shape, (*shape[:2], cut[key], cut[key])} if key in cut else {shape}
        if tensors[key].shape not in allowed:
            raise CheckpointError(
                f"{key}: found shape {tensors[key].shape}, expected {' or '.join(map(str, sorted(allowed)))} "
                f"for width {config.width:g} and input size {config.input_size}"
            )
        values = tensors[key].read()
        if values.dtype.kind != "f":
            raise CheckpointError(f"{key}: expected floating-point values; found {values.dtype}")
        with np.errstate(over="ignore"):  # what is too large for float32 becomes infinity
            weights[key] = values.astype(np.float32, copy=False)
        if not np.isfinite(weights[key]).all():
            raise CheckpointError(f"{key} holds NaN or infinity; expected finite values")
        if key.endswith("running_var") and weights[key].min() < 0:
            raise CheckpointError(f"{key} holds a negative variance")
    return Checkpoint(config, taps.drop(weights, config))


def with_provenance(checkpoint: Checkpoint, provenance: Provenance) -> Checkpoint:
    """Give a checkpoint with another provenance in its config."""
    return Checkpoint(checkpoint.config.model_copy(update={"provenance": provenance}), checkpoint.weights)
