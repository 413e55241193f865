"""What the service answers, as a client sees it. Fields that a newer service adds are left out."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field


class _Answer(BaseModel):
    model_config = ConfigDict(frozen=True, protected_namespaces=())


class Box(_Answer):
    """A rectangle in pixels of the upright frame, origin top left."""

    x: float
    y: float
    width: float
    height: float


class Face(_Answer):
    """A face, and what it shows.

    `probabilities` has every label of the model, in the model's order, and sums to 1. `confidence` is the face
    detector's, 0 to 1. `track` is a number that stays with the face in a stream.
    """

    box: Box
    confidence: float | None = None
    emotion: str
    probabilities: dict[str, float]
    track: int | None = None


class Prediction(_Answer):
    """The emotion of the largest face in a frame, and all its faces, largest first. Without a face, None and none."""

    emotion: str | None = None
    probabilities: dict[str, float] | None = None
    faces: tuple[Face, ...] = ()
    model: str | None = None


class Problem(_Answer):
    """Why a frame could not be read."""

    code: str
    message: str


class StreamPrediction(Prediction):
    """A stream's answer to a frame.

    `frame` is the frame's number among those that were sent, from 1; `dropped` is how many of them went unanswered so
    far, since newer ones had come. A frame that could not be read has a `problem`.
    """

    frame: int
    dropped: int = 0
    problem: Problem | None = Field(default=None, validation_alias="error")


class Health(_Answer):
    """Whether the service is ready ("ok") or not ("starting"), and with what it answers."""

    status: str
    version: str | None = None
    model: str | None = None
    labels: tuple[str, ...] | None = None
    engine: str | None = None
    detector: str | None = None
