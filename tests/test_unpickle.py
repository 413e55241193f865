"""resemotenet.unpickle: plain values and the calls that it is told of, and nothing else."""

import collections
import io
import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from resemotenet import unpickle
from resemotenet.errors import CheckpointError

keys = st.text(max_size=8) | st.integers(-(2**40), 2**40)
plain = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**200), 2**200) | st.floats(allow_nan=False) | st.text(max_size=300),
    lambda inner: st.lists(inner, max_size=5) | st.tuples(inner, inner) | st.dictionaries(keys, inner, max_size=5),
    max_leaves=40,
)


def refuse(*names):
    raise CheckpointError(f"asked for {'.'.join(names)}")


@given(plain, st.integers(2, pickle.HIGHEST_PROTOCOL))
def test_plain_values_come_back(value, protocol):
    assert unpickle.load(pickle.dumps(value, protocol), refuse, refuse) == value


def test_a_value_that_stands_in_two_places_is_one_value():
    shared = [1, 2]
    found = unpickle.load(pickle.dumps([shared, shared], 4), refuse, refuse)
    assert found == [[1, 2], [1, 2]]
    assert found[0] is found[1]


class Made:
    """Pickled as a call of the class deque."""

    def __reduce__(self):
        return collections.deque, ([1, 2],)


@pytest.mark.parametrize("protocol", [2, 4])
def test_names_are_asked_for_and_only_what_was_given_is_called(protocol):
    asked = []

    def find(module, name):
        asked.append((module, name))
        return lambda *arguments: ("called", *arguments)

    assert unpickle.load(pickle.dumps(Made(), protocol), find, refuse) == ("called", [1, 2])
    assert asked == [("collections", "deque")]


def test_a_name_that_is_refused_ends_it():
    with pytest.raises(CheckpointError, match=r"asked for builtins\.eval|asked for __builtin__\.eval"):
        unpickle.load(pickle.dumps(eval, 2), refuse, refuse)


class Pickler(pickle.Pickler):
    def persistent_id(self, value):
        return ("storage", value.real) if isinstance(value, complex) else None


def test_storages_are_asked_for_by_their_id():
    buffer = io.BytesIO()
    Pickler(buffer, 2).dump([1 + 0j, 2 + 0j])
    found = unpickle.load(buffer.getvalue(), refuse, lambda pid: ("found", pid))
    assert found == [("found", ("storage", 1.0)), ("found", ("storage", 2.0))]


@pytest.mark.parametrize(
    ("data", "opcode"),
    [
        (b"\x80\x02\x82\x01.", "EXT1"),
        (b"\x80\x02(lp0\n.", "LIST"),
        (b"(i__main__\nThing\n.", "INST"),
        (b"\x80\x02c__main__\nThing\n)\x81.", "NEWOBJ"),
        (b"\x80\x04\x8f.", "EMPTY_SET"),
        (b"P0\n.", "PERSID"),
    ],
)
def test_what_no_file_of_tensors_uses_is_refused_by_its_name(data, opcode):
    with pytest.raises(CheckpointError, match=rf"uses {opcode},"):
        unpickle.load(data, lambda *_: list, refuse)
