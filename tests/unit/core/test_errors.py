"""Errors: three parts, one paragraph, and classes the command line can tell apart."""

import pickle

import pytest

from atomgraft.core.errors import (
    AtomgraftError,
    BadInputError,
    MissingExtraError,
    NonFiniteTrainingError,
    StorageError,
    reason_of,
)

KINDS = (
    AtomgraftError,
    BadInputError,
    MissingExtraError,
    StorageError,
    NonFiniteTrainingError,
)


@pytest.mark.parametrize("kind", KINDS)
def test_the_three_parts_are_kept_and_told_in_order(kind):
    error = kind("This came.", "That was needed.", "Do this.")
    assert (error.came, error.needed, error.remedy) == (
        "This came.",
        "That was needed.",
        "Do this.",
    )
    assert str(error) == "This came. That was needed. Do this."


def test_only_the_user_s_mistakes_are_bad_input():
    assert issubclass(MissingExtraError, BadInputError)
    assert not issubclass(StorageError, BadInputError)
    assert not issubclass(NonFiniteTrainingError, BadInputError)
    assert all(issubclass(kind, AtomgraftError) for kind in KINDS)


@pytest.mark.parametrize("kind", KINDS)
def test_an_error_survives_the_way_from_another_process(kind):
    error = pickle.loads(pickle.dumps(kind("This came.", "That.", "Do this.")))
    assert type(error) is kind
    assert error.remedy == "Do this."


@pytest.mark.parametrize("ending", ["", ".", ". ", ":", " ...", ".\n\n"])
def test_a_reason_is_a_part_of_a_sentence(ending):
    assert reason_of(ValueError(f"one\n two{ending}")) == "one two"


def test_a_reason_of_ours_is_whole():
    ours = BadInputError("It is empty.", "One. " + "x" * 1000, "Look.")
    assert reason_of(ours) == str(ours).rstrip(".")
