"""Reference values of bulk properties from a file of the user."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

from atomgraft.core.errors import BadInputError
from atomgraft.core.yaml_files import read_settings
from atomgraft.evaluation.bulk.record import UNITS, unit_of

References = Mapping[str, Mapping[str, float]]
"""Values by formula of the crystal and name of the property."""


def read_references(path: Path) -> References:
    """Read reference values: properties by crystal, in the units of the tables.

    Parameters
    ----------
    path
        YAML such as ``{Si: {volume: 20.0, C11: 151.4}}``.

    Raises
    ------
    BadInputError
        The file cannot be read, or holds anything else.

    Examples
    --------
    >>> import tempfile
    >>> file = Path(tempfile.mkdtemp()) / "values.yaml"
    >>> _ = file.write_text("Si: {volume: 20.0, C11: 151.4}")
    >>> read_references(file)
    {'Si': {'volume': 20.0, 'C11': 151.4}}
    """
    document = read_settings(path)
    if not isinstance(document, dict) or not document:
        raise _refused(path, f"it holds {_what(document)}")
    crystals = cast("dict[str, Any]", document)
    return {name: _values(path, name, one) for name, one in crystals.items()}


def _values(path: Path, crystal: str, values: object) -> dict[str, float]:
    if not isinstance(values, dict) or not values:
        raise _refused(path, f"{crystal} has {_what(values)}")
    found: dict[str, float] = {}
    for name, value in cast("dict[str, Any]", values).items():
        if unit_of(name) is None:
            raise _refused(path, f"{crystal} has the unknown property {name!r}")
        if isinstance(value, bool) or not isinstance(value, int | float) or value == 0:
            raise _refused(path, f"{name} of {crystal} is {value!r}")
        found[name] = float(value)
    return found


def require_used(path: Path, references: References, formulas: list[str]) -> None:
    """Check that every crystal of the file is one that is judged.

    Raises
    ------
    BadInputError
        One is not.
    """
    strange = [name for name in references if name not in formulas]
    if strange:
        raise BadInputError(
            f"{path} has values of {', '.join(strange)}.",
            f"The crystals that are judged are {', '.join(formulas)}.",
            "Name crystals by their reduced formula, or add --crystal FILE.",
        )


def _what(found: object) -> str:
    return "nothing" if not found else f"a {type(found).__name__}"


def _refused(path: Path, why: str) -> BadInputError:
    known = ", ".join([*UNITS, "C11 ...", "vacancy_Si", "surface_110"])
    return BadInputError(
        f"{path} holds no reference values that can be used: {why}.",
        f"Properties by crystal are needed, each with a number that is not zero: "
        f"{known}.",
        "Write for example: 'Si: {volume: 20.0, C11: 151.4}'",
    )
