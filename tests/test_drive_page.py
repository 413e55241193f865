"""resemotenet.drive_page: what came in place of a checkpoint."""

import hashlib
import struct

import drive as stand_in
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from resemotenet.drive_page import Page, is_html, page_error, read_page, title

ID = "1aB-cD_eF0123456789ghijklmnopqrstu"


def sha256(body):
    return hashlib.sha256(body).hexdigest()


@pytest.mark.parametrize(
    "start",
    [
        b"<!DOCTYPE html><p>",
        b"<!doctype HTML>",
        b"\n\t <HTML lang=en>",
        b"\xef\xbb\xbf<html>",
        b"\xef\xbb\xbf\n<!-- saved --><html>",
        "<!DOCTYPE html><p>".encode("utf-16"),
        b"\xfe\xff" + "<html>".encode("utf-16-be"),
        b"<!-- a comment --> <html>",
        b"<head><title>x</title>",
        b"<script>location='/'</script>",
        b'<?xml version="1.0"?><Error><Code>NoSuchKey</Code>',
        b"<h1>Not found</h1>",
    ],
)
def test_pages_are_told_by_their_start(start):
    assert is_html(start)


@pytest.mark.parametrize(
    "start", [b"", b"PK\x03\x04", b"\x80\x02\x8a\nl\xfc", b"<", b"< html>", b"<pickle>", b"a <html>"]
)
def test_what_is_no_page(start):
    assert not is_html(start)


@given(st.integers(2, 2**40), st.binary(max_size=100))
@example(int.from_bytes(b"<h1>", "little"), b"")
@example(int.from_bytes(b"<!--", "little"), b"")
@example(int.from_bytes(b" <p>", "little"), b"")
def test_no_safetensors_file_is_a_page(header_length, rest):
    assert not is_html(struct.pack("<Q", header_length) + b'{"' + rest)


@given(st.binary(max_size=300), st.integers(100, 599))
def test_any_bytes_are_some_page(start, status):
    assert read_page(start, status) in Page
    assert title(start) is None or title(start).isprintable()


@pytest.mark.parametrize(
    ("text", "status", "url", "expected"),
    [
        (stand_in.QUOTA_PAGE, 200, "", Page.QUOTA),
        (stand_in.QUOTA_PAGE, 403, "", Page.QUOTA),
        (stand_in.SIGN_IN_PAGE, 200, "", Page.SIGN_IN),
        (stand_in.DENIED_PAGE, 200, "", Page.SIGN_IN),
        ("<html>", 200, "https://accounts.google.com/v3/signin/identifier", Page.SIGN_IN),
        ("<html>", 403, "", Page.SIGN_IN),
        ("", 401, "", Page.SIGN_IN),
        (stand_in.CONFIRM_PAGE, 200, "", Page.CONFIRM),
        ("<html><p>Google Drive can&#8217;t scan this file for viruses.", 200, "", Page.CONFIRM),
        (stand_in.MISSING_PAGE, 404, "", Page.NOT_FOUND),
        ("", 410, "", Page.NOT_FOUND),
        ("", 429, "", Page.SERVER_FAILURE),
        ("<html>", 503, "", Page.SERVER_FAILURE),
        ("<html>", 200, "", Page.OTHER),
        ("PK", 200, "", Page.FILE),
        ("PK", 418, "", Page.OTHER),
    ],
)
def test_pages_are_told_apart(text, status, url, expected):
    assert read_page(text.encode(), status, url) is expected


@pytest.mark.parametrize("page", Page)
def test_every_page_has_its_error(page):
    assert str(page_error("model", page, "'A title'")).startswith("model: 'A title': ")


def test_titles_are_one_printable_line():
    assert title(b"<html><TITLE lang=en>\n A &amp; B\x1b[31m\n</title>") == "'A & B[31m'"
    assert title(b"<html><title></title>") is None
    assert len(title(b"<title>" + b"x" * 500 + b"</title>")) == 102
