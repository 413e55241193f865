"""The design that this service replaces, rebuilt from its description, to be measured beside it.

One FastAPI process; OpenCV's Haar cascade (scale 1.1, 5 neighbours, least side 40) on the whole frame; the first face;
eager PyTorch, one forward pass a request.
"""

from __future__ import annotations

import base64
import os
from pathlib import Path

import cv2
import cv2.data
import numpy as np
import torch
from fastapi import FastAPI
from PIL import Image
from pydantic import BaseModel

from resemotenet import checkpoint as checkpoints
from resemotenet import model as networks

checkpoint = checkpoints.load(Path(os.environ["BENCHMARK_MODEL"]))
config = checkpoint.config
network = networks.from_checkpoint(checkpoint)
mean, std = (torch.tensor(values).view(1, 3, 1, 1) for values in (config.mean, config.std))
cascade = cv2.CascadeClassifier(cv2.data.haarcascades + "haarcascade_frontalface_default.xml")
app = FastAPI()


class Body(BaseModel):
    """A frame as a data URL."""

    frame: str


@app.get("/health")
def health() -> dict[str, str]:
    """Say that the service is there."""
    return {"status": "ok"}


@app.post("/predict")
def predict(body: Body) -> dict[str, object]:
    """Read the first face of a frame."""
    data = np.frombuffer(base64.b64decode(body.frame.rpartition(",")[2]), np.uint8)
    picture = cv2.imdecode(data, cv2.IMREAD_COLOR)
    if picture is None:
        return {"emotion": None, "probabilities": None}
    gray = cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY)
    faces = cascade.detectMultiScale(gray, 1.1, 5, minSize=(40, 40))
    if len(faces) == 0:
        return {"emotion": None, "probabilities": None}
    x, y, width, height = faces[0]
    side = (config.input_size, config.input_size)
    face = Image.fromarray(gray[y : y + height, x : x + width]).resize(side, Image.Resampling.BILINEAR)
    pixels = torch.from_numpy(np.array(face))[None, None].float() / 255
    with torch.no_grad():
        probabilities = torch.softmax(network((pixels.expand(-1, 3, -1, -1) - mean) / std), dim=1)[0]
    emotion = config.labels[int(probabilities.argmax())]
    return {"emotion": emotion, "probabilities": dict(zip(config.labels, probabilities.tolist(), strict=True))}
