"""From a document to a spec; and in what two documents differ."""

import json
import math
import re
from collections.abc import Container, Iterator, Mapping, Sequence
from typing import Any, TypeVar, cast, get_args

from pydantic import BaseModel, ValidationError

from atomgraft.core.errors import BadInputError
from atomgraft.core.registry import did_you_mean

SpecT = TypeVar("SpecT", bound=BaseModel)

MAX_SHOWN = 100
"""Characters of a wrong value that a message repeats."""

MAX_TEXT = 48
"""Characters of a value that differs."""

MAX_NAMED = 3
"""Differences that a message names."""

TOLERANCE, SMALLEST = 1e-6, 1e-9
"""Relative, and absolute in the unit of each number: machines sum in their own order,
and more than that is another number."""


def parsed(
    kind: type[SpecT],
    document: object,
    origin: str,
    *,
    title: str,
    verb: str,
    schema: str | None = None,
) -> SpecT:
    """Return the spec that a document holds.

    Parameters
    ----------
    kind
        Of the spec.
    document
        A mapping, as read from YAML.
    origin
        Where it came from, for messages.
    title
        What the spec describes: a run, a comparison ...
    verb
        Which command reads it.
    schema
        Its name for ``atomgraft schema``; none is the verb.

    Raises
    ------
    BadInputError
        A key is unknown, missing or has a wrong value; each is named.
    """
    see = (
        f"See 'atomgraft schema {schema or verb}' for every key, 'atomgraft {verb} "
        "--help' for options."
    )
    if not isinstance(document, dict):
        raise BadInputError(
            f"{origin} does not describe {title}: it holds {type(document).__name__}.",
            "A YAML mapping of keys to values is needed.",
            see,
        )
    try:
        return kind.model_validate(document)
    except ValidationError as error:
        raise BadInputError(
            f"{origin} is no valid description of {title}: {problems_of(error, kind)}.",
            "Expected known keys, and values within their ranges.",
            see,
        ) from error


def checked_spec(kind: type[SpecT], verb: str, given: Mapping[str, Any]) -> SpecT:
    """Return the spec that the options of a verb make.

    Parameters
    ----------
    kind
        Of the spec.
    verb
        Whose options they are, for messages.
    given
        Values by name.

    Raises
    ------
    BadInputError
        A value is out of range.
    """
    try:
        return kind.model_validate(given)
    except ValidationError as error:
        raise BadInputError(
            f"The options do not fit: {problems_of(error, kind)}.",
            "Expected values within their ranges.",
            f"See: atomgraft {verb} --help",
        ) from error


def problems_of(error: ValidationError, kind: type[BaseModel]) -> str:
    """Return what pydantic found wrong, each key with its problem.

    Parameters
    ----------
    error
        Of a document.
    kind
        What it was to be.

    Examples
    --------
    >>> class Trial(BaseModel):
    ...     seeds: int = 0
    >>> try:
    ...     Trial.model_validate({"seed": 1, "seeds": "x"}, extra="forbid")
    ... except ValidationError as error:
    ...     print(problems_of(error, Trial))
    'seeds' is 'x': input should be a valid integer, unable to parse string as an integer; 'seed' is an unknown key (did you mean 'seeds'?)
    """  # noqa: E501 - a message is one line
    return "; ".join(_problem(one, kind) for one in error.errors())


def _problem(error: Any, kind: type[BaseModel]) -> str:  # noqa: ANN401 - of pydantic
    place = ".".join(str(part) for part in error["loc"])
    if error["type"] == "extra_forbidden":
        *groups, key = error["loc"]
        hint = did_you_mean(str(key), _keys_at(kind, groups), "")
        return f"'{place}' is an unknown key" + _in_brackets(hint)
    if error["type"] == "missing":
        return f"'{place}' is missing"
    if error["type"] == "too_short" and not error["input"]:
        least = error["ctx"]["min_length"]
        return f"'{place}' is empty, and needs at least {least}"
    given = repr(error["input"])
    shown = given if len(given) <= MAX_SHOWN else f"{given[:MAX_SHOWN]}..."
    own = error.get("ctx", {}).get("error")  # ours; it may name elements
    if own and not isinstance(error["input"], str | int | float):
        return f"'{place}': {own}" if error["loc"] else str(own)
    problem = f"'{place}' is {shown}: {own or error['msg'].lower()}"
    if error["type"] != "literal_error":
        return problem
    known = re.findall(r"'([^']*)'", error["ctx"]["expected"])
    return problem + _in_brackets(did_you_mean(str(error["input"]), known, ""))


def _in_brackets(hint: str) -> str:
    return f" ({hint[0].lower()}{hint[1:]})" if hint else ""


def _keys_at(kind: type[BaseModel], groups: Sequence[object]) -> set[str]:
    """Return the keys that a group of a spec may have, of all that it may be."""
    models = [kind]
    for group in groups:
        models = [
            below
            for one in models
            for name, field in one.model_fields.items()
            if name == group
            for below in _models_in(field.annotation)
        ] or models  # a number in a list, or a kind of several: no key of its own
    return {key for one in models for key in one.model_fields}


def _models_in(annotation: object) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for one in get_args(annotation):
        yield from _models_in(one)


def changes(
    before: object, after: object, *, free: Container[str] = ()
) -> tuple[str, ...]:
    """Return in what two documents differ, in words; nothing if they agree.

    Parameters
    ----------
    before, after
        As JSON holds them.
    free
        Keys that may differ, at any depth.

    Examples
    --------
    >>> changes({"seed": 0, "training": {"steps": 400}}, {"training": {"steps": 800}})
    ('seed was 0 and is absent', 'training.steps was 400 and is 800')
    """
    return tuple(
        f"{place} was {_short(one)} and is {_short(other)}"
        for place, one, other in _pairs(before, after, "", free)
    )


def listed(found: Sequence[str]) -> str:
    """Return changes in one sentence, the first ones by name.

    Examples
    --------
    >>> listed(["a was 1 and is 2"] * 5)
    'a was 1 and is 2; a was 1 and is 2; a was 1 and is 2; and 2 more'
    """
    rest = len(found) - MAX_NAMED
    return "; ".join([*found[:MAX_NAMED], *([f"and {rest} more"] if rest > 0 else [])])


def _pairs(
    before: Any,  # noqa: ANN401 - JSON
    after: Any,  # noqa: ANN401 - JSON
    place: str,
    free: Container[str],
) -> Iterator[tuple[str, Any, Any]]:
    """Yield place and both values wherever two documents differ."""
    one, other = _entries(before), _entries(after)
    if one is None or other is None or _are_lists_of_other_lengths(before, after):
        if not _agree(before, after):
            yield place, before, after
        return
    for key in dict.fromkeys([*one, *other]):
        if key in free:
            continue
        inside = f"{place}.{key}" if place else key
        yield from _pairs(one.get(key), other.get(key), inside, free)


def _entries(value: Any) -> Mapping[str, Any] | None:  # noqa: ANN401 - JSON
    """Return the entries of an object or a list by name; nothing of anything else."""
    if isinstance(value, dict):
        return cast("dict[str, Any]", value)
    if isinstance(value, list):
        return {str(i): one for i, one in enumerate(cast("list[Any]", value))}
    return None


def _are_lists_of_other_lengths(before: Any, after: Any) -> bool:  # noqa: ANN401 - JSON
    return isinstance(before, list) and len(before) != len(after)  # pyright: ignore[reportUnknownArgumentType]


def _agree(before: Any, after: Any) -> bool:  # noqa: ANN401 - JSON
    if isinstance(before, float) and isinstance(after, float | int):
        return math.isclose(before, after, rel_tol=TOLERANCE, abs_tol=SMALLEST)
    return before == after


def _short(value: Any) -> str:  # noqa: ANN401 - JSON
    text = "absent" if value is None else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= MAX_TEXT else f"{text[: MAX_TEXT - 3]}..."
