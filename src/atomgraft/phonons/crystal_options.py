"""What verbs about one crystal share: names of folders, supercells, checked specs."""

import re
from pathlib import Path
from typing import Any, TypeVar

Spec = TypeVar("Spec")
"""A pydantic model; naming it here would load pydantic for --help."""


def stem_of(crystal: str) -> str:
    """Return a name for the folder of a crystal's results."""
    name = Path(crystal.partition("@")[0]).name.partition(".")[0]
    return re.sub(r"[^\w-]+", "-", name) or "crystal"


def checked_spec(kind: type[Spec], verb: str, given: dict[str, Any]) -> Spec:
    """Return what was asked of a verb.

    Raises
    ------
    BadInputError
        A value is out of range.
    """
    from pydantic import ValidationError

    from atomgraft.core.errors import BadInputError
    from atomgraft.core.specs import problems_of

    checked: Any = kind
    try:
        return checked.model_validate(given)
    except ValidationError as error:
        raise BadInputError(
            f"The options do not fit: {problems_of(error, checked)}.",
            "Every value must be in range.",
            f"See: atomgraft {verb} --help",
        ) from error


def numbers_of(text: str, option: str, counts: set[int]) -> list[int]:
    """Return the whole numbers of an option; one stands for all three.

    Raises
    ------
    BadInputError
        They are not whole, or not as many as are wanted.
    """
    from atomgraft.core.errors import BadInputError

    parts = text.replace(",", " ").replace("x", " ").split()
    if len(parts) not in counts or not all(
        re.fullmatch(r"-?\d{1,9}", one, re.ASCII) for one in parts
    ):
        wanted = " or ".join(str(one) for one in sorted(counts))
        raise BadInputError(
            f"{option} came as {text[:60]!r}.",
            f"It takes {wanted} whole numbers of up to nine digits.",
            f"Write for example {option} '2 2 2'.",
        )
    numbers = [int(one) for one in parts]
    return numbers * 3 if len(numbers) == 1 else numbers


def rows_of(text: str) -> list[list[int]]:
    """Return a supercell from one, three or nine numbers."""
    numbers = numbers_of(text, "--supercell", {1, 3, 9})
    if len(numbers) == 9:
        return [numbers[:3], numbers[3:6], numbers[6:]]
    return [[n if i == j else 0 for j in range(3)] for i, n in enumerate(numbers)]
