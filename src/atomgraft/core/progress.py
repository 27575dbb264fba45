"""Who is told how far a long computation is."""

from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

Progress = Callable[[str, int, int], None]
"""Called with what is being done, how much of it is done, and how much there is; 0:
nobody knows."""

Count = Callable[[int, int], None]
"""Called with how much is done and how much there is."""

T = TypeVar("T")


def counting(progress: Progress | None, what: str) -> Count | None:
    """Return whom to tell of the numbers alone.

    Parameters
    ----------
    progress
        Is told; none: nobody.
    what
        Is being done.
    """
    if progress is None:
        return None
    return lambda done, total: progress(what, done, total)


def part(progress: Progress | None, i: int, n: int) -> Progress | None:
    """Return whom to tell in the i-th of n equal parts of a whole.

    Examples
    --------
    >>> second = part(lambda *one: print(*one), 1, 3)
    >>> second("rows", 2, 10)
    rows 12 30
    """
    if progress is None:
        return None
    return lambda what, done, total: progress(what, i * total + done, n * total)


def told(
    items: Iterable[T], what: str, total: int, progress: Progress | None
) -> Iterator[T]:
    """Yield items, and tell how many there have been.

    Parameters
    ----------
    items
        What is worked on, or comes out of the work.
    what
        Is being done.
    total
        How many there are.
    progress
        Is told; none: nobody.

    Examples
    --------
    >>> heard = []
    >>> list(told("ab", "letters", 2, lambda *one: heard.append(one)))
    ['a', 'b']
    >>> heard
    [('letters', 0, 2), ('letters', 1, 2), ('letters', 2, 2)]
    """
    if progress is not None:
        progress(what, 0, total)
    for i, one in enumerate(items, start=1):
        yield one
        if progress is not None:
            progress(what, i, total)
