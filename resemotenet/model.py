"""ResEmoteNet in PyTorch: the reference that training, evaluation and the parity tests use.

A. K. Roy, H. K. Kathania, A. Sharma, A. Dey, M. S. A. Ansari: "ResEmoteNet: Bridging Accuracy and Loss Reduction in
Facial Emotion Recognition", arXiv 2409.10545. For ``width`` 1.0 and a 64x64 input, 80,238,599 parameters:

======================  =================================================  ===============
layer                   what                                               output
======================  =================================================  ===============
input                   gray face copied to 3 channels, normalised         3 x 64 x 64
conv1, bn1              3x3, ReLU, 2x2 max-pool, dropout 0.2               64 x 32 x 32
conv2, bn2              3x3, ReLU, 2x2 max-pool, dropout 0.2               128 x 16 x 16
conv3, bn3              3x3, ReLU, 2x2 max-pool                            256 x 8 x 8
se                      squeeze-excitation, reduction 16, no bias          256 x 8 x 8
res_block1              two 3x3, the first of stride 2; 1x1 shortcut       512 x 4 x 4
res_block2              the same                                           1024 x 2 x 2
res_block3              the same                                           2048 x 1 x 1
pool                    global average                                     2048
fc1, fc2, fc3           linear, ReLU, dropout 0.5                          1024, 512, 256
fc4                     linear                                             classes (logits)
======================  =================================================  ===============

The deployed variant puts a spatial transformer (Jaderberg et al. 2015, arXiv 1506.02025) in front: ``localization`` and
``fc_loc`` read an affine map off the input, and the input is sampled through it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F  # noqa: N812  (the field's name for it)
from torch import Tensor, nn

from resemotenet import taps
from resemotenet.architecture import REDUCTION

if TYPE_CHECKING:
    from resemotenet.checkpoint import Checkpoint
    from resemotenet.config import ModelConfig


class SqueezeExcitation(nn.Module):
    """Weighs every channel by a gate read off all channels' means (Hu et al. 2018, arXiv 1709.01507): NCHW to NCHW."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        hidden = max(1, channels // REDUCTION)
        self.fc = nn.Sequential(
            nn.Linear(channels, hidden, bias=False),
            nn.ReLU(),
            nn.Linear(hidden, channels, bias=False),
            nn.Sigmoid(),
        )

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) to the same."""
        gate: Tensor = self.fc(x.mean(dim=(2, 3)))
        return x * gate[:, :, None, None]


class ResidualBlock(nn.Module):
    """Two 3x3 convolutions beside a 1x1 shortcut (He et al. 2016, arXiv 1512.03385); halves height and width."""

    def __init__(self, channels: int, channels_out: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, channels_out, 3, stride=2, padding=1)
        self.bn1 = nn.BatchNorm2d(channels_out)
        self.conv2 = nn.Conv2d(channels_out, channels_out, 3, padding=1)
        self.bn2 = nn.BatchNorm2d(channels_out)
        self.shortcut = nn.Sequential(nn.Conv2d(channels, channels_out, 1, stride=2), nn.BatchNorm2d(channels_out))

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) to (N, 2C, H/2, W/2)."""
        y = F.relu(self.bn1(self.conv1(x)))
        return F.relu(self.bn2(self.conv2(y)) + self.shortcut(x))


class ResEmoteNet(nn.Module):
    """The network that ``config`` describes.

    Takes (N, 3, S, S) float32, a gray face copied to three channels, divided by 255 and normalised with ``config.mean``
    and ``config.std``; S is ``config.input_size``. Gives (N, ``config.num_classes``) float32 logits.
    """

    def __init__(self, config: ModelConfig, dropout: tuple[float, float] = (0.2, 0.5)) -> None:
        super().__init__()
        self.config = config
        c = config.channels
        self.conv1, self.bn1 = nn.Conv2d(3, c, 3, padding=1), nn.BatchNorm2d(c)
        self.conv2, self.bn2 = nn.Conv2d(c, 2 * c, 3, padding=1), nn.BatchNorm2d(2 * c)
        self.conv3, self.bn3 = nn.Conv2d(2 * c, 4 * c, 3, padding=1), nn.BatchNorm2d(4 * c)
        self.dropout1, self.dropout2 = nn.Dropout(dropout[0]), nn.Dropout(dropout[1])
        self.se = SqueezeExcitation(4 * c)
        self.res_block1 = ResidualBlock(4 * c, 8 * c)
        self.res_block2 = ResidualBlock(8 * c, 16 * c)
        self.res_block3 = ResidualBlock(16 * c, 32 * c)
        self.fc1, self.fc2 = nn.Linear(32 * c, 16 * c), nn.Linear(16 * c, 8 * c)
        self.fc3, self.fc4 = nn.Linear(8 * c, 4 * c), nn.Linear(4 * c, config.num_classes)
        if config.transformer:
            self.localization = nn.Sequential(
                nn.Conv2d(3, 16, 7), nn.MaxPool2d(2), nn.ReLU(), nn.Conv2d(16, 32, 7), nn.MaxPool2d(2), nn.ReLU()
            )
            flat = 32 * taps.localization_side(config.input_size) ** 2
            self.fc_loc = nn.Sequential(nn.Linear(flat, 32), nn.ReLU(), nn.Linear(32, 6))
            nn.init.zeros_(self.fc_loc.get_parameter("2.weight"))
            self.fc_loc.get_parameter("2.bias").data = torch.tensor([1.0, 0, 0, 0, 1, 0])  # the identity map

    def transform(self, x: Tensor) -> Tensor:
        """Sample ``x`` (N, 3, S, S) through the affine map (N, 2, 3) that the localisation network reads off it."""
        theta = self.fc_loc(self.localization(x).flatten(1)).view(-1, 2, 3)
        grid = F.affine_grid(theta, list(x.shape), align_corners=False)  # (N, S, S, 2)
        return F.grid_sample(x, grid, align_corners=False)

    def forward(self, x: Tensor) -> Tensor:
        """(N, 3, S, S) to logits (N, classes)."""
        if self.config.transformer:
            x = self.transform(x)
        x = self.dropout1(F.max_pool2d(F.relu(self.bn1(self.conv1(x))), 2))  # (N, c, S/2, S/2)
        x = self.dropout1(F.max_pool2d(F.relu(self.bn2(self.conv2(x))), 2))  # (N, 2c, S/4, S/4)
        x = self.se(F.max_pool2d(F.relu(self.bn3(self.conv3(x))), 2))  # (N, 4c, S/8, S/8)
        x = self.res_block3(self.res_block2(self.res_block1(x)))  # (N, 32c, S/64, S/64), at least 1x1
        x = x.mean(dim=(2, 3))
        x = self.dropout2(F.relu(self.fc1(x)))
        x = self.dropout2(F.relu(self.fc2(x)))
        x = self.dropout2(F.relu(self.fc3(x)))
        logits: Tensor = self.fc4(x)
        return logits


def from_checkpoint(checkpoint: Checkpoint) -> ResEmoteNet:
    """Build the network of a checkpoint with its weights, in evaluation mode; taps that were dropped are zero."""
    model = ResEmoteNet(checkpoint.config)
    full = taps.restore(checkpoint.weights, checkpoint.config)
    missing, unexpected = model.load_state_dict({k: torch.tensor(v) for k, v in full.items()}, strict=False)
    wanting = [key for key in missing if not key.endswith("num_batches_tracked")]
    if wanting or unexpected:
        raise ValueError(f"checkpoint does not fit its own config: missing {wanting}, unexpected {list(unexpected)}")
    return model.eval()
