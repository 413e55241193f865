"""The shape of every tensor in ResEmoteNet's state dict."""

from __future__ import annotations

from typing import TYPE_CHECKING

from resemotenet import taps

if TYPE_CHECKING:
    from resemotenet.config import ModelConfig

Shape = tuple[int, ...]

#: Squeeze-excitation's gate has this many times fewer hidden units than channels.
REDUCTION = 16


def shapes(config: ModelConfig) -> dict[str, Shape]:
    """Every key of a network's state dict with its shape, ``num_batches_tracked`` left out, kernels not cut."""
    c = config.channels
    found: dict[str, Shape] = {}

    def layer(name: str, *shape: int, bias: bool = True) -> None:
        found[f"{name}.weight"] = shape
        if bias:
            found[f"{name}.bias"] = shape[:1]

    def norm(name: str, channels: int) -> None:
        for part in ("weight", "bias", "running_mean", "running_var"):
            found[f"{name}.{part}"] = (channels,)

    for i, (channels, out) in enumerate([(3, c), (c, 2 * c), (2 * c, 4 * c)], start=1):
        layer(f"conv{i}", out, channels, 3, 3)
        norm(f"bn{i}", out)
    hidden = max(1, 4 * c // REDUCTION)
    layer("se.fc.0", hidden, 4 * c, bias=False)
    layer("se.fc.2", 4 * c, hidden, bias=False)
    for i, channels in enumerate([4 * c, 8 * c, 16 * c], start=1):
        block, out = f"res_block{i}", 2 * channels
        layer(f"{block}.conv1", out, channels, 3, 3)
        layer(f"{block}.conv2", out, out, 3, 3)
        layer(f"{block}.shortcut.0", out, channels, 1, 1)
        for name in ("bn1", "bn2", "shortcut.1"):
            norm(f"{block}.{name}", out)
    for i, (channels, out) in enumerate([(32, 16), (16, 8), (8, 4)], start=1):
        layer(f"fc{i}", out * c, channels * c)
    layer("fc4", config.num_classes, 4 * c)
    if config.transformer:
        layer("localization.0", 16, 3, 7, 7)
        layer("localization.3", 32, 16, 7, 7)
        layer("fc_loc.0", 32, 32 * taps.localization_side(config.input_size) ** 2)
        layer("fc_loc.2", 6, 32)
    return found
