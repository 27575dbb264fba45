"""One guard around libraries that are given what comes from outside."""

import contextlib
import sys
from collections.abc import Callable, Generator

from atomgraft.core.errors import AtomgraftError

MAX_REASON = 200
"""Characters of a library's own message that are passed on."""


@contextlib.contextmanager
def foreign(refusal: Callable[[str], AtomgraftError]) -> Generator[None]:
    """Guard one call of a library.

    Whatever it raises becomes a refusal. A limit of recursion that it lifts is put back
    (symfc lifts it for the whole process when it is imported, and deep data then end in
    a segmentation fault).

    Parameters
    ----------
    refusal
        Makes the error from the library's own message.

    Raises
    ------
    AtomgraftError
        What `refusal` makes; our own errors, and a full memory, pass as they are.

    Examples
    --------
    >>> from atomgraft.core.errors import BadInputError
    >>> with foreign(
    ...     lambda why: BadInputError(f"No number: {why}.", "One.", "Type it.")
    ... ):
    ...     float("x")
    Traceback (most recent call last):
    atomgraft.core.errors.BadInputError: No number: ValueError: could not convert string to float: 'x'. One. Type it.
    """  # noqa: E501 - the message is one line
    limit = sys.getrecursionlimit()
    try:
        yield
    except (AtomgraftError, MemoryError):
        raise
    except Exception as error:
        message = " ".join(f"{type(error).__name__}: {error}".split())
        raise refusal(message[:MAX_REASON].rstrip(".")) from error
    finally:
        sys.setrecursionlimit(limit)
