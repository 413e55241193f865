"""The Bento's front door: routes and their schemas."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, cast

import bentoml
from bentoml.exceptions import BentoMLException
from starlette.applications import Starlette
from starlette.responses import JSONResponse, Response
from starlette.routing import Route, WebSocketRoute

from resemotenet import __version__, store
from serving import answers, demo, memory
from serving import stream as streams
from serving.errors import ApiError, ErrorAnswers, ErrorResponse
from serving.inputs import CropsInput, FrameInput, ImageInput
from serving.schemas import Health, Prediction
from serving.settings import Settings, SettingsError
from serving.timeout import TimeLimit

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from starlette.requests import Request
    from starlette.websockets import WebSocket

    from serving.pipeline import Pipeline

logger = logging.getLogger("bentoml.emotion_service")

try:
    settings = Settings.from_environ()
except SettingsError as error:
    sys.exit(f"emotion_service: {error}")


async def health(_: Request) -> Response:
    """GET /health: 200 with what answers here, or 503 until it is ready."""
    try:
        report = bentoml.get_current_service().health()
    except BentoMLException:  # there is no service yet, or no more
        report = Health(status="starting", version=__version__)
    return JSONResponse(report.model_dump(), status_code=200 if report.status == "ok" else 503)


async def stream(websocket: WebSocket) -> None:
    """WebSocket /stream: pictures in, a prediction for the newest of them out."""
    await bentoml.get_current_service().stream(websocket)


@bentoml.service(name="emotion_service", traffic={"timeout": settings.request_timeout + 5})
@bentoml.asgi_app(
    Starlette(routes=[Route("/health", health), WebSocketRoute("/stream", stream), *demo.routes]), path="/"
)
class EmotionService:
    """Says which emotion the faces in a webcam frame show."""

    bento_service: bentoml.Service[EmotionService]  # set by BentoML
    model = store.StoredModel(settings.model_tag, settings.gdrive_model_url)

    def __init__(self) -> None:
        self.settings = settings
        self.model_tag = ""
        self._pipeline: asyncio.Future[Pipeline] | None = None

    @bentoml.on_startup
    async def load(self) -> None:
        """Begin to load the model; until it is there /health and /readyz say so, and frames wait."""
        self._pipeline = asyncio.ensure_future(asyncio.to_thread(self._load))
        self._pipeline.add_done_callback(_stop_without)

    @bentoml.on_shutdown
    async def close(self) -> None:
        """Finish what is under way."""
        if self._pipeline is not None and self.__is_ready__():
            await self._pipeline.result().close()

    @bentoml.api(input_spec=FrameInput, output_spec=Prediction)
    async def predict(self, frame: str) -> Response:
        """Read the faces of a frame in base64: {"frame": "data:image/jpeg;base64,..."}."""
        return await self._answer(frame)

    @bentoml.api(input_spec=ImageInput, output_spec=Prediction)
    async def predict_image(self, image: bytes) -> Response:
        """Read the faces of an uploaded picture: curl -F image=@me.jpg."""
        return await self._answer(image)

    @bentoml.api(batchable=True, input_spec=CropsInput, max_batch_size=256, max_latency_ms=5000)
    async def classify(self, faces: NDArray[np.uint8]) -> list[list[float]]:
        """Classify gray crops (N, H, W), each a square region round one face; gives (N, C) probabilities."""
        return answers.rows(await (await self.pipeline()).classify(faces))

    async def _answer(self, frame: str | bytes) -> Response:
        try:
            pipeline = await self.pipeline()
            return answers.response(await pipeline.analyse(frame), pipeline.config.labels, self.model_tag)
        except ApiError as error:
            return ErrorResponse(error)

    async def stream(self, websocket: WebSocket) -> None:
        """Serve a client's stream of frames until it leaves."""
        await websocket.accept()
        try:
            options = streams.options(websocket)
        except ApiError as error:
            await streams.refuse(websocket, error)
            return
        pipeline = await self.pipeline()
        client = streams.Stream(
            websocket,
            pipeline.analyse,
            options,
            labels=pipeline.config.labels,
            model=self.model_tag,
            timeout=settings.request_timeout,
        )
        await client.run()

    async def pipeline(self) -> Pipeline:
        """Wait for the pipeline to be loaded."""
        assert self._pipeline is not None, "the service has not been started"
        return await asyncio.shield(self._pipeline)

    async def to_input(self, crops: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Resize gray crops (N, H, W) to the model's input."""
        return await (await self.pipeline()).to_input(crops)

    def health(self) -> Health:
        """Say what answers here."""
        if self._pipeline is None or not self.__is_ready__():
            return Health(status="starting", version=__version__)
        pipeline = self._pipeline.result()
        return Health(
            status="ok",
            version=__version__,
            model=self.model_tag,
            labels=list(pipeline.config.labels),
            input_size=pipeline.config.input_size,
            engine=pipeline.engine.name,
            detector=pipeline.detector.name,
        )

    def __is_ready__(self) -> bool:
        loaded = self._pipeline
        return loaded is not None and loaded.done() and not loaded.cancelled() and loaded.exception() is None

    def _load(self) -> Pipeline:
        from serving.pipeline import Pipeline  # noqa: PLC0415  (the supervisor is spared cv2 and openvino)

        bento = self.bento_service.bento  # set where a Bento is served: it has its own, pinned model
        if bento is not None and settings.gdrive_model_url:
            logger.warning("GDRIVE_MODEL_URL is set, but a Bento serves the model that it was built with")
        stored = self.model if bento is None else bento.info.all_models[0].to_model().resolve()
        pipeline = Pipeline.load(Path(stored.path), settings)
        memory.settle()
        self.model_tag = str(stored.tag)
        return pipeline


def _stop_without(loading: asyncio.Future[Pipeline]) -> None:
    """End the process if the pipeline could not be loaded: it would never be ready."""
    if not loading.cancelled() and (error := loading.exception()) is not None:
        logger.critical("cannot serve: %s", error)
        os.kill(os.getpid(), signal.SIGTERM)


_entry = cast("bentoml.Service[EmotionService]", EmotionService)  # what the decorator made of the class
_entry.add_asgi_middleware(ErrorAnswers)
_entry.add_asgi_middleware(TimeLimit, seconds=settings.request_timeout)
