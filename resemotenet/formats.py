"""A checkpoint file in whatever format -> its tensors by name, their shapes known before their values are read."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from safetensors import SafetensorError, safe_open

from resemotenet import pth
from resemotenet.errors import CheckpointError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from numpy.typing import NDArray

    from resemotenet.architecture import Shape

#: Types of values in safetensors that are read.
FLOATS = ("F16", "F32", "F64")


@dataclass(frozen=True)
class Tensor:
    """One tensor of a file: its shape now, its values when they are wanted."""

    shape: Shape
    read: Callable[[], NDArray[Any]]


def open_file(path: Path) -> tuple[dict[str, Tensor], tuple[str, ...] | None]:
    """Give the tensors of a file by their keys, and the labels if the file names them."""
    with path.open("rb") as file:
        start = file.read(4)
    if start.startswith(b"PK\x03\x04"):
        return _state_dict(pth.read(path)), None
    if start[:2] in {b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05"}:  # a bare pickle
        return _state_dict(_read_legacy(path)), None
    try:
        opened: Any = safe_open(path, "np")
        tensors = {
            key: Tensor(tuple(opened.get_slice(key).get_shape()), partial(_safetensors_values, opened, key))
            for key in opened.keys()  # noqa: SIM118  (not a mapping)
        }
        labels = (opened.metadata() or {}).get("labels")
    except SafetensorError:
        raise CheckpointError(
            "this is no checkpoint: it is neither a .pth file nor a safetensors file, or it was cut short"
        ) from None
    return tensors, tuple(label.strip() for label in labels.split(",")) if labels else None


def _safetensors_values(opened: Any, key: str) -> NDArray[Any]:
    dtype = opened.get_slice(key).get_dtype()
    if dtype not in FLOATS:  # numpy knows no other
        raise CheckpointError(f"{key}: expected values of type {', '.join(FLOATS)}; found {dtype}")
    values: NDArray[Any] = opened.get_tensor(key)
    return values


def _read_legacy(path: Path) -> Any:
    try:
        import torch  # noqa: PLC0415  (an extra; only this format needs it)
    except ImportError:
        raise CheckpointError(
            "this file is in the format from before PyTorch 1.6, which only PyTorch reads: install it "
            "(pip install torch), or save the file again with a newer PyTorch"
        ) from None
    try:
        with path.open("rb") as file:  # a file: torch would go by a path's ending
            return torch.load(file, map_location="cpu", weights_only=True)
    except Exception as error:  # noqa: BLE001  (torch raises many kinds on foreign files)
        raise CheckpointError(f"this is no file of weights that PyTorch reads: {type(error).__name__}") from None


def _state_dict(saved: Any) -> dict[str, Tensor]:
    for wrapper in ("model_state_dict", "state_dict"):
        if isinstance(saved, dict) and isinstance(saved.get(wrapper), dict):
            saved = saved[wrapper]
    if not isinstance(saved, dict) or not saved:
        raise CheckpointError(f"expected a state dict, which maps names to tensors; found {type(saved).__name__}")
    tensors = {}
    for key, value in saved.items():
        if not isinstance(key, str):
            raise CheckpointError(f"expected names of tensors as keys; found the {type(key).__name__} {key!r}")
        if isinstance(value, pth.TensorReference):
            tensors[key] = Tensor(value.shape, value.array)
        elif type(value).__module__.split(".")[0] == "torch":  # a Tensor or a Parameter
            tensors[key] = Tensor(tuple(value.shape), partial(_torch_values, value))
        else:
            raise CheckpointError(f"{key}: expected a tensor; found {type(value).__name__}")
    return tensors


def _torch_values(tensor: Any) -> NDArray[Any]:
    """Give a torch tensor's values; bfloat16, which numpy does not know, as float32."""
    values = tensor.detach()
    array: NDArray[Any] = (values.float() if values.is_floating_point() else values).numpy()
    return array
