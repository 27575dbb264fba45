"""Plug-ins: entries that other distributions offer, loaded one at a time when asked."""

import functools
import importlib.metadata
import sys
from collections.abc import Callable, Iterator
from typing import Any, ClassVar, Generic, Protocol, TypeVar, cast, runtime_checkable

from atomgraft.core.errors import AtomgraftError, BadInputError

T = TypeVar("T")

GROUPS = (
    "atomgraft.adapters",
    "atomgraft.recipes",
    "atomgraft.suites",
    "atomgraft.verbs",
)
"""The entry points that atomgraft reads."""


@runtime_checkable
class Offer(Protocol):
    """An entry point: the standard library's, or that of its backport.

    Where setuptools has been imported, the backport answers in the place of the
    standard library, with a class of its own.
    """

    name: ClassVar[Any]

    dist: ClassVar[Any]
    """The distribution that offers it; none for a folder."""

    def load(self) -> Any:  # noqa: ANN401 - whatever it names
        """Import what it names."""


class Plugins(Generic[T]):
    """What installed distributions offer under one entry point.

    Nothing is read before a name is asked for, and no code of a plug-in runs
    before its own name is. So a broken one breaks what it offers and nothing else.

    Parameters
    ----------
    kind
        What an entry is, for messages.
    group
        Name of the entry point.
    is_right
        Tells whether a loaded object is such an entry.

    Examples
    --------
    >>> "laplace" in Plugins[int]("number", "atomgraft.numbers", lambda one: True)
    False
    """

    def __init__(
        self, kind: str, group: str, is_right: Callable[[object], bool]
    ) -> None:
        self.kind = kind
        self.group = group
        self._is_right = is_right

    def __iter__(self) -> Iterator[str]:
        return iter(sorted({one.name for one in _offers(self.group)}))

    def __contains__(self, name: str) -> bool:
        return any(one.name == name for one in _offers(self.group))

    def __getitem__(self, name: str) -> T:
        """Load an entry.

        Raises
        ------
        BadInputError
            Nobody offers it, two do, or it cannot be loaded; the distribution is
            named.
        """
        entry = self._only(name)
        try:
            found: object = entry.load()
        except AtomgraftError:
            raise
        except Exception as error:
            raise self.broken(name, error) from error
        if not self._is_right(found):
            raise BadInputError(
                f"The {self.kind} {name!r} of {_giver(entry)} is a "
                f"{type(found).__name__}.",
                f"The entry point {self.group!r} asks for a {self.kind}.",
                f"Tell its authors, or remove it: {_removal(entry)}",
            )
        return cast("T", found)

    def giver(self, name: str) -> str:
        """Return the distributions that offer an entry, with their versions."""
        return " and ".join(
            _giver(one) for one in _offers(self.group) if one.name == name
        )

    def broken(self, name: str, error: Exception) -> BadInputError:
        """Return the error that names who offers an entry that fails.

        Parameters
        ----------
        name
            The entry.
        error
            What it raised.
        """
        entry = self._only(name)
        reason = " ".join(f"{type(error).__name__}: {error}".split()).rstrip(".: ")
        return BadInputError(
            f"The {self.kind} {name!r} of {_giver(entry)} fails ({reason}).",
            "A plug-in that suits this version of atomgraft is needed.",
            f"Update it, tell its authors, or remove it: {_removal(entry)}",
        )

    def refuse_own_name(self, name: str) -> None:
        """Refuse a name of atomgraft's own that a plug-in claims as well.

        Parameters
        ----------
        name
            One of atomgraft's own; a plug-in never takes its place.

        Raises
        ------
        BadInputError
            A plug-in claims it.
        """
        if name in self:
            raise BadInputError(
                f"{_giver(self._only(name))} offers the {self.kind} {name!r}, and "
                "atomgraft has its own of that name.",
                "A name must mean one thing.",
                f"Tell its authors, or remove it: {_removal(self._only(name))}",
            )

    def _only(self, name: str) -> Offer:
        entries = tuple(one for one in _offers(self.group) if one.name == name)
        if len(entries) == 1:
            return entries[0]
        givers = self.giver(name) or "Nobody"
        raise BadInputError(
            f"{givers} offer the {self.kind} {name!r}.",
            "One distribution must offer it.",
            f"Remove one of them: {_removal(*entries)}"
            if entries
            else "Install the plug-in that does.",
        )


def plugin_versions() -> dict[str, str]:
    """Return the version of every distribution that offers something to atomgraft."""
    offers = (entry.dist for group in GROUPS for entry in _offers(group))
    return {one.name: one.version for one in offers if one is not None}


def _offers(group: str) -> tuple[Offer, ...]:
    return _offers_on(tuple(sys.path), group)


@functools.cache
def _offers_on(_path: tuple[str, ...], group: str) -> tuple[Offer, ...]:
    """Read what all distributions offer: 15 ms, so once for each search path."""
    return cast("tuple[Offer, ...]", importlib.metadata.entry_points(group=group))


def _giver(entry: Offer) -> str:
    return f"{entry.dist.name} {entry.dist.version}" if entry.dist else "a folder"


def _removal(*entries: Offer) -> str:
    names = (entry.dist.name for entry in entries if entry.dist)
    return f"pip uninstall {' or '.join(names)}"
