"""Reading JSON from outside: one document of plain values with limited depth."""

import math
import re
from pathlib import Path
from typing import Any, cast

from pydantic_core import from_json

from atomgraft.core.errors import BadInputError, reason_of
from atomgraft.core.reading import read_text

MAX_BYTES = 256 * 1024**2
"""Largest document; results of campaigns take some 10 MB."""

MAX_INTEGER = 2**63

_EXTREME = re.compile(r"\d{19}|[eE]\+?\d{3}|NaN|Infinity")
"""What a number that is refused looks like; so do others, so they are looked at."""


def read_json(
    path: Path, *, title: str, remedy: str, finite: bool = True
) -> dict[str, Any]:
    """Return the one object of a JSON file.

    Parameters
    ----------
    path
        The file.
    title
        What it should be, for messages.
    remedy
        What to do where it is something else.
    finite
        Refuse infinite numbers and NaN.

    Raises
    ------
    BadInputError
        The file cannot be read, or does not hold one object of plain values.
    """
    try:
        return parse_json(read_text(path, max_bytes=MAX_BYTES), finite=finite)
    except BadInputError as error:
        reason = error.came.replace(str(path), "it").rstrip(".")
        raise _refused(path, title, reason, remedy) from error
    except ValueError as error:
        raise _refused(path, title, reason_of(error), remedy) from error


def _refused(path: Path, title: str, reason: str, remedy: str) -> BadInputError:
    return BadInputError(
        f"{path} is not a readable {title}: {reason}.",
        "Expected a file as atomgraft wrote it.",
        remedy,
    )


def parse_json(text: str, *, finite: bool = True) -> dict[str, Any]:
    """Return the one object that a text holds.

    Parameters
    ----------
    text
        All of it.
    finite
        Refuse infinite numbers and NaN; logs hold them where training went wrong.

    Raises
    ------
    ValueError
        It is no JSON, no object, or holds what no file of ours does: whole numbers
        beyond 63 bits, half a character, more than 200 levels.

    Examples
    --------
    >>> parse_json('{"steps": 10}')
    {'steps': 10}
    """
    try:
        document: Any = from_json(text)
    except ValueError as error:
        raise ValueError(f"it is no JSON ({reason_of(error)})") from error
    if not isinstance(document, dict):
        raise ValueError(f"it holds a {type(document).__name__} where keys are needed")  # noqa: TRY004 - one kind of failure for callers
    known = cast("dict[str, Any]", document)
    if _EXTREME.search(text):
        _check_numbers(known, finite=finite)
    return known


def _check_numbers(document: dict[str, Any], *, finite: bool) -> None:
    waiting: list[Any] = [document]
    while waiting:
        one = waiting.pop()
        if isinstance(one, dict | list):
            waiting += one.values() if isinstance(one, dict) else one
        elif isinstance(one, int) and abs(one) >= MAX_INTEGER:
            raise ValueError("it holds a whole number of more than 63 bits")
        elif isinstance(one, float) and finite and not math.isfinite(one):
            raise ValueError(f"it holds {one}, which is no finite number")
