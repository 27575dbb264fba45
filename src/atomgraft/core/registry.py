"""Names to things, with an error that names what would have matched."""

import difflib
import importlib
from collections.abc import Iterable, Iterator
from typing import Generic, TypeVar, cast

from atomgraft.core.errors import BadInputError
from atomgraft.core.plugins import Plugins

T = TypeVar("T")


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
                f"The {self.kind} {name!r} was taken out.", *self._retired[name]
            )
        return unknown(self.kind, name, self)
