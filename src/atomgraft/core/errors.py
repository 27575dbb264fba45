"""Errors that tell a user what came, what was needed and what to do."""

from collections.abc import Callable


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
