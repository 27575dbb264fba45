"""The parts of phonopy and phono3py YAML files, each checked.

A phonopy file holds its displacements either one atom at a time (a list at the
top of the file) or for all atoms at once (``dataset``). A phono3py file can hold
a second set, ``phonon_dataset`` on ``phonon_supercell``; ``dataset`` is read
unless ``file.yaml#phonon_dataset`` asks for the other. phonopy itself is not
needed.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import yaml
from ase import Atoms
from jaxtyping import Float

from atomgraft.core.errors import BadInputError
from atomgraft.data.sources import Source
from atomgraft.data.streams import read_text

MAX_BYTES = 512 * 1024**2
"""Parsed YAML takes about twenty times its size in memory."""

SUPERCELLS = {"dataset": "supercell", "phonon_dataset": "phonon_supercell"}

EXPECTED_UNITS = {"length": "angstrom", "force": "eV/angstrom"}


def read_document(source: Source) -> dict[str, Any]:
    """Return the content of a phonopy or phono3py file.

    Raises
    ------
    BadInputError
        It is no YAML with keys.
    """
    text = read_text(source.path, max_bytes=MAX_BYTES)
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        document = yaml.load(text, Loader=loader)
    except yaml.YAMLError as error:
        reason = " ".join(str(error).split())[:200]
        raise unreadable(source, f"is not readable YAML ({reason})") from error
    except (ValueError, RecursionError) as error:
        raise unreadable(source, f"is not readable YAML ({error})") from error
    if not isinstance(document, dict):
        raise unreadable(source, "is YAML, but holds no keys")
    return document


def unreadable(source: Source, what: str) -> BadInputError:
    """Return the error for a phonopy file of which something cannot be used."""
    return BadInputError(
        f"{source.path} {what}.",
        "A phonopy or phono3py file with supercell, displacements and forces is"
        " needed.",
        "Save it with phonopy: Phonopy.save(settings={'force_sets': True}).",
    )


def check_units(document: Mapping[str, Any], source: Source) -> None:
    """Refuse units other than Å and eV/Å: nothing is converted by guess.

    Raises
    ------
    BadInputError
        The file states others, or a calculator that has others.
    """
    program = document.get("phonopy") or document.get("phono3py") or {}
    calculator = program.get("calculator") if isinstance(program, dict) else None
    stated = document.get("physical_unit")
    if isinstance(stated, dict):
        for quantity, needed in EXPECTED_UNITS.items():
            if str(stated.get(quantity, needed)).lower() != needed.lower():
                raise _wrong_unit(source, f"{quantity} in {stated[quantity]}")
    elif calculator not in {None, "vasp", "VASP"}:
        raise _wrong_unit(source, f"the calculator {calculator} and no physical_unit")


def _wrong_unit(source: Source, what: str) -> BadInputError:
    return BadInputError(
        f"{source.path} states {what}.",
        "Lengths in Å and forces in eV/Å are needed.",
        "Convert the file, and state physical_unit: {length: angstrom,"
        " force: eV/angstrom}.",
    )


def structure_in(document: Mapping[str, Any], key: str, source: Source) -> Atoms:
    """Return a cell of a phonopy file.

    Parameters
    ----------
    document
        Its content.
    key
        ``unit_cell``, ``supercell`` ...
    source
        Where it came from.

    Raises
    ------
    BadInputError
        There is no such cell, or it is broken.
    """
    try:
        cell = document[key]
        points = cell["points"]
        moments = [point.get("magnetic_moment") for point in points]
        return Atoms(
            symbols=[str(point["symbol"]) for point in points],
            scaled_positions=[point["coordinates"] for point in points],
            cell=np.asarray(cell["lattice"], dtype=float),
            pbc=True,
            magmoms=None if None in moments else moments,
        )
    except (KeyError, TypeError, ValueError) as error:
        reason = f"{type(error).__name__}: {error}"
        raise unreadable(source, f"has no usable {key} ({reason})") from error


def displaced_in(
    document: Mapping[str, Any], name: str, n_atoms: int, source: Source
) -> tuple[
    Float[np.ndarray, "frames atoms 3"],
    Float[np.ndarray, "frames atoms 3"],
    Float[np.ndarray, " frames"] | None,
]:
    """Return displacements, forces and energies of one set.

    Parameters
    ----------
    document
        Content of a phonopy file.
    name
        ``dataset`` or ``phonon_dataset``.
    n_atoms
        Of the supercell.
    source
        Where it came from.

    Returns
    -------
    :
        Å of every atom, eV/Å, eV or none.

    Raises
    ------
    BadInputError
        The set is not there, has no forces, or its parts do not fit.
    """
    if name not in document and name == "dataset":
        entries = document.get("displacements")
    else:
        entries = document.get(name)
    if isinstance(entries, dict) and "first_atoms" not in entries:
        raw = [entries.get(key) for key in ("displacements", "forces")]
        energies = entries.get("supercell_energies")
    elif isinstance(entries, list) and entries and _is_one_atom(entries):
        raw = _one_atom_at_a_time(entries, n_atoms, source)
        energies = [entry.get("supercell_energy") for entry in entries]
        energies = None if None in energies else energies
    else:
        raise _no_displacements(document, name, source)
    if raw[1] is None:
        raise unreadable(source, f"has no forces in its {name}")
    shape = (n_atoms, 3)
    displacements = _array(raw[0], shape, f"{name}.displacements", source)
    forces = _array(raw[1], shape, f"{name}.forces", source)
    if len(displacements) != len(forces):
        raise unreadable(
            source, f"has {len(displacements)} displacements and {len(forces)} forces"
        )
    if energies is None:
        return displacements, forces, None
    checked = _array(energies, (), f"{name}.supercell_energies", source)
    if len(checked) != len(forces):
        raise unreadable(
            source, f"has {len(forces)} forces and {len(checked)} supercell energies"
        )
    return displacements, forces, checked


def _no_displacements(
    document: Mapping[str, Any], name: str, source: Source
) -> BadInputError:
    if "displacement_pairs" in document:
        return BadInputError(
            f"{source.path} holds pairs of displaced atoms (displacement_pairs).",
            "Forces of pairs stand in FORCES_FC3, not in the file.",
            "Give displaced supercells of all atoms, or"
            f" {source.path}#phonon_dataset if it has one.",
        )
    return unreadable(source, f"has no {name} with displacements")


def _is_one_atom(entries: Sequence[Any]) -> bool:
    return all(
        isinstance(entry, dict) and {"atom", "displacement"} <= entry.keys()
        for entry in entries
    )


def _one_atom_at_a_time(
    entries: Sequence[Mapping[str, Any]], n_atoms: int, source: Source
) -> list[Any]:
    displacements = np.zeros((len(entries), n_atoms, 3))
    for i, entry in enumerate(entries):
        atom = entry["atom"]
        if not isinstance(atom, int) or not 1 <= atom <= n_atoms:
            raise unreadable(source, f"displaces atom {atom!r} of {n_atoms}")
        moved = _array([entry["displacement"]], (3,), "displacements", source)
        displacements[i, atom - 1] = moved[0]
    forces = [entry.get("forces") for entry in entries]
    return [displacements, None if all(one is None for one in forces) else forces]


def _array(
    values: object, shape: tuple[int, ...], name: str, source: Source
) -> Float[np.ndarray, "..."]:
    """Return finite numbers of shape (frames, *shape), or say what is wrong."""
    try:
        array = np.asarray(values, dtype=float)
    except (TypeError, ValueError) as error:
        raise unreadable(source, f"has {name} that are no array ({error})") from error
    if array.shape[1:] != shape or array.ndim == 0 or len(array) == 0:
        needed = ", ".join(str(n) for n in ("frames", *shape))
        raise unreadable(
            source, f"has {name} of shape {array.shape} where ({needed}) is needed"
        )
    if not np.isfinite(array).all():
        i = int(np.argwhere(~np.isfinite(array))[0][0])
        raise unreadable(source, f"has {name} that are not finite in frame {i}")
    return array
