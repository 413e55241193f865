"""resemotenet.download: the stand-in for Google Drive gives a file, or misbehaves."""

import hashlib
import random

import drive as stand_in
import pytest

from resemotenet import download
from resemotenet.fetch import fetch
from resemotenet.source_errors import (
    ConfirmPageError,
    EmptySourceError,
    HashMismatchError,
    IncompleteError,
    QuotaError,
    ServerFailureError,
    SourceError,
    SourceForbiddenError,
    SourceNotFoundError,
    TooLargeError,
    UnreachableError,
    WebPageError,
)

ID = "1aB-cD_eF0123456789ghijklmnopqrstu"
CANONICAL = f"https://drive.google.com/file/d/{ID}/view"
URL = "https://example.org/model.pth"
BODY = b"PK\x03\x04" + random.Random(0).randbytes(1_300_000)  # two and a half of gdown's chunks
SMALL = b"PK\x03\x04" + bytes(2000)


def sha256(body):
    return hashlib.sha256(body).hexdigest()


def test_a_small_file_comes_from_drive(drive, tmp_path):
    drive.answers[ID] = stand_in.whole(BODY)
    reports = []
    fetched = fetch(CANONICAL, tmp_path, sha256(BODY), lambda done, total: reports.append((done, total)))
    assert fetched.path == tmp_path / "checkpoint"
    assert fetched.path.read_bytes() == BODY
    assert (fetched.sha256, fetched.description) == (sha256(BODY), CANONICAL)
    assert reports[-1] == (len(BODY), len(BODY))
    assert list(tmp_path.iterdir()) == [fetched.path]
    assert [(seen.host, seen.path) for seen in drive.seen] == [("drive.google.com", "/uc")]
    assert "Cookie" not in drive.seen[0].headers


def test_a_large_file_is_confirmed(drive, tmp_path):
    drive.answers[ID] = stand_in.confirm(stand_in.whole(BODY))
    assert fetch(ID, tmp_path).path.read_bytes() == BODY
    assert [seen.host for seen in drive.seen] == ["drive.google.com", "drive.usercontent.google.com"]
    assert drive.seen[1].query == {"id": [ID], "export": ["download"], "confirm": ["t"], "uuid": ["0-1"]}


def test_a_redirect_within_google(drive, tmp_path):
    there = f"https://drive.usercontent.google.com/download?id={ID}&export=download"
    drive.answers[ID] = stand_in.in_turn(stand_in.redirect(there), stand_in.whole(BODY))
    assert fetch(ID, tmp_path).sha256 == sha256(BODY)


def test_confirmation_without_end(drive, refused, monkeypatch):
    monkeypatch.setattr(download, "FIRST_BYTE_SECONDS", 0.3)
    drive.answers[ID] = stand_in.confirm(stand_in.whole(BODY), one_line=False)
    refused(ID, ConfirmPageError, CANONICAL, "Virus scan warning", "download it in a browser")


@pytest.mark.parametrize("wrap", [pytest.param(lambda answer: answer, id="at once"), stand_in.confirm])
@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (
            stand_in.page(stand_in.QUOTA_PAGE),
            (QuotaError, "too many users have viewed or downloaded this file recently"),
        ),
        (stand_in.page(stand_in.QUOTA_PAGE.replace("uc-error-sub", "")), (QuotaError, "24 hours")),
        (stand_in.sign_in(), (SourceForbiddenError, "share it as 'Anyone with the link'")),
        (stand_in.page(stand_in.DENIED_PAGE), (SourceForbiddenError, "Google Drive: You need access")),
        (stand_in.page("<html>", 403), (SourceForbiddenError, "share it as 'Anyone with the link'")),
        (stand_in.page(stand_in.MISSING_PAGE, 404), (SourceNotFoundError, "no such file")),
        (stand_in.page("<html><title>Infected file</title>"), (WebPageError, "'Infected file'")),
        (stand_in.page("<html>", 503), (ServerFailureError, "try again later")),
    ],
)
def test_pages_of_drive(drive, refused, wrap, answer, expected):
    drive.answers[ID] = wrap(answer)
    refused(ID, *expected, CANONICAL)


def test_a_page_with_the_headers_of_a_file(drive, refused):
    drive.answers[ID] = stand_in.whole(stand_in.QUOTA_PAGE.encode())
    refused(ID, QuotaError, CANONICAL)


def test_drive_fails_once(drive, tmp_path):
    drive.answers[ID] = stand_in.in_turn(stand_in.page("<html>", 500), stand_in.whole(BODY))
    assert fetch(ID, tmp_path).sha256 == sha256(BODY)


def test_drive_fails_for_ever(drive, refused):
    drive.answers[ID] = stand_in.page("<html>", 500)
    refused(ID, ServerFailureError, CANONICAL, "try again later")


def test_an_answer_without_a_content_type(drive, refused):
    drive.answers[ID] = lambda exchange: exchange.start(200, {"Content-Length": "0"})
    refused(ID, SourceError, CANONICAL)


both = pytest.mark.parametrize("source", [pytest.param(ID, id="drive"), pytest.param(URL, id="https")])
KEYS = {ID: ID, URL: "/model.pth"}


@both
@pytest.mark.parametrize("at", [1000, 600_000])
def test_a_transfer_cut_once_goes_on(drive, tmp_path, source, at):
    drive.answers[KEYS[source]] = stand_in.in_turn(stand_in.cut(BODY, at), stand_in.resume(BODY))
    fetched = fetch(source, tmp_path)
    assert fetched.path.read_bytes() == BODY
    assert fetched.sha256 == sha256(BODY)
    assert drive.seen[1].headers.get("Range") == (None if at == 1000 else "bytes=524288-")


@both
def test_a_transfer_cut_once_starts_again_where_it_cannot_go_on(drive, tmp_path, source):
    drive.answers[KEYS[source]] = stand_in.in_turn(stand_in.cut(BODY, 600_000), stand_in.whole(BODY))
    fetched = fetch(source, tmp_path)
    assert fetched.path.read_bytes() == BODY
    assert fetched.sha256 == sha256(BODY)


@both
def test_a_file_that_changes_between_is_not_spliced(drive, tmp_path, source):
    other = BODY[::-1]
    drive.answers[KEYS[source]] = stand_in.in_turn(stand_in.cut(BODY, 600_000), stand_in.whole(other))
    assert fetch(source, tmp_path).sha256 == sha256(other)
    assert drive.seen[1].headers["If-Range"] == '"one"'


@both
@pytest.mark.parametrize("at", [0, 1000, 600_000])
def test_a_transfer_always_cut(drive, refused, source, at):
    drive.answers[KEYS[source]] = stand_in.cut(BODY, at)
    caught = refused(source, IncompleteError, f" of {len(BODY)} bytes", "try again")
    received = 524_288 if at > 524_288 else at
    assert f"received {received} of" in str(caught.value)


@pytest.mark.parametrize("body", [b"", BODY])
def test_a_chunked_transfer_cut(drive, refused, body):
    drive.answers["/model.pth"] = stand_in.chunked_and_cut(body)
    refused(URL, IncompleteError, f"received {len(body)} of an unknown number of bytes", "try again")


@both
def test_an_empty_body(drive, refused, source):
    drive.answers[KEYS[source]] = stand_in.whole(b"")
    refused(source, EmptySourceError, "the file is empty")


@both
def test_a_stall_between(drive, refused, source, monkeypatch):
    monkeypatch.setattr(download, "TIMEOUT_SECONDS", (2.0, 0.1))
    drive.answers[KEYS[source]] = stand_in.in_turn(
        stand_in.stall(BODY[:600_000], len(BODY)), *[stand_in.silence()] * 3, stand_in.silence()
    )
    refused(source, IncompleteError, f"received 524288 of {len(BODY)} bytes: no answer in time")


@both
@pytest.mark.parametrize("answer", [stand_in.stall(), stand_in.silence()])
def test_a_stall_from_the_start(drive, refused, source, answer, monkeypatch):
    monkeypatch.setattr(download, "TIMEOUT_SECONDS", (2.0, 0.1))
    drive.answers[KEYS[source]] = answer
    refused(source, UnreachableError, "no answer in time")


@both
def test_patience_ends_before_the_retries_do(drive, refused, source, monkeypatch):
    monkeypatch.setattr(download, "FIRST_BYTE_SECONDS", 0.2)
    monkeypatch.setattr(download, "TIMEOUT_SECONDS", (2.0, 0.5))
    drive.answers[KEYS[source]] = stand_in.silence()
    refused(source, UnreachableError, "not one byte of it came in 0.2 seconds")


@both
def test_the_server_hangs_up(drive, refused, source):
    drive.answers[KEYS[source]] = stand_in.hang_up()
    refused(source, UnreachableError, "the connection broke")


@both
def test_a_wrong_hash_after_a_download(drive, refused, source):
    drive.answers[KEYS[source]] = stand_in.whole(BODY)
    refused(source, HashMismatchError, sha256(BODY), "0" * 64, sha256="0" * 64)


@both
def test_too_many_bytes_announced(drive, refused, source, monkeypatch):
    monkeypatch.setattr(download, "MAX_BYTES", 1_000_000)
    drive.answers[KEYS[source]] = stand_in.whole(BODY)
    refused(source, TooLargeError, f"{len(BODY)} bytes announced", "of 1000000 bytes at most")


def test_a_body_without_end(drive, refused, monkeypatch):
    monkeypatch.setattr(download, "MAX_BYTES", 1_000_000)
    drive.answers["/model.pth"] = stand_in.endless()
    refused(URL, TooLargeError, "bytes and no end")


@both
def test_a_failure_of_the_caller_leaves_nothing(drive, tmp_path, source):
    def interrupt(_done, _total):
        raise KeyboardInterrupt

    drive.answers[KEYS[source]] = stand_in.whole(BODY)
    with pytest.raises(KeyboardInterrupt):
        fetch(source, tmp_path, progress=interrupt)
    assert not list(tmp_path.iterdir())


def test_a_full_disk(drive, refused, monkeypatch):
    def full(*_args, **_options):
        raise OSError(28, "No space left on device")

    drive.answers["/model.pth"] = stand_in.whole(SMALL)
    monkeypatch.setattr("shutil.move", full)
    refused(URL, SourceError, "could not be written here: No space left on device")
