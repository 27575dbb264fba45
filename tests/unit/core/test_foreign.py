"""Libraries behind the guard: what they raise, and what they leave behind."""

import sys

import pytest

from atomgraft.core.errors import MAX_REASON, BadInputError, foreign


def refusal(reason):
    return BadInputError(f"It failed: {reason}.", "Something else.", "Give it.")


@pytest.mark.parametrize("kind", [ValueError, TypeError, RecursionError, OSError])
def test_whatever_a_library_raises_is_a_refusal(kind):
    with pytest.raises(BadInputError) as told, foreign(refusal):
        raise kind("one\n two. " + "x" * 1000)
    assert told.value.came.startswith(f"It failed: {kind.__name__}: one two. x")
    assert len(told.value.came) < MAX_REASON + 20
    assert isinstance(told.value.__cause__, kind)


@pytest.mark.parametrize(
    "error", [BadInputError("a", "b", "c"), MemoryError(), KeyboardInterrupt()]
)
def test_what_is_no_fault_of_the_library_passes(error):
    with pytest.raises(type(error)) as told, foreign(refusal):
        raise error
    assert told.value is error


def test_a_limit_that_a_library_lifts_is_put_back():
    limit = sys.getrecursionlimit()
    with foreign(refusal):
        sys.setrecursionlimit(limit + 1000)
    assert sys.getrecursionlimit() == limit
