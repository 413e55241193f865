"""Request bodies, read within their limits, in memory only, and with errors that say what was wrong.

BentoML's own readers are not used for frames: they would put an upload into a temporary file, fetch a URL that stands
in the file's place, and write a piece of what did not validate into the log.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import bentoml
import numpy as np
from pydantic import Field
from pydantic_core import from_json
from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser

from serving.errors import SCOPE_KEY, ApiError

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from numpy.typing import NDArray
    from starlette.requests import Request
    from typing_extensions import Self

#: Room beside the picture: keys, line ends within the base64, a form's headers.
ENVELOPE_BYTES = 64 * 2**10
#: No crop that /classify takes is smaller or larger than this, in pixels a side.
MIN_CROP, MAX_CROP = 8, 1024
MAX_CROPS = 256


class _Input(bentoml.IODescriptor):
    """An input whose reader may raise :class:`ApiError`; that is then what the request is answered with."""

    @classmethod
    async def from_http_request(cls, request: Request, serde: Any) -> Self:
        """Read the body; called by BentoML."""
        try:
            fields = await cls.read(request)
        except ApiError as error:
            request.scope[SCOPE_KEY] = error
            raise
        read: Self = cls.model_construct(**fields)
        return read

    @classmethod
    async def read(cls, request: Request) -> dict[str, Any]:
        """Read the fields."""
        raise NotImplementedError


class FrameInput(_Input):
    """POST /predict: a frame in JSON."""

    frame: str = Field(description="the picture in base64, as a data URL (data:image/jpeg;base64,...) or bare")

    @classmethod
    async def read(cls, request: Request) -> dict[str, Any]:
        """Read the JSON object's ``frame``."""
        frame = (await _json_object(request, 'expected {"frame": "data:image/jpeg;base64,..."}')).get("frame")
        if frame is None:
            raise ApiError(400, "missing_frame", 'The field "frame" is missing; expected a picture in base64.')
        if not isinstance(frame, str):
            kind = type(frame).__name__
            raise ApiError(400, "not_base64", f'The field "frame" is a {kind}; expected a picture in base64.')
        return {"frame": frame}


class ImageInput(_Input):
    """POST /predict_image: a picture as a multipart upload, or as the body itself."""

    image: Path = Field(description="the picture: JPEG, PNG, WebP, BMP or GIF")

    @classmethod
    async def read(cls, request: Request) -> dict[str, Any]:
        """Read the form's file ``image`` into memory."""
        limit = bentoml.get_current_service().settings.max_image_bytes + ENVELOPE_BYTES
        media_type = request.headers.get("content-type", "").split(";")[0].strip().lower()
        if media_type.startswith("image/") or media_type == "application/octet-stream":
            return {"image": b"".join([chunk async for chunk in _limited(request, limit)])}
        if media_type != "multipart/form-data":
            raise ApiError(
                415,
                "unsupported_media_type",
                "Expected multipart/form-data with a file named image (curl -F image=@me.jpg), or the picture as body.",
            )
        parser = MultiPartParser(request.headers, _limited(request, limit), max_files=1, max_fields=16)
        parser.spool_max_size = limit  # so that no frame is ever written to disk
        try:
            form = await parser.parse()
        except (MultiPartException, KeyError) as error:
            detail = error.message if isinstance(error, MultiPartException) else "it has no boundary"
            raise ApiError(400, "bad_form", f"The multipart form could not be read: {detail}") from None
        try:
            image = form.get("image")
            if not isinstance(image, UploadFile):
                raise ApiError(400, "missing_frame", "The form has no file named image: curl -F image=@me.jpg")
            return {"image": await image.read()}
        finally:
            await form.close()


class CropsInput(_Input):
    """POST /classify: gray crops of faces."""

    # not NDArray, which is an alias of another kind in numpy 2.5, and unknown to BentoML
    faces: np.ndarray[tuple[int, int, int], np.dtype[np.uint8]] = Field(
        description="(N, H, W) gray levels 0 to 255, each crop a square region round one face",
        json_schema_extra={"items": {"type": "array", "items": {"type": "array", "items": {"type": "integer"}}}},
    )

    @classmethod
    async def read(cls, request: Request) -> dict[str, Any]:
        """Read the JSON object's ``faces``, resized to the model's input, so that they fit into anybody's batch."""
        wanted = '{"faces": [[[0, 255, ...], ...], ...]}, gray levels of shape (N, H, W)'
        faces = crops((await _json_object(request, f"expected {wanted}")).get("faces"))
        return {"faces": await bentoml.get_current_service().to_input(faces)}


def crops(faces: object) -> NDArray[np.uint8]:
    """Check nested lists of gray levels; gives (N, H, W) uint8.

    Raises:
        ApiError: 400 for another shape, size or value; the message gives what was found.
    """
    expected = f"expected integers from 0 to 255 of shape (N, H, W), H and W from {MIN_CROP} to {MAX_CROP}"
    try:
        array = np.array(faces)
    except ValueError:
        raise ApiError(400, "bad_crops", f'The rows of "faces" differ in length; {expected}.') from None
    if array.ndim != 3 or array.dtype.kind not in "iu":
        found = f"{array.dtype} of shape {array.shape}" if array.ndim else type(faces).__name__
        raise ApiError(400, "bad_crops", f'"faces" is {found}; {expected}.')
    if not all(MIN_CROP <= side <= MAX_CROP for side in array.shape[1:]) or not 1 <= len(array) <= MAX_CROPS:
        raise ApiError(400, "bad_crops", f'"faces" has shape {array.shape}; {expected}, N from 1 to {MAX_CROPS}.')
    if array.min() < 0 or array.max() > 255:
        raise ApiError(400, "bad_crops", f'"faces" holds values from {array.min()} to {array.max()}; {expected}.')
    return array.astype(np.uint8)


async def _json_object(request: Request, expected: str) -> dict[str, Any]:
    limit = bentoml.get_current_service().settings.max_image_bytes * 4 // 3 + ENVELOPE_BYTES
    body = b"".join([chunk async for chunk in _limited(request, limit)])
    try:
        value = from_json(body, allow_inf_nan=False)
    except ValueError:
        raise ApiError(400, "not_json", f"The body is not JSON; {expected}.") from None
    if not isinstance(value, dict):
        raise ApiError(400, "not_json", f"The body is JSON, but a {type(value).__name__}; {expected}.")
    return value


async def _limited(request: Request, limit: int) -> AsyncGenerator[bytes, None]:
    """Give the body's chunks, and stop reading where it grows over the limit."""
    too_large = ApiError(413, "too_many_bytes", f"The body is too large; at most {limit:,} bytes are read.")
    announced = request.headers.get("content-length", "")
    if announced.isdigit() and int(announced) > limit:
        raise too_large
    received = 0
    async for chunk in request.stream():
        received += len(chunk)
        if received > limit:
            raise too_large
        yield chunk
