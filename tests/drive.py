"""A local stand-in for Google Drive and for a plain https server, which also misbehaves.

``Drive`` serves; ``route`` sends the requests that ``requests`` makes to Drive's hosts, and to example.org and its
subdomains, to it, so that gdown runs as it is up to the wire. A request to any other machine fails the test.

    drive.answers["FILE_ID"] = whole(body)              # https://drive.google.com/... of that id
    drive.answers["/model.pth"] = html()                # https://example.org/model.pth
"""

from __future__ import annotations

import html as html_module
import socket
import threading
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import pytest
import requests
from requests.adapters import HTTPAdapter

if TYPE_CHECKING:
    from collections.abc import Iterator

LOOPBACK = "127.0.0.1"
GOOGLE_HOSTS = {"drive.google.com", "docs.google.com", "drive.usercontent.google.com", "accounts.google.com"}
UNKNOWN_HOST = "unknown.example.org"

QUOTA_PAGE = """<!DOCTYPE html><html><head><title>Google Drive - Quota exceeded</title></head><body>
<a href="https://accounts.google.com/ServiceLogin?service=wise">Sign in</a>
<p class="uc-error-caption">This file cannot be given out now.</p>
<p class="uc-error-subcaption">Too many users have viewed or downloaded this file recently. Wait a day.</p>
</body></html>"""
SIGN_IN_PAGE = """<!doctype html><html lang="en"><head><title>Sign in - Google Accounts</title></head><body>
<form action="https://accounts.google.com/ServiceLogin"><input name="Email"></form></body></html>"""
DENIED_PAGE = """<!doctype html><html><head><title>Google Drive: You need access</title></head><body></body></html>"""
MISSING_PAGE = """<!DOCTYPE html><html lang=en><title>Error 404 (Not Found)!!1</title><p>No such thing.</html>"""
VIEWER_PAGE = """<!DOCTYPE html><html><head><title>model.pth - Google Drive</title></head><body>
<a href="https://accounts.google.com/signin">Sign in</a></body></html>"""
CONFIRM_PAGE = (
    "<!DOCTYPE html><html><head><title>Google Drive - Virus scan warning</title></head><body>\n"
    "<p>Google Drive can't scan this file for viruses.</p>\n"
    '<form id="download-form" action="https://drive.usercontent.google.com/download" method="get">{inputs}</form>\n'
    "</body></html>"
)


@dataclass
class Seen:
    """One request that came."""

    host: str
    path: str
    query: dict[str, list[str]]
    headers: dict[str, str]


class Exchange(BaseHTTPRequestHandler):
    """One request and the means to answer it well or badly."""

    drive: Drive
    seen: Seen

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        query = parse_qs(parts.query)
        self.seen = Seen(self.headers["Host"], parts.path, query, dict(self.headers))
        self.drive.seen.append(self.seen)
        if self.seen.host == "accounts.google.com":
            self.page(SIGN_IN_PAGE)
        elif self.seen.host in GOOGLE_HOSTS and parts.path == "/open":
            self.page(VIEWER_PAGE)
        else:
            key = query.get("id", [parts.path])[0]
            self.drive.answers.get(key, page(MISSING_PAGE, 404))(self)

    def start(self, status: int, headers: dict[str, str]) -> None:
        """Send the status and headers; the connection closes after the body."""
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Connection", "close")
        self.end_headers()
        self.close_connection = True

    def page(self, text: str, status: int = 200) -> None:
        """Send a web page."""
        body = text.encode()
        self.start(status, {"Content-Type": "text/html; charset=utf-8", "Content-Length": str(len(body))})
        self.wfile.write(body)

    def file(self, body: bytes, sent: int | None = None, **headers: str) -> None:
        """Announce a file and send its first ``sent`` bytes, or all."""
        self.start(200, file_headers(len(body)) | headers)
        self.wfile.write(body[:sent])

    def log_message(self, *_: Any) -> None:
        """Keep quiet."""


Answer = Callable[[Exchange], None]


def file_headers(length: int) -> dict[str, str]:
    return {
        "Content-Type": "application/octet-stream",
        "Content-Disposition": "attachment; filename=\"model.pth\"; filename*=UTF-8''model.pth",
        "Content-Length": str(length),
    }


def whole(body: bytes) -> Answer:
    """A small file, given at once; an empty one too."""
    return lambda exchange: exchange.file(body)


def page(text: str, status: int = 200) -> Answer:
    """Always this page: QUOTA_PAGE, MISSING_PAGE with 404, any HTML."""
    return lambda exchange: exchange.page(text, status)


def confirm(then: Answer, *, one_line: bool = True) -> Answer:
    """The virus-scan warning first and, once confirmed, another answer.

    Without ``one_line`` gdown does not see the form's inputs, so the warning comes again and again.
    """

    def answer(exchange: Exchange) -> None:
        if exchange.seen.query.get("confirm") == ["t"]:
            then(exchange)
            return
        fields = {"id": exchange.seen.query["id"][0], "export": "download", "confirm": "t", "uuid": "0-1"}
        if not one_line:
            fields["confirm"] = "f"
        inputs = "".join(
            f'<input type="hidden" name="{name}" value="{html_module.escape(value)}">' for name, value in fields.items()
        )
        exchange.page(CONFIRM_PAGE.format(inputs=inputs))

    return answer


def redirect(to: str) -> Answer:
    """A redirect elsewhere."""
    return lambda exchange: exchange.start(303, {"Location": to, "Content-Length": "0"})


def sign_in() -> Answer:
    """What a private file gives: Google's login page, on another host."""
    return redirect("https://accounts.google.com/ServiceLogin?service=wise&passive=1209600")


def in_turn(*answers: Answer) -> Answer:
    """These answers, one a request; the last one for ever."""
    left = list(answers)

    def answer(exchange: Exchange) -> None:
        following = left.pop(0) if len(left) > 1 else left[0]
        following(exchange)

    return answer


def cut(body: bytes, at: int) -> Answer:
    """The whole length announced, the connection closed after ``at`` bytes."""
    return lambda exchange: exchange.file(body, at, ETag='"one"')


def resume(body: bytes) -> Answer:
    """The rest of a file that was cut, by Range, as a server does that can."""

    def answer(exchange: Exchange) -> None:
        asked = exchange.seen.headers.get("Range")
        if asked is None:
            exchange.file(body, ETag='"one"')
            return
        start = int(asked.removeprefix("bytes=").removesuffix("-"))
        headers = file_headers(len(body) - start)
        headers["Content-Range"] = f"bytes {start}-{len(body) - 1}/{len(body)}"
        exchange.start(206, headers)
        exchange.wfile.write(body[start:])

    return answer


def chunked_and_cut(body: bytes) -> Answer:
    """A chunked answer, its length not announced, whose end never comes."""

    def answer(exchange: Exchange) -> None:
        exchange.protocol_version = "HTTP/1.1"
        exchange.start(200, {"Content-Type": "application/octet-stream", "Transfer-Encoding": "chunked"})
        exchange.wfile.write(f"{len(body):x}\r\n".encode() + body + b"\r\n" if body else b"")

    return answer


def stall(body: bytes = b"", announced: int = 100) -> Answer:
    """Headers and these bytes, then nothing until the server closes."""

    def answer(exchange: Exchange) -> None:
        exchange.start(200, file_headers(announced))
        exchange.wfile.write(body)
        exchange.wfile.flush()
        exchange.drive.closing.wait()

    return answer


def silence() -> Answer:
    """Not even headers."""

    def answer(exchange: Exchange) -> None:
        exchange.drive.closing.wait()
        exchange.close_connection = True

    return answer


def hang_up() -> Answer:
    """The connection closed without a word."""

    def answer(exchange: Exchange) -> None:
        exchange.close_connection = True

    return answer


def endless() -> Answer:
    """A body whose length is not announced and that has no end."""

    def answer(exchange: Exchange) -> None:
        exchange.start(200, {"Content-Type": "application/octet-stream"})
        while not exchange.drive.closing.is_set():
            exchange.wfile.write(b"\1" * 65536)

    return answer


class Server(ThreadingHTTPServer):
    """Threads that end with the server; a client that hangs up is no error."""

    daemon_threads = True

    def handle_error(self, *_: Any) -> None:
        """Keep quiet: clients of these tests hang up."""


@dataclass
class Drive:
    """The stand-in: what it answers, by Drive id or by path, and what it was asked."""

    answers: dict[str, Answer] = field(default_factory=dict)
    seen: list[Seen] = field(default_factory=list)
    closing: threading.Event = field(default_factory=threading.Event)
    port: int = 0

    @contextmanager
    def running(self) -> Iterator[Drive]:
        """Serve on a free port of the loopback while the context lasts."""
        with Server((LOOPBACK, 0), type("BoundExchange", (Exchange,), {"drive": self})) as server:
            self.port = server.server_port
            thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
            thread.start()
            try:
                yield self
            finally:
                self.closing.set()
                server.shutdown()
                thread.join()

    def route(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Send requests for the hosts that this server plays to it, and let none out."""
        send = HTTPAdapter.send
        resolve = socket.getaddrinfo

        def send_here(adapter: HTTPAdapter, request: requests.PreparedRequest, **options: Any) -> requests.Response:
            url = request.url or ""
            host = urlsplit(url).hostname or ""
            options["proxies"] = {}
            if host in {LOOPBACK, UNKNOWN_HOST}:
                return send(adapter, request, **options)
            if host not in GOOGLE_HOSTS and host != "example.org" and not host.endswith(".example.org"):
                pytest.fail(f"the test reached for {host}")
            request.headers["Host"] = host
            parts = urlsplit(url)
            request.url = parts._replace(scheme="http", netloc=f"{LOOPBACK}:{self.port}").geturl()
            try:
                response = send(adapter, request, **options)
            finally:
                request.url = url
                del request.headers["Host"]
            response.url = url
            return response

        def resolve_loopback(host: str, *args: Any, **options: Any) -> Any:
            if host != LOOPBACK:
                raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
            return resolve(host, *args, **options)

        monkeypatch.setattr(HTTPAdapter, "send", send_here)
        monkeypatch.setattr(socket, "getaddrinfo", resolve_loopback)


def refusing_port() -> int:
    """A port of the loopback on which nobody listens."""
    with socket.socket() as taken:
        taken.bind((LOOPBACK, 0))
        port: int = taken.getsockname()[1]
    return port
