"""clients.outputs: a file is there as a whole, or not at all."""

import pytest

from clients.outputs import OutputError, check, replacing


def test_a_file_gets_its_name_when_it_is_whole(tmp_path):
    with replacing(tmp_path / "a") as temporary:
        temporary.write_text("new")
        assert not (tmp_path / "a").exists()
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("a", "new")]


@pytest.mark.parametrize(
    ("raised", "seen"), [(OSError(28, "No space"), OutputError), (KeyboardInterrupt(), KeyboardInterrupt)]
)
def test_what_fails_leaves_nothing(tmp_path, raised, seen):
    def write():
        with replacing(tmp_path / "a") as temporary:
            temporary.write_text("half")
            raise raised

    with pytest.raises(seen):
        write()
    assert list(tmp_path.iterdir()) == []


def test_what_cannot_be_written_is_said_before_the_work(tmp_path):
    check(tmp_path / "a")
    for path, words in ((tmp_path / "none" / "a", "there is no folder"), (tmp_path, "it is a folder")):
        with pytest.raises(OutputError, match=words):
            check(path)


def test_a_read_only_folder(tmp_path, monkeypatch):
    monkeypatch.setattr("os.access", lambda *_: False)
    with pytest.raises(OutputError, match="read-only"):
        check(tmp_path / "a")
