"""clients.palette: colours that stay apart."""

import pytest

from clients.palette import BLUE, IN_ORDER, VERMILLION, YELLOW, colours, on


def test_each_of_seven_labels_has_a_colour_of_its_own():
    labels = ["angry", "frustration", "boredom", "happy", "sad", "surprise", "neutral"]
    given = colours(labels)
    assert list(given) == labels
    assert len(set(given.values())) == 7
    assert given["angry"] == VERMILLION


def test_there_are_colours_for_any_number_of_labels():
    assert len(colours([str(number) for number in range(20)])) == 20


@pytest.mark.parametrize(("colour", "text"), [(YELLOW, "#000000"), (BLUE, "#ffffff"), ("#000000", "#ffffff")])
def test_text_reads_on_its_colour(colour, text):
    assert on(colour) == text


def test_no_two_colours_are_alike():
    assert len(set(IN_ORDER)) == len(IN_ORDER)
