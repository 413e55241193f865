"""clients.cli: the command `emotion`."""

import pytest

from clients import cli, exits


@pytest.mark.parametrize("arguments", [["--help"], ["webcam", "--help"], ["video", "--help"]])
def test_help(arguments, capsys):
    with pytest.raises(SystemExit) as left:
        cli.main(arguments)
    assert left.value.code == 0
    assert "emotion" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "COMMAND"),
        (["film"], "invalid choice"),
        (["video"], "FILE"),
        (["video", "a", "--every", "0"], "expected a whole number from 1"),
        (["video", "a", "--in-flight", "many"], "expected a whole number from 1"),
    ],
)
def test_what_is_no_command(arguments, words, capsys):
    with pytest.raises(SystemExit) as left:
        cli.main(arguments)
    assert left.value.code == exits.USAGE
    assert words in capsys.readouterr().err


def test_the_statuses_are_those_of_sysexits():
    """As <sysexits.h> has them: EX_NOINPUT, EX_UNAVAILABLE, EX_CANTCREAT, EX_IOERR."""
    assert (exits.NO_INPUT, exits.UNAVAILABLE, exits.CANNOT_CREATE, exits.LOST) == (66, 69, 73, 74)
