"""clients.journal: what is done stays done, wherever the process was killed."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clients.journal import Head, Journal, JournalError
from clients.records import FrameRecord

HEAD = Head(file="a.mp4", fingerprint="f", every=2, model="m:1", labels=("happy", "sad"))


def record(number):
    return FrameRecord(frame=2 * number, time=number / 5, file="a.mp4", error="ä" if number % 2 else None)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "a.csv.partial"


def begun(path, count):
    with Journal(path, HEAD) as journal:
        for number in range(count):
            journal.add(record(number))
    return path


def test_it_goes_on_where_it_was(path):
    begun(path, 3)
    with Journal(path, HEAD) as journal:
        assert journal.done == 3
        journal.add(record(3))
        assert list(journal.records()) == [record(number) for number in range(4)]


def test_what_is_added_is_in_the_file_at_once(path):
    with Journal(path, HEAD) as journal:
        journal.add(record(0))
        assert path.read_bytes().count(b"\n") == 2


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    return begun(tmp_path_factory.mktemp("journal") / "whole", 5).read_bytes()


@settings(deadline=None)
@given(data=st.data())
def test_a_kill_at_any_byte_loses_the_last_line_alone(whole, tmp_path_factory, data):
    cut = data.draw(st.integers(0, len(whole)))
    path = tmp_path_factory.mktemp("cut") / "journal"
    path.write_bytes(whole[:cut])
    with Journal(path, HEAD) as journal:
        done = max(whole[:cut].count(b"\n") - 1, 0)
        assert journal.done == done
        for number in range(done, 5):
            journal.add(record(number))
    assert path.read_bytes() == whole


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"file": "b.mp4"}, "is the beginning of an analysis of a.mp4$"),
        ({"fingerprint": "g"}, "of a.mp4 as it was before it changed"),
        ({"every": 1}, "begun with --every 2, not 1"),
        ({"model": "m:2"}, "begun with the model m:1; the service answers with m:2"),
    ],
)
def test_another_analysis_is_not_gone_on_with(path, change, words):
    before = begun(path, 3).read_bytes()
    with pytest.raises(JournalError, match=words):
        Journal(path, HEAD.model_copy(update=change))
    assert path.read_bytes() == before


@pytest.mark.parametrize("line", [b"garbage\n", b"{}\n", b'{"frame": 2, "time": 0, "file": "a"}\n', b"\n"])
def test_a_damaged_one_says_where(path, line):
    path.write_bytes(begun(path, 3).read_bytes() + line)
    with pytest.raises(JournalError, match="is damaged at line 5"):
        Journal(path, HEAD)


def test_when_all_is_done_it_is_gone(path):
    begun(path, 1)
    Journal(path, HEAD).remove()
    assert not path.exists()
