"""CIF files with their occupancies, parsed by gemmi.

gemmi parses the file and the symmetry operations; which sites they make, and which rows
share one, is decided here. It is imported here alone, when a file is read.
"""

import importlib
import importlib.util
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from ase.data import atomic_numbers
from ase.geometry import cellpar_to_cell
from jaxtyping import Float

from atomgraft.core.errors import BadInputError, MissingExtraError, foreign
from atomgraft.core.reading import expanded
from atomgraft.data.disorder.average import (
    FULL,
    SAME_POSITION,
    AverageStructure,
    Doubt,
    Finding,
    Occupant,
    Site,
)
from atomgraft.data.disorder.formulas import compare_formula
from atomgraft.data.geometry import MIN_VOLUME_RATIO, check_geometry

MAX_BYTES = 128 * 1024**2
"""Of a CIF; its text and what is parsed of it are in memory together."""

MAX_SITES = 20_000
"""Of a cell."""

MAX_OPERATIONS = 2000
"""Of symmetry; the largest space groups have 192, supercells of them more."""

SAME_IMAGE = (0.1, 0.01, 0.3, 0.5)
"""Å; images of a row closer than the first are one site. The others are tried where the
file states another multiplicity."""

OPERATIONS = (
    "_space_group_symop_operation_xyz",
    "_space_group_symop.operation_xyz",
    "_symmetry_equiv_pos_as_xyz",
    "_symmetry_equiv.pos_as_xyz",
)
NAMES = ("_space_group_name_H-M_alt", "_symmetry_space_group_name_H-M")
HALL_NAMES = ("_space_group_name_Hall", "_symmetry_space_group_name_Hall")
NUMBERS = ("_space_group_IT_number", "_symmetry_Int_Tables_number")
MULTIPLICITIES = (
    "?symmetry_multiplicity",
    "?site_symmetry_multiplicity",
)

VACANCIES = frozenset({"X", "Va", "Vac", "Vc", "Du"})
"""What files write for a vacancy or a dummy."""

ISOTOPES = frozenset({"D", "T"})

Rotations = Float[np.ndarray, "operations 3 3"]


class Row(NamedTuple):
    """A row of the table of atoms.

    Parameters
    ----------
    label
        As in the file.
    occupant
        Its element.
    position
        Fractions of the cell vectors.
    multiplicity
        Sites that the file says it makes; none if it says nothing.
    """

    label: str
    occupant: Occupant
    position: Float[np.ndarray, "3"]
    multiplicity: int | None


def require_gemmi() -> None:
    """Check that this Python can import gemmi.

    Raises
    ------
    MissingExtraError
        It cannot.
    """
    if importlib.util.find_spec("gemmi") is None:
        raise MissingExtraError(
            "Reading occupancies of a CIF needs gemmi, which is not installed here.",
            "It is an extra of atomgraft.",
            "Run: pip install 'atomgraft[transport]'",
        )


def _gemmi() -> Any:  # noqa: ANN401 - a module without types
    require_gemmi()
    return importlib.import_module("gemmi")


def read_cif(path: Path) -> list[AverageStructure]:
    """Read all structures of a CIF.

    Parameters
    ----------
    path
        Plain or compressed.

    Raises
    ------
    BadInputError
        It is no CIF, holds no structure, or one of its structures cannot be used.
    MissingExtraError
        gemmi is not installed.
    """
    structures: list[AverageStructure] = []
    for one in iterate_cif(path):
        if isinstance(one, BadInputError):
            raise one
        structures.append(one)
    return structures


def iterate_cif(path: Path) -> Iterator[AverageStructure | BadInputError]:
    """Yield the structures of a CIF, and an error for each that cannot be used.

    Parameters
    ----------
    path
        Plain or compressed.

    Raises
    ------
    BadInputError
        It is no CIF, or holds no structure.
    MissingExtraError
        gemmi is not installed.
    """
    gemmi = _gemmi()
    with expanded(path, max_bytes=MAX_BYTES) as plain:
        text = plain.read_bytes().decode("utf-8", errors="replace")
    with foreign(lambda reason: _no_cif(path, reason)):
        blocks = list(gemmi.cif.read_string(text))
    with_atoms = [one for one in blocks if len(one.find("_atom_site_", ["fract_x"]))]
    if not with_atoms:
        has_cell = any(one.find_value("_cell_length_a") for one in blocks)
        raise _no_atoms(f"{path}", is_cell_there=has_cell)
    for block in with_atoms:
        name = str(path) if len(with_atoms) == 1 else f"{path}, block {block.name}"
        try:
            yield _structure(block, name)
        except BadInputError as error:
            yield error


def _structure(block: Any, name: str) -> AverageStructure:  # noqa: ANN401 - gemmi's
    findings: list[Finding] = []
    cell = _cell(block, name)
    rotations, translations = _operations(block, name, findings)
    rows = _rows(block, name, findings)
    if not rows:
        raise _no_atoms(name, is_cell_there=True)
    images = [
        _images(row, rotations, translations, cell, findings=findings) for row in rows
    ]
    n_sites = sum(map(len, images))
    if n_sites > MAX_SITES:
        raise BadInputError(
            f"{name} has {n_sites} sites in its cell.",
            f"Expected at most {MAX_SITES}.",
            "Check the symmetry operations, or leave the file out.",
        )
    sites = _shared(rows, images, cell, findings)
    structure = AverageStructure(name, cell, sites)
    check_geometry(structure.atoms(), name)
    stated = block.find_value("_chemical_formula_sum")
    if stated:
        text = _gemmi().cif.as_string(stated)
        findings += compare_formula(structure.composition, text)
    return AverageStructure(name, cell, sites, tuple(findings))


def _cell(block: Any, name: str) -> Float[np.ndarray, "3 3"]:  # noqa: ANN401 - gemmi's
    keys = [f"_cell_{one}" for one in ("length_a", "length_b", "length_c")]
    keys += [f"_cell_angle_{one}" for one in ("alpha", "beta", "gamma")]
    numbers = [_number(block.find_value(key)) for key in keys]
    missing = [
        key for key, one in zip(keys, numbers, strict=True) if not np.isfinite(one)
    ]
    if missing:
        raise BadInputError(
            f"{name} has no number for {', '.join(missing)}.",
            "Expected three lengths in Å and three angles in degrees.",
            "Add the cell, or leave the file out.",
        )
    cosines = np.cos(np.radians(numbers[3:]))
    squared = 1 - (cosines**2).sum() + 2 * cosines.prod()  # volume of unit lengths
    if min(numbers[:3]) <= 0 or not squared > MIN_VOLUME_RATIO**2:
        raise BadInputError(
            f"{name} has the cell {' '.join(f'{one:g}' for one in numbers)}.",
            "Expected three lengths in Å and three angles in degrees that span a cell.",
            "Correct the cell, or leave the file out.",
        )
    return np.asarray(cellpar_to_cell(numbers))


def _number(text: str | None) -> float:
    """Return a number of a CIF, its uncertainty left out; NaN where there is none."""
    return float("nan") if text is None else float(_gemmi().cif.as_number(text))


def _operations(
    block: Any,  # noqa: ANN401 - gemmi's
    name: str,
    findings: list[Finding],
) -> tuple[Rotations, Float[np.ndarray, "operations 3"]]:
    gemmi = _gemmi()
    listed: list[str] = next(
        (column for tag in OPERATIONS if (column := _column(block, tag))), []
    )
    if len(listed) > MAX_OPERATIONS:
        raise _bad_symmetry(name, f"there are {len(listed)} operations")
    with foreign(lambda reason: _bad_symmetry(name, reason)):
        operations = [gemmi.Op(one) for one in listed] or list(
            _by_name(block, name, findings)
        )
        scale = gemmi.Op.DEN
        rotations = np.array([one.rot for one in operations]) / scale
        translations = np.array([one.tran for one in operations]) / scale
    return rotations, translations


def _column(block: Any, tag: str) -> list[str]:  # noqa: ANN401 - gemmi's
    texts = [_gemmi().cif.as_string(one) for one in block.find_values(tag)]
    return [one for one in texts if one]


def _by_name(block: Any, name: str, findings: list[Finding]) -> Any:  # noqa: ANN401
    """Return the operations of the space group that the file names."""
    gemmi = _gemmi()
    for hall in (text for tag in HALL_NAMES for text in _column(block, tag)):
        findings.append(Finding(Doubt.SYMMETRY_BY_NAME, hall))
        return gemmi.symops_from_hall(hall)
    names = [text for tag in NAMES for text in _column(block, tag)]
    numbers = [text for tag in NUMBERS for text in _column(block, tag)]
    groups = [gemmi.find_spacegroup_by_name(one) for one in names]
    groups += [gemmi.find_spacegroup_by_number(int(_number(one))) for one in numbers]
    group = next((one for one in groups if one is not None), None)
    if group is not None:
        findings.append(Finding(Doubt.SYMMETRY_BY_NAME, group.xhm()))
        return group.operations()
    if names or numbers:
        raise _bad_symmetry(name, f"{(names or numbers)[0]!r} is no space group")
    findings.append(Finding(Doubt.NO_SYMMETRY, "no operation, name or number"))
    return [gemmi.Op("x,y,z")]


COLUMNS = (
    "fract_x",
    "fract_y",
    "fract_z",
    "?label",
    "?type_symbol",
    "?occupancy",
    "?attached_hydrogens",
    *MULTIPLICITIES,
)


def _rows(block: Any, name: str, findings: list[Finding]) -> list[Row]:  # noqa: ANN401
    charges = {
        _text(one[0]): _number(one[1])
        for one in block.find("_atom_type_", ["symbol", "oxidation_number"])
    }
    lost: dict[Doubt, list[str]] = {}
    rows: list[Row] = []
    for i, line in enumerate(block.find("_atom_site_", list(COLUMNS))):
        fields = [_text(line[k]) if line.has(k) else "" for k in range(len(COLUMNS))]
        row = _row(fields, f"row {i + 1}", name, charges, lost=lost)
        if row is not None:
            rows.append(row)
    for doubt, labels in lost.items():
        findings.append(Finding(doubt, ", ".join(labels)))
    return rows


def _text(value: str) -> str:
    return str(_gemmi().cif.as_string(value)).strip()


def _row(
    fields: list[str],
    number: str,
    name: str,
    charges: dict[str, float],
    *,
    lost: dict[Doubt, list[str]],
) -> Row | None:
    """Return what a row says; none, and a note in `lost`, where it is left out."""
    label = fields[3] or number
    symbol, charge = _element(fields[4], fields[3], f"{name}: {label}", charges)
    position = np.array([_number(one) for one in fields[:3]])
    occupancy = _occupancy(fields[5], f"{name}: {label}")
    if symbol in VACANCIES or occupancy == 0:
        lost.setdefault(Doubt.VACANCY, []).append(label)
        return None
    if not np.isfinite(position).all():
        lost.setdefault(Doubt.NO_POSITION, []).append(label)
        return None
    if symbol in ISOTOPES:
        lost.setdefault(Doubt.ISOTOPE, []).append(label)
        symbol = "H"
    if fields[6] not in {"", "0"}:
        lost.setdefault(Doubt.HYDROGEN, []).append(label)
    stated = next((int(one) for one in fields[7:] if one.isdigit()), None)
    return Row(label, Occupant(symbol, occupancy, charge), position, stated)


_TYPE = re.compile(r"([A-Za-z]+?)(?:(\d+\.?\d*)?([+-])(\d+\.?\d*)?|\d*)")


def _element(
    kind: str, label: str, place: str, charges: dict[str, float]
) -> tuple[str, float | None]:
    """Return symbol and charge of a row from its type, else from its label."""
    match = _TYPE.fullmatch(kind) if kind else None
    charge = charges.get(kind)
    if match is not None and match[3] and charge is None:
        charge = float(match[2] or match[4] or 1) * (1 if match[3] == "+" else -1)
    letters = match[1] if match else kind or re.split(r"[^A-Za-z]", label)[0]
    symbol = letters[:1].upper() + letters[1:].lower()
    known = atomic_numbers.keys() | VACANCIES | ISOTOPES
    if not kind and symbol != "Wat":  # labels add letters of their own, as in O1w
        symbol = next(
            (symbol[:n] for n in range(len(symbol), 0, -1) if symbol[:n] in known),
            symbol,
        )
    if symbol not in known:
        raise BadInputError(
            f"{place} has the type {kind or label!r}, which is no element.",
            "Expected a chemical symbol, with a charge or without.",
            "Correct the symbol, or leave the file out.",
        )
    return symbol, None if charge is None or not np.isfinite(charge) else charge


def _occupancy(text: str, place: str) -> float:
    if not text:
        return 1.0  # the value that the CIF dictionary gives it
    value = _number(text)
    if not 0 <= value < np.inf:
        raise BadInputError(
            f"{place} has the occupancy {text!r}.",
            "Expected a number from 0 to 1.",
            "Correct the occupancy, or leave the file out.",
        )
    return value


def _images(
    row: Row,
    rotations: Rotations,
    translations: Float[np.ndarray, "operations 3"],
    cell: Float[np.ndarray, "3 3"],
    *,
    findings: list[Finding],
) -> Float[np.ndarray, "sites 3"]:
    """Return the positions that symmetry makes of a row, the first as in the file."""
    every = (rotations @ row.position + translations) % 1.0
    distances = _distances(every, every, cell)
    found = [every[_kept(distances, one)] for one in SAME_IMAGE]
    if row.multiplicity is None:
        return found[0]
    for one in found:
        if len(one) == row.multiplicity:
            return one
    detail = f"{row.label}: {len(found[0])} positions, stated {row.multiplicity}"
    findings.append(Finding(Doubt.MULTIPLICITY, detail))
    return found[0]


def _kept(distances: Float[np.ndarray, "n n"], limit: float) -> list[int]:
    kept: list[int] = []
    for i, row in enumerate(distances):
        if not kept or row[kept].min() >= limit:
            kept.append(i)
    return kept


def _distances(
    one: Float[np.ndarray, "n 3"],
    other: Float[np.ndarray, "m 3"],
    cell: Float[np.ndarray, "3 3"],
) -> Float[np.ndarray, "n m"]:
    """Return distances, Å; right where they are short against the cell."""
    difference = one[:, None] - other[None]
    difference -= np.round(difference)
    return np.linalg.norm(difference @ cell, axis=-1)


def _shared(
    rows: list[Row],
    images: list[Float[np.ndarray, "_ 3"]],
    cell: Float[np.ndarray, "3 3"],
    findings: list[Finding],
) -> tuple[Site, ...]:
    """Return sites, each with all rows that are at its position."""
    positions = np.zeros((0, 3))
    occupants: list[list[Occupant]] = []
    orbits: list[int] = []
    for i, (row, found) in enumerate(zip(rows, images, strict=True)):
        distances = _distances(found, positions, cell)
        nearest = distances.argmin(axis=1) if len(positions) else [-1] * len(found)
        fresh: list[Float[np.ndarray, "3"]] = []
        for k, j in enumerate(nearest):
            if j >= 0 and distances[k, j] < SAME_POSITION:
                occupants[j].append(row.occupant)
                continue
            fresh.append(found[k])
            occupants.append([row.occupant])
            orbits.append(i)
        positions = np.vstack([positions, *fresh])
    notes: dict[Finding, None] = {}
    sites = tuple(
        Site((float(x), float(y), float(z)), _together(those, rows[k].label, notes), k)
        for (x, y, z), those, k in zip(positions, occupants, orbits, strict=True)
    )
    findings.extend(notes)
    return sites


def _together(
    those: list[Occupant], label: str, notes: dict[Finding, None]
) -> tuple[Occupant, ...]:
    """Return the occupants of a site, each once, their sum 1 at most."""
    total = sum(one.occupancy for one in those)
    found: dict[tuple[str, float | None], float] = {}
    for symbol, occupancy, charge in those:
        key = (symbol, charge)
        if key in found:
            notes[Finding(Doubt.DUPLICATE, f"{symbol} at {label}")] = None
            is_sum = total <= 2 - FULL
            added = found[key] + occupancy
            occupancy = added if is_sum else max(found[key], occupancy)
        found[key] = occupancy
    total = sum(found.values())
    if total > 2 - FULL:
        notes[Finding(Doubt.OVERFULL, f"{label}: {total:.3f}")] = None
    scale = max(1.0, total)
    return tuple(
        Occupant(symbol, n / scale, charge) for (symbol, charge), n in found.items()
    )


def _no_cif(path: Path, reason: str) -> BadInputError:
    return BadInputError(
        f"{path} cannot be read as a CIF: {reason}.",
        "Expected a crystallographic information file.",
        "Check that the file name matches the content.",
    )


def _bad_symmetry(name: str, reason: str) -> BadInputError:
    return BadInputError(
        f"{name} has symmetry that cannot be read: {reason}.",
        "Expected operations such as 'x, y, z', or the name of a space group.",
        "Correct the symmetry, or leave the file out.",
    )


def _no_atoms(name: str, *, is_cell_there: bool) -> BadInputError:
    what = "no atoms" if is_cell_there else "neither a cell nor atoms"
    return BadInputError(
        f"{name} has {what} with fractional coordinates.",
        "Expected a table with _atom_site_fract_x, _y and _z.",
        "Check that the file holds a structure, or leave it out.",
    )
