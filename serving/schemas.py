"""What the service answers."""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import BaseModel, Field

Probabilities = dict[str, float]


class Box(BaseModel):
    """A rectangle in pixels of the frame as it is displayed, origin top left, wholly inside the frame."""

    x: float = Field(description="left edge")
    y: float = Field(description="top edge")
    width: float
    height: float


class Face(BaseModel):
    """Where a face is."""

    box: Box
    confidence: float | None = Field(description="the detector's, 0 to 1; null where the detector gives none")


class FacePrediction(Face):
    """A face, and what it shows."""

    emotion: str = Field(description="the label with the highest probability")
    probabilities: Probabilities = Field(description="of each label, in the model's order; their sum is 1")


class Prediction(BaseModel):
    """The emotion of the largest face in a frame, and of all of them. Without a face, nulls and an empty list."""

    emotion: str | None = Field(description="of the largest face")
    probabilities: Probabilities | None = Field(description="of the largest face; their sum is 1")
    face: Face | None = Field(description="where the largest face is")
    faces: Sequence[FacePrediction] = Field(description="all faces, largest first")
    model: str = Field(description="tag of the model in the store")


class TrackedFace(FacePrediction):
    """A face in a stream."""

    track: int | None = Field(description="a number that stays with the face; null where tracking was not asked for")


class StreamPrediction(Prediction):
    """A stream's answer to a frame."""

    frame: int = Field(description="the frame's number in its stream, from 1")
    dropped: int = Field(description="how many of the stream's frames were not read, since newer ones had come")
    faces: Sequence[TrackedFace] = Field(description="all faces, largest first")


class Health(BaseModel):
    """Whether the service is ready, and with what it answers."""

    status: str = Field(description="`ok`, or `starting`")
    version: str
    model: str | None = None
    labels: list[str] | None = None
    input_size: int | None = Field(default=None, description="side in pixels of the crops that /classify resizes to")
    engine: str | None = None
    detector: str | None = None


class ErrorDetail(BaseModel):
    """What was wrong."""

    code: str
    message: str


class Error(BaseModel):
    """Every error answer."""

    error: ErrorDetail


class StreamError(Error):
    """A stream's answer to a frame that could not be read. Frame 0: the stream itself was refused."""

    frame: int
    dropped: int
