"""resemotenet.fetch: a file that is whole, or refused with a reason."""

import hashlib
import os
import random
import socket
import subprocess
import sys
import traceback
from pathlib import Path

import drive as stand_in
import pytest

from resemotenet.fetch import fetch
from resemotenet.source import parse
from resemotenet.source_errors import (
    EmptySourceError,
    HashMismatchError,
    InsecureURLError,
    QuotaError,
    ServerFailureError,
    SourceError,
    SourceForbiddenError,
    SourceFormatError,
    SourceNotFoundError,
    UnreachableError,
    WebPageError,
)

ID = "1aB-cD_eF0123456789ghijklmnopqrstu"
URL = "https://example.org/model.pth"
BODY = b"PK\x03\x04" + random.Random(0).randbytes(1_300_000)  # two and a half of gdown's chunks
SMALL = b"PK\x03\x04" + bytes(2000)


def sha256(body):
    return hashlib.sha256(body).hexdigest()


def test_a_local_file_is_read_where_it_is(tmp_path):
    path = tmp_path / "of-someone" / "model.pth"
    path.parent.mkdir()
    path.write_bytes(BODY)
    reports = []
    fetched = fetch(str(path), tmp_path, progress=lambda done, total: reports.append((done, total)))
    assert (fetched.path, fetched.sha256, fetched.description) == (path, sha256(BODY), "model.pth")
    assert reports == [(2**20, len(BODY)), (len(BODY), len(BODY))]


@pytest.mark.parametrize("form", [str.lower, str.upper, "sha256:{}".format, " {}\n".format])
def test_sha256_in_every_form(tmp_path, form):
    path = tmp_path / "model.pth"
    path.write_bytes(SMALL)
    assert fetch(str(path), tmp_path, form(sha256(SMALL))).sha256 == sha256(SMALL)


@pytest.mark.parametrize(
    "bad", ["", "abc", "g" * 64, "0" * 63, "0" * 65, "md5:" + "0" * 64, "\N{FULLWIDTH DIGIT ONE}" * 64]
)
def test_a_malformed_sha256_is_refused_before_anything_else(refused, bad):
    refused("https://unreachable.invalid/x", SourceFormatError, "expected 64 hex digits", sha256=bad)


def test_a_wrong_sha256_says_both(tmp_path, refused):
    path = str(tmp_path / "already-there")
    (tmp_path / "already-there").touch()
    refused(path, HashMismatchError, sha256(b"kept"), "0" * 64, "if you trust", sha256="0" * 64)


def test_a_missing_file_is_named(refused):
    refused("models/none.pth", SourceNotFoundError, "'models/none.pth': no such file")


@pytest.mark.parametrize(
    "text",
    ["user:secret@example.org/model.pth?token=secret", "example.org/model.pth?token=secret", "m.pth#secret"],
)
def test_a_missing_file_that_may_be_a_url_keeps_its_secrets(refused, text):
    caught = refused(text, SourceNotFoundError, ".pth': no such file")
    assert "secret" not in str(caught.value)


def test_a_very_long_name_is_cut_short(refused):
    caught = refused("a/" * 5000, SourceNotFoundError, "no such file")
    assert len(str(caught.value)) < 400


def test_a_directory_is_no_checkpoint(tmp_path):
    with pytest.raises(SourceNotFoundError, match="a directory; expected"):
        fetch(str(tmp_path), tmp_path)


def test_a_pipe_is_no_checkpoint(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(SourceNotFoundError, match="no regular file"):
        fetch(str(tmp_path / "pipe"), tmp_path)


def test_an_unreadable_file(tmp_path, monkeypatch):
    def deny(*_args, **_options):
        raise PermissionError(13, "Permission denied")

    (tmp_path / "already-there").write_bytes(b"kept")
    monkeypatch.setattr(Path, "open", deny)
    with pytest.raises(SourceForbiddenError, match="cannot be read: Permission denied"):
        fetch(str(tmp_path / "already-there"), tmp_path)


def test_an_empty_file(tmp_path):
    (tmp_path / "model.pth").touch()
    with pytest.raises(EmptySourceError, match=r"model\.pth: the file is empty"):
        fetch(str(tmp_path / "model.pth"), tmp_path)


def test_a_page_saved_by_a_browser_as_a_checkpoint(tmp_path):
    (tmp_path / "model.pth").write_text(stand_in.QUOTA_PAGE)
    with pytest.raises(QuotaError):
        fetch(str(tmp_path / "model.pth"), tmp_path)


def test_a_local_file_needs_no_gdown(tmp_path):
    (tmp_path / "model.pth").write_bytes(SMALL)
    code = (
        "import sys, pathlib; from resemotenet.fetch import fetch; "
        f"fetch({str(tmp_path / 'model.pth')!r}, pathlib.Path('.')); "
        "assert not {'gdown', 'requests'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=Path(__file__).parent.parent)


def test_a_url(drive, tmp_path):
    drive.answers["/model.pth"] = stand_in.whole(BODY)
    fetched = fetch("https://user:secret@example.org/model.pth?token=secret", tmp_path)
    assert fetched.path.read_bytes() == BODY
    assert fetched.description == URL


@pytest.mark.parametrize(
    ("status", "error", "words"),
    [
        (401, SourceForbiddenError, "HTTP 401: it is not public"),
        (403, SourceForbiddenError, "HTTP 403: it is not public"),
        (404, SourceNotFoundError, "HTTP 404: no such file there"),
        (410, SourceNotFoundError, "HTTP 410: no such file there"),
        (418, SourceError, "HTTP 418: the server refused it"),
        (429, ServerFailureError, "HTTP 429: the server failed or is too busy"),
        (500, ServerFailureError, "HTTP 500: the server failed or is too busy"),
    ],
)
def test_http_errors_keep_secrets(drive, refused, status, error, words):
    drive.answers["/model.pth"] = stand_in.page("<html>", status)
    caught = refused("https://us:secret@example.org/model.pth?token=secret", error, f"{URL}: {words}")
    trace = "".join(traceback.format_exception(None, caught.value, None))
    assert "secret" not in trace


def test_a_server_that_fails_once(drive, tmp_path):
    drive.answers["/model.pth"] = stand_in.in_turn(stand_in.page("<html>", 500), stand_in.whole(BODY))
    assert fetch(URL, tmp_path).sha256 == sha256(BODY)


def test_a_web_page_under_200(drive, refused):
    drive.answers["/model.pth"] = stand_in.page("\n<HTML><title>model.pth at main</title>")
    refused(URL, WebPageError, f"{URL}: 'model.pth at main': found a web page, expected a checkpoint")


def test_a_url_that_redirects_to_https(drive, tmp_path):
    drive.answers["/model.pth"] = stand_in.redirect("https://cdn.example.org/data?token=1")
    drive.answers["/data"] = stand_in.whole(BODY)
    fetched = fetch(URL, tmp_path)
    assert (fetched.sha256, fetched.description) == (sha256(BODY), URL)


def test_a_url_that_redirects_to_plain_http(drive, tmp_path, refused):
    drive.answers["/model.pth"] = stand_in.redirect("http://cdn.example.org/data")
    drive.answers["/data"] = stand_in.whole(BODY)
    refused(URL, InsecureURLError, "redirects to plain http")
    (tmp_path / "already-there").unlink()
    assert fetch(URL, tmp_path, sha256(BODY)).sha256 == sha256(BODY)


def test_a_url_that_works_only_once(drive, tmp_path):
    drive.answers["/model.pth"] = stand_in.in_turn(stand_in.whole(BODY), stand_in.hang_up())
    assert fetch(URL, tmp_path).sha256 == sha256(BODY)


def test_a_url_that_redirects_without_end(drive, refused):
    drive.answers["/model.pth"] = stand_in.redirect(URL)
    refused(URL, UnreachableError, "it redirects without end")


def test_plain_http_needs_a_hash(drive, tmp_path, refused):
    drive.answers["/model.pth"] = stand_in.whole(BODY)
    url = "http://example.org/model.pth"
    refused(url, InsecureURLError, "somebody on the way could replace the weights", "sha256")
    assert not drive.seen
    (tmp_path / "already-there").unlink()
    assert fetch(url, tmp_path, sha256(BODY)).sha256 == sha256(BODY)


def test_plain_http_on_this_machine(drive, tmp_path):
    drive.answers["/model.pth"] = stand_in.whole(BODY)
    assert fetch(f"http://127.0.0.1:{drive.port}/model.pth", tmp_path).sha256 == sha256(BODY)
    for url in ("http://localhost/x", "http://[::1]:80/x"):
        assert not parse(url).is_insecure
    for url in ("http://127.0.0.1.example.org/x", "http://localhost@example.org/x", "http://192.168.0.1/x"):
        assert parse(url).is_insecure


@pytest.mark.usefixtures("drive")
def test_nobody_listens(refused):
    url = f"http://127.0.0.1:{stand_in.refusing_port()}/model.pth?secret"
    caught = refused(url, UnreachableError, "no connection could be made")
    assert "secret" not in str(caught.value)


@pytest.mark.usefixtures("drive")
def test_a_host_that_does_not_exist(refused):
    refused(
        f"https://{stand_in.UNKNOWN_HOST}/model.pth",
        UnreachableError,
        "the host's name is not known",
    )


def test_a_certificate_that_is_none(drive, refused):
    refused(
        f"https://127.0.0.1:{drive.port}/model.pth",
        UnreachableError,
        "the secure connection failed",
    )


@pytest.mark.usefixtures("drive")
def test_the_tests_reach_no_other_machine(tmp_path):
    with pytest.raises(pytest.fail.Exception, match=r"reached for pytorch\.org"):
        fetch("https://pytorch.org/model.pth", tmp_path)
    with pytest.raises(socket.gaierror):
        socket.getaddrinfo("pytorch.org", 443)


def test_nothing_is_printed(drive, tmp_path, capfd):
    drive.answers[ID] = stand_in.in_turn(stand_in.cut(BODY, 600_000), stand_in.resume(BODY))
    fetch(ID, tmp_path)
    assert capfd.readouterr() == ("", "")
