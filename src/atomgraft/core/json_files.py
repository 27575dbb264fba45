"""JSON from outside: one document of plain values, whole and of bounded depth."""

import json
import re
from itertools import accumulate
from pathlib import Path
from typing import Any, cast

from atomgraft.core.errors import BadInputError
from atomgraft.core.reading import read_text

MAX_BYTES = 256 * 1024**2
"""Largest document; results of campaigns take some 10 MB."""

MAX_DEPTH = 64
"""Lists and objects inside each other; our own files have ten."""

MAX_INTEGER = 2**63

_STEPS = {ord("["): 1, ord("{"): 1, ord("]"): -1, ord("}"): -1}
_NO_BRACKETS = bytes(set(range(256)) - _STEPS.keys())
_STRING = re.compile(r'"(?:[^"\\]|\\.)*"')
_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")


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
        raise _refused(path, title, str(error), remedy) from error


def _refused(path: Path, title: str, reason: str, remedy: str) -> BadInputError:
    return BadInputError(
        f"{path} is not a readable {title}: {reason}.",
        "A file as atomgraft wrote it is needed.",
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
        beyond 63 bits, broken text, more than `MAX_DEPTH` levels.

    Examples
    --------
    >>> parse_json('{"steps": 10}')
    {'steps': 10}
    """
    if _depth(text) > MAX_DEPTH:
        raise ValueError(f"it has more than {MAX_DEPTH} levels inside each other")
    try:
        document: object = (
            json.loads(
                text,
                parse_int=_integer,
                parse_float=_real,
                parse_constant=_refuse_constant,
            )
            if finite
            else json.loads(text, parse_int=_integer)
        )
    except json.JSONDecodeError as error:
        raise ValueError(f"it is no JSON ({error})") from error
    if not isinstance(document, dict):
        raise ValueError(f"it holds a {type(document).__name__} where keys are needed")  # noqa: TRY004 - one kind of failure for callers
    known = cast("dict[str, Any]", document)
    if _SURROGATE.search(text):
        _check_text(known)
    return known


def _depth(text: str) -> int:
    """Return the number of levels, found without recursion."""
    raw = _deepest(text)
    return raw if raw <= MAX_DEPTH else _deepest(_STRING.sub("", text))


def _deepest(text: str) -> int:
    marks = text.encode("utf-8", "replace").translate(None, _NO_BRACKETS)
    return max(accumulate(_STEPS[mark] for mark in marks), default=0)


def _integer(text: str) -> int:
    if len(text) > 20 or abs(int(text)) >= MAX_INTEGER:
        raise ValueError(f"the whole number {text[:20]}... has more than 63 bits")
    return int(text)


def _real(text: str) -> float:
    value = float(text)
    if value in {float("inf"), float("-inf")}:
        raise ValueError(f"{text[:20]} is no finite number")
    return value


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is no finite number")


def _check_text(document: object) -> None:
    """Refuse text that no file and no terminal can hold."""
    waiting: list[Any] = [document]
    while waiting:
        one = waiting.pop()
        if isinstance(one, dict):
            waiting += [*one, *one.values()]
        elif isinstance(one, list):
            waiting += one
        elif isinstance(one, str) and not _is_whole(one):
            raise ValueError("it holds text with half a character")


def _is_whole(text: str) -> bool:
    """Tell whether every character is one, and none half of a pair of surrogates."""
    return text == text.encode("utf-8", "replace").decode()
