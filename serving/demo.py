"""The browser demo: its page at /demo, what the page is made of below /demo/."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from starlette.responses import RedirectResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

if TYPE_CHECKING:
    from starlette.requests import Request

FOLDER = Path(__file__).parents[1] / "clients" / "browser"

#: By a file's suffix; a machine's own table may say otherwise, and browsers run a module only as text/javascript.
CONTENT_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}


class _Files(StaticFiles):
    """Files which a browser may keep, but asks about each time."""

    def file_response(self, full_path: Any, *args: Any, **kwargs: Any) -> Response:
        response = super().file_response(full_path, *args, **kwargs)
        response.headers["Content-Type"] = CONTENT_TYPES[Path(full_path).suffix]
        response.headers["Cache-Control"] = "no-cache"
        return response


_files = _Files(directory=FOLDER)


async def _page(request: Request) -> Response:
    return await _files.get_response("index.html", request.scope)


async def _to_page(_: Request) -> Response:
    return RedirectResponse("../demo")  # relative: a proxy may serve it all below a prefix


routes = [
    Route("/demo", _page),
    Route("/demo/", _to_page),
    Route("/demo/index.html", _to_page),
    Mount("/demo", _files),
]
