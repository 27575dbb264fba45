"""Names to things, ours and those of plug-ins, with an error that names the nearest."""

import difflib
import functools
import importlib
import importlib.metadata
import sys
from collections.abc import Callable, Iterable, Iterator
from typing import Any, ClassVar, Generic, Protocol, TypeVar, cast, runtime_checkable

from atomgraft.core.errors import AtomgraftError, BadInputError, reason_of

T = TypeVar("T")

GROUPS = (
    "atomgraft.adapters",
    "atomgraft.engines",
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
                f"Report this to its authors, or remove it: {_removal(entry)}",
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
        reason = reason_of(error, with_kind=True)
        return BadInputError(
            f"The {self.kind} {name!r} of {_giver(entry)} fails ({reason}).",
            "Expected a plug-in for this version of atomgraft.",
            f"Update it, report this to its authors, or remove it: {_removal(entry)}",
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
                "A name must be unique.",
                "Report this to its authors, or remove it: "
                f"{_removal(self._only(name))}",
            )

    def _only(self, name: str) -> Offer:
        entries = tuple(one for one in _offers(self.group) if one.name == name)
        if len(entries) == 1:
            return entries[0]
        givers = self.giver(name) or "Nobody"
        raise BadInputError(
            f"{givers} offer the {self.kind} {name!r}.",
            "Only one distribution may offer a name.",
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


def nearest(name: str, known: Iterable[str], *, alike: float = 0.6) -> str | None:
    """Return the one of some names that another is a misspelling of, if there is one.

    Parameters
    ----------
    name
        As it came; small and capital letters are the same.
    known
        What it may have meant.
    alike
        Share of letters in common from which one may have been meant.
    """
    folded = {one.casefold(): one for one in known}
    close = difflib.get_close_matches(name.casefold(), folded, n=1, cutoff=alike)
    return folded[close[0]] if close else None


def did_you_mean(name: str, known: Iterable[str], otherwise: str) -> str:
    """Return a question about the nearest of some names, or what to say without one.

    Examples
    --------
    >>> did_you_mean("Phonon", ["labels", "phonons"], "Choose one.")
    "Did you mean 'phonons'?"
    >>> did_you_mean("heat", ["labels", "phonons"], "Choose one.")
    'Choose one.'
    """
    close = nearest(name, known)
    return otherwise if close is None else f"Did you mean {close!r}?"


def unknown(kind: str, name: str, known: Iterable[str]) -> BadInputError:
    """Return the error for a name that nothing has.

    Parameters
    ----------
    kind
        What it was to be.
    name
        As it came.
    known
        Names that something has.
    """
    names = list(known)
    return BadInputError(
        f"There is no {kind} named {name!r}.",
        f"Known: {', '.join(names)}.",
        did_you_mean(name, names, "Choose one of them."),
    )


class Registry(Generic[T]):
    """A mapping from names to entries of one kind.

    Parameters
    ----------
    kind
        What an entry is, for messages.
    plugins
        What other distributions add to it; none closes it to them.

    Examples
    --------
    >>> recipes = Registry[int]("recipe")
    >>> recipes.add("full", 1)
    >>> recipes["full"]
    1
    """

    def __init__(self, kind: str, plugins: Plugins[T] | None = None) -> None:
        self.kind = kind
        self._entries: dict[str, T] = {}
        self._places: dict[str, str] = {}
        self._retired: dict[str, tuple[str, str]] = {}
        self._plugins = plugins

    def add(self, name: str, entry: T) -> None:
        """Register `entry` under a name that must be new."""
        if name in self._entries:
            raise ValueError(f"{self.kind} {name!r} is registered twice")
        self._entries[name] = entry

    def add_place(self, name: str, place: str) -> None:
        """Register what is imported when it is asked for.

        Parameters
        ----------
        name
            Its name, which must be new.
        place
            ``module:name`` of it.
        """
        if name in self:
            raise ValueError(f"{self.kind} {name!r} is registered twice")
        self._places[name] = place

    def retire(self, name: str, reason: str, instead: str) -> None:
        """Remember an entry that is no more.

        Parameters
        ----------
        name
            What it was called.
        reason
            Why it was taken out, a sentence.
        instead
            What to use in its place, a sentence.
        """
        self._retired[name] = (reason, instead)

    def is_retired(self, name: str) -> bool:
        """Return whether there was an entry of that name."""
        return name in self._retired

    def __getitem__(self, name: str) -> T:
        """Return an entry.

        Raises
        ------
        BadInputError
            There is none of that name; or a plug-in offers it that is broken, or
            one that claims the name of another.
        """
        if name in self._entries or name in self._places:
            if self._plugins is not None:
                self._plugins.refuse_own_name(name)
            return self._own(name)
        if self._plugins is not None and name in self._plugins:
            return self._plugins[name]
        raise self._unknown(name)

    def _own(self, name: str) -> T:
        if name in self._places:
            module, _, attribute = self._places[name].partition(":")
            return cast("T", getattr(importlib.import_module(module), attribute))
        return self._entries[name]

    def __contains__(self, name: str) -> bool:
        own = name in self._entries or name in self._places
        return own or name in (self._plugins or ())

    def __iter__(self) -> Iterator[str]:
        return iter(sorted({*self._entries, *self._places, *(self._plugins or ())}))

    def _unknown(self, name: str) -> BadInputError:
        if name in self._retired:
            return BadInputError(
                f"The {self.kind} {name!r} was removed.", *self._retired[name]
            )
        return unknown(self.kind, name, self)
