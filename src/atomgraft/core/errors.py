"""Errors that say what was found, what was expected and what to do."""

import contextlib
import sys
from collections.abc import Callable, Generator


class AtomgraftError(Exception):
    """A failure that is explained in one paragraph.

    Parameters
    ----------
    came
        What was found, with the place (file, frame, number).
    needed
        What would have been right.
    remedy
        What to do next; the command, if there is one.

    Examples
    --------
    >>> print(AtomgraftError("a.xyz is empty.", "One frame.", "Check the path."))
    a.xyz is empty. One frame. Check the path.
    """

    def __init__(self, came: str, needed: str, remedy: str) -> None:
        self.came = came
        self.needed = needed
        self.remedy = remedy
        super().__init__(f"{came} {needed} {remedy}")

    def reword(self, change: Callable[[str], str]) -> None:
        """Say it as whoever is told knows it.

        Parameters
        ----------
        change
            Of each part.

        Examples
        --------
        >>> error = AtomgraftError("a.xyz is empty.", "One frame.", "Check a.xyz.")
        >>> error.reword(lambda text: text.replace("a.xyz", "train"))
        >>> print(error)
        train is empty. One frame. Check train.
        """
        self.came = change(self.came)
        self.needed = change(self.needed)
        self.remedy = change(self.remedy)
        self.args = (f"{self.came} {self.needed} {self.remedy}",)

    def __reduce__(self) -> tuple[type["AtomgraftError"], tuple[str | None, ...]]:
        """Travel between processes as the three parts, not as their sum."""
        return type(self), (self.came, self.needed, self.remedy)


class BadInputError(AtomgraftError):
    """The user's input cannot be used as it is; the command line exits with 2."""

    def _render_traceback_(self) -> list[str]:
        """Return what IPython prints in place of a traceback."""
        return [f"{type(self).__name__}: {self.came}", self.needed, self.remedy]


class MissingExtraError(BadInputError):
    """A framework that this run needs is not installed.

    Parameters
    ----------
    came, needed, remedy
        As for every error.
    framework
        Its name, where atomgraft can keep an environment for it.
    """

    def __init__(
        self, came: str, needed: str, remedy: str, framework: str | None = None
    ) -> None:
        super().__init__(came, needed, remedy)
        self.framework = framework

    def __reduce__(self) -> tuple[type["MissingExtraError"], tuple[str | None, ...]]:
        """Travel between processes with the name of the framework."""
        return type(self), (self.came, self.needed, self.remedy, self.framework)


class StorageError(AtomgraftError):
    """Writing failed (disk full, folder read-only); what was there is untouched."""


class LostProcessError(AtomgraftError):
    """A process that was asked to work is gone; the same command may go on."""


class NonFiniteTrainingError(AtomgraftError):
    """The loss or a weight became infinite or NaN; the last good state is kept."""


MAX_REASON = 200
"""Characters of a library's own message that are passed on."""


def reason_of(error: Exception, *, with_kind: bool = False) -> str:
    """Return what an error says, as a part of a sentence: one line, no full stop.

    Parameters
    ----------
    error
        A library's own, which is shortened, or one of ours.
    with_kind
        Put the name of its class before it; always where it says nothing.

    Examples
    --------
    >>> reason_of(ValueError("no number.  Check it."))
    'no number. Check it'
    >>> reason_of(KeyError("Xx"), with_kind=True)
    "KeyError: 'Xx'"
    >>> reason_of(AssertionError())
    'AssertionError'
    """
    text = " ".join(str(error).split())
    if with_kind or not text:
        text = f"{type(error).__name__}: {text}"
    longest = None if isinstance(error, AtomgraftError) else MAX_REASON
    return text[:longest].rstrip(".,;: ")


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
        raise refusal(reason_of(error, with_kind=True)) from error
    finally:
        sys.setrecursionlimit(limit)
