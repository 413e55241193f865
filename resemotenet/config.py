"""What a ResEmoteNet checkpoint is: the facts that travel with its weights."""

from __future__ import annotations

from collections import Counter
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, model_validator

#: The seven labels of the service that this one replaces, in the order in which it printed them.
SERVICE_LABELS = ("angry", "frustration", "boredom", "happy", "sad", "surprise", "neutral")
#: The seven labels of the paper's weights (arXiv 2409.10545), in their order.
PAPER_LABELS = ("happy", "surprise", "sad", "angry", "disgust", "fear", "neutral")
#: Channels of the published network's first convolution.
PAPER_CHANNELS = 64

Label = Annotated[str, Field(min_length=1, max_length=64, pattern=r"^\S(.*\S)?$")]
Finite = Annotated[float, Field(allow_inf_nan=False)]
Channels = tuple[Finite, Finite, Finite]
Deviation = Annotated[float, Field(gt=0, allow_inf_nan=False)]


class Provenance(BaseModel):
    """Where a checkpoint came from. Every field may be unknown."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    source: str | None = Field(default=None, description="Drive link, URL or file name that the weights were read from")
    sha256: str | None = Field(default=None, description="SHA-256 of that file, in hex")
    metrics: dict[str, Finite] = Field(default_factory=dict, description="Measured figures, each named with its split")


class ModelConfig(BaseModel):
    """Labels, shape and input of one ResEmoteNet.

    ``input_size`` is the side in pixels of the square gray crop that the network takes; ``mean`` and ``std`` normalise
    the three copies of that crop after division by 255; ``width`` scales every channel count of the published network;
    ``transformer`` says whether a spatial transformer stands in front.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    labels: tuple[Label, ...] = Field(min_length=2)
    input_size: int = Field(default=64, ge=32, le=512, multiple_of=16)
    width: float = Field(default=1.0, gt=0, le=4)
    transformer: bool = False
    mean: Channels = (0.485, 0.456, 0.406)
    std: tuple[Deviation, Deviation, Deviation] = (0.229, 0.224, 0.225)
    provenance: Provenance = Field(default_factory=Provenance)

    @model_validator(mode="after")
    def _labels_are_distinct(self) -> ModelConfig:
        repeated = [label for label, count in Counter(self.labels).items() if count > 1]
        if repeated:
            raise ValueError(f"labels must differ from each other; repeated: {', '.join(repeated)}")
        return self

    @property
    def channels(self) -> int:
        """How many channels the first convolution gives: 64 in the published network."""
        return max(4, round(PAPER_CHANNELS * self.width))

    @property
    def num_classes(self) -> int:
        """How many labels the network tells apart."""
        return len(self.labels)
