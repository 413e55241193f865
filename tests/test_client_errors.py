"""clients.errors: one tree, with what a program needs to decide."""

import pytest

from clients import errors


@pytest.mark.parametrize(
    "error",
    [
        errors.InputError("no picture"),
        errors.UnreachableError("nobody"),
        errors.OutOfTimeError("late"),
        errors.RefusedError(400, "not_an_image", "no picture"),
        errors.OverloadedError(503, "overloaded", "busy", 2.0),
        errors.ServiceError(500, "internal_error", "failed"),
        errors.ClosedError(),
    ],
)
def test_all_are_one_kind_with_a_sentence(error):
    assert isinstance(error, errors.EmotionError)
    assert str(error) in {"no picture", "nobody", "late", "busy", "failed", "The client is closed."}


def test_the_docstring_draws_the_tree_as_it_is():
    drawn = errors.__doc__
    for name, kind in vars(errors).items():
        if isinstance(kind, type) and issubclass(kind, errors.EmotionError) and not name.startswith("_"):
            assert name in drawn


def test_what_was_wrong_with_an_input_is_a_value_error_too():
    assert issubclass(errors.InputError, ValueError)


def test_an_answer_that_is_an_error_says_which():
    error = errors.OverloadedError(429, "overloaded", "busy", 2.0)
    assert (error.status, error.code, error.message, error.retry_after) == (429, "overloaded", "busy", 2.0)
