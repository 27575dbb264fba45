"""Names to things, with an error that names what would have matched."""

import difflib
from collections.abc import Iterator
from typing import Generic, TypeVar

from atomgraft.core.errors import BadInputError

T = TypeVar("T")


class Registry(Generic[T]):
    """A closed mapping from names to entries of one kind.

    Parameters
    ----------
    kind
        What an entry is, for messages.

    Examples
    --------
    >>> recipes = Registry[int]("recipe")
    >>> recipes.add("full", 1)
    >>> recipes["full"]
    1
    """

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self._entries: dict[str, T] = {}

    def add(self, name: str, entry: T) -> None:
        """Register `entry` under a name that must be new."""
        if name in self._entries:
            raise ValueError(f"{self.kind} {name!r} is registered twice")
        self._entries[name] = entry

    def __getitem__(self, name: str) -> T:
        if name not in self._entries:
            known = {entry.casefold(): entry for entry in self._entries}
            close = difflib.get_close_matches(name.casefold(), known, n=1)
            hint = (
                f"Did you mean {known[close[0]]!r}?" if close else "Choose one of them."
            )
            raise BadInputError(
                f"There is no {self.kind} named {name!r}.",
                f"Known: {', '.join(sorted(self._entries))}.",
                hint,
            )
        return self._entries[name]

    def __contains__(self, name: str) -> bool:
        return name in self._entries

    def __iter__(self) -> Iterator[str]:
        return iter(sorted(self._entries))
