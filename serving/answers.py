"""An analysis of a frame -> what the client gets."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from starlette.responses import Response

from serving.schemas import Box, Face, FacePrediction, Prediction, StreamPrediction, TrackedFace

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from serving.pipeline import Analysis

#: Decimals of a probability, of a box's pixels, of a detector's confidence.
DECIMALS, PIXEL_DECIMALS, CONFIDENCE_DECIMALS = 6, 1, 2


def prediction(analysis: Analysis, labels: Sequence[str], model: str) -> Prediction:
    """Say which emotion each face shows, in the names of the model's labels."""
    faces = [
        FacePrediction(
            emotion=labels[int(row.argmax())],
            probabilities=named(row, labels),
            box=Box(**{side: round(value, PIXEL_DECIMALS) for side, value in face.box._asdict().items()}),
            confidence=None if face.confidence is None else round(face.confidence, CONFIDENCE_DECIMALS),
        )
        for face, row in zip(analysis.faces, analysis.probabilities, strict=True)
    ]
    if not faces:
        return Prediction(emotion=None, probabilities=None, face=None, faces=[], model=model)
    first = faces[0]
    return Prediction(
        emotion=first.emotion,
        probabilities=first.probabilities,
        face=Face(box=first.box, confidence=first.confidence),
        faces=faces,
        model=model,
    )


def stream_prediction(
    analysis: Analysis, labels: Sequence[str], model: str, *, tracks: Sequence[int] | None, frame: int, dropped: int
) -> StreamPrediction:
    """Answer a stream's frame: the prediction, the number of the frame and of each face, and how many were dropped."""
    plain = prediction(analysis, labels, model)
    numbers: Sequence[int | None] = [None] * len(plain.faces) if tracks is None else tracks
    faces = [TrackedFace(**dict(face), track=number) for face, number in zip(plain.faces, numbers, strict=True)]
    return StreamPrediction(**{**dict(plain), "faces": faces}, frame=frame, dropped=dropped)


def named(row: NDArray[np.float32], labels: Sequence[str]) -> dict[str, float]:
    """Name each of a row's (C,) probabilities."""
    return dict(zip(labels, rows(row[None])[0], strict=True))


def rows(probabilities: NDArray[np.float32]) -> list[list[float]]:
    """Give (N, C) probabilities as numbers for JSON."""
    numbers: list[list[float]] = probabilities.astype(np.float64).round(DECIMALS).tolist()
    return numbers


def response(analysis: Analysis, labels: Sequence[str], model: str) -> Response:
    """Answer 200 with the prediction, and with each stage's time in a Server-Timing header."""
    body = prediction(analysis, labels, model).model_dump_json()
    headers = {"Server-Timing": analysis.timings.header()}
    return Response(body, media_type="application/json", headers=headers)
