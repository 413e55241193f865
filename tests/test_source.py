"""resemotenet.source: which source a text names."""

import hashlib
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from resemotenet.source import Kind, Source, parse
from resemotenet.source_errors import (
    FolderLinkError,
    SourceError,
    SourceFormatError,
)

ID = "1aB-cD_eF0123456789ghijklmnopqrstu"
CANONICAL = f"https://drive.google.com/file/d/{ID}/view"
URL = "https://example.org/model.pth"
SMALL = b"PK\x03\x04" + bytes(2000)


def sha256(body):
    return hashlib.sha256(body).hexdigest()


@pytest.mark.parametrize(
    "link",
    [
        f"https://drive.google.com/file/d/{ID}/view?usp=sharing",
        f"https://drive.google.com/file/d/{ID}/view?usp=drive_link&resourcekey=0-abc",
        f"https://drive.google.com/file/d/{ID}",
        f"https://drive.google.com/file/d/{ID}/",
        f"https://drive.google.com/file/d/{ID}/preview",
        f"https://drive.google.com/file/u/0/d/{ID}/edit",
        f"https://drive.google.com/a/school.example/file/d/{ID}/view",
        f"https://drive.google.com/open?id={ID}",
        f"https://drive.google.com/uc?id={ID}&export=download",
        f"https://drive.google.com/uc?export=download&amp;id={ID}",
        f"https://drive.google.com/u/1/uc?id={ID}",
        f"https://docs.google.com/uc?export=download&id={ID}",
        f"https://drive.usercontent.google.com/download?id={ID}&export=download&authuser=0&confirm=t",
        f"http://drive.google.com/file/d/{ID}/view",
        f"HTTPS://Drive.Google.com/file/d/{ID}/view",
        f"drive.google.com/file/d/{ID}/view",
        f"drive.google.com/open?id={ID}",
        f"docs.google.com/uc?id={ID}",
        f"drive.usercontent.google.com/download?id={ID}",
        f"  {CANONICAL}\n",
        ID,
    ],
)
def test_drive_links(link):
    assert parse(link) == Source(Kind.DRIVE, ID)
    assert parse(link).description == CANONICAL


@pytest.mark.parametrize(
    "link",
    [
        f"https://drive.google.com/drive/folders/{ID}?usp=sharing",
        f"https://drive.google.com/drive/u/0/folders/{ID}",
        f"drive.google.com/drive/folders/{ID}",
        f"https://drive.google.com/folderview?id={ID}",
        f"https://drive.google.com/embeddedfolderview?id={ID}#list",
    ],
)
def test_drive_folders_are_named_as_such(link):
    with pytest.raises(FolderLinkError, match="is a Drive folder: open it and copy the link"):
        parse(link)


@pytest.mark.parametrize(
    "link",
    [
        "https://drive.google.com",
        "https://drive.google.com/drive/my-drive",
        f"https://docs.google.com/document/d/{ID}/edit",
        "https://drive.google.com/uc?id=",
        "https://drive.google.com/uc?id=one&id=two",
        "https://drive.google.com/uc?id=../etc",
    ],
)
def test_drive_links_to_no_file(link):
    with pytest.raises(SourceFormatError, match="is not a link to a Drive file"):
        parse(link)


@pytest.mark.parametrize(
    ("url", "description"),
    [
        (URL, URL),
        (
            "https://user:secret@example.org:8443/a/model.pth?token=secret#secret",
            "https://example.org:8443/a/model.pth",
        ),
        ("http://localhost:8000/model.pth", "http://localhost:8000/model.pth"),
        ("http://[::1]:8000/model.pth", "http://[::1]:8000/model.pth"),
        ("HTTPS://example.org/model.pth", URL),
        (
            "https://notdrive.google.com.example.org/file/d/x",
            "https://notdrive.google.com.example.org/file/d/x",
        ),
    ],
)
def test_urls(url, description):
    source = parse(url)
    assert source == Source(Kind.URL, url)
    assert source.description == description
    assert "secret" not in repr(source)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "the source is empty"),
        ("  \n", "the source is empty"),
        ("ftp://user:secret@example.org/model.pth?secret", "is a ftp: URL"),
        ("file:///model.pth", "is a file: URL"),
        ("s3://bucket/model.pth", "is a s3: URL"),
        ("https://", "without a host"),
        ("https:/example.org/secret", "without a host"),
        ("https:///model.pth?secret", "without a host"),
        ("https://user:secret/part@example.org/model.pth", "not a well-formed URL"),
        ("https://[::1/model.pth?secret", "not a well-formed URL"),
        ("https://example.org/\x1b[31mmodel.pth?secret", "control characters"),
    ],
)
def test_texts_that_name_no_source(text, words):
    with pytest.raises(SourceFormatError, match=words) as caught:
        parse(text)
    assert "expected a Google Drive link or file id, an https:// URL, or the path of a file" in str(caught.value)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("name", ["model.pth", ID, "with space.pth", "https:"])
def test_an_existing_file_wins(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    Path(name).write_bytes(SMALL)
    assert parse(name) == Source(Kind.FILE, name)


def test_a_short_or_dotted_name_is_a_path():
    assert parse("model.pth").kind is Kind.FILE
    assert parse("x" * 24).kind is Kind.FILE
    assert parse("x" * 25).kind is Kind.DRIVE


@given(
    st.one_of(
        st.text(),
        st.text(alphabet=st.characters(codec="ascii")),
        st.from_regex(r"(https?:|ftp:|)/{0,3}[^/]*(drive|docs)\.google\.com/.*", fullmatch=True),
        st.from_regex(r"https?://[\[\]@:%\w./?#=&-]*", fullmatch=True),
    )
)
@example("\0")
@example("~\0")
@example("\udcff")
@example("a" * 100_000)
@example("https://[" + "1" * 100)
@example("https://example.org:99999/x")
@example("https://\N{SUPERSCRIPT TWO}\N{FULLWIDTH SOLIDUS}x")
def test_any_text_is_a_source_or_a_source_error(text):
    try:
        source = parse(text)
    except SourceError:
        return
    assert isinstance(source.description, str)
    assert isinstance(source.is_insecure, bool)
