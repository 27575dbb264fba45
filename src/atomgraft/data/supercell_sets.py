"""Displaced supercells of one crystal as arrays, from any layout."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from ase import Atoms
from jaxtyping import Bool, Float, Int

from atomgraft.core.errors import BadInputError, reason_of
from atomgraft.data.phonopy_units import FileUnits
from atomgraft.data.sources import Source

LARGEST_FORCE = 1e5
"""eV/Å; a public set of random displacements has 1,720 where two atoms nearly meet."""

FARTHEST = 5.0
"""Å; an atom that is displaced further is at the place of another one."""

LEAST = 1e-6
"""Å; an atom that is displaced by less is where it was."""

LARGEST_ENERGY = 1e10
"""eV; more than the energy of any supercell, core electrons included."""

MOST_NUMBERS = 10**8
"""Displacements of all atoms in all supercells: 0.8 GB, and the forces once more."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class SupercellSet:
    """Displaced supercells, in Å, eV/Å and eV.

    Parameters
    ----------
    name
        What the set is called in its file.
    ideal
        The supercell without displacements.
    matrix
        phonopy's supercell matrix; none if the file has none.
    displacements
        Of every atom, Å.
    forces
        eV/Å; none if the file has none.
    energies
        eV; none if the file has not all of them.
    is_evaluated
        Which supercells have forces: pairs of atoms beyond a cutoff have none.
    pairs
        None where no pairs of atoms are displaced; otherwise phono3py's own mapping of
        first and second atoms, in Å, without forces. Supercells of one displaced atom
        come first, then those of pairs.
    """

    name: str
    ideal: Atoms
    matrix: Int[np.ndarray, "3 3"] | None
    displacements: Float[np.ndarray, "frames atoms 3"]
    forces: Float[np.ndarray, "frames atoms 3"] | None
    energies: Float[np.ndarray, " frames"] | None
    is_evaluated: Bool[np.ndarray, " frames"]
    pairs: Any = None

    @property
    def n_single(self) -> int:
        """Number of the supercells before the first pair."""
        if self.pairs is None:
            return len(self.displacements)
        return len(self.pairs["first_atoms"])


def unreadable(source: Source, what: str) -> BadInputError:
    """Return the error for a phonopy file of which something cannot be used."""
    return BadInputError(
        f"{source.path} {what}.",
        "Expected a phonopy or phono3py file with supercell, displacements and forces.",
        "Save it with phonopy: Phonopy.save(settings={'force_sets': True}).",
    )


def set_from(
    dataset: Mapping[str, Any],
    ideal: Atoms,
    matrix: Int[np.ndarray, "3 3"] | None,
    units: FileUnits,
    name: str,
    source: Source,
) -> SupercellSet:
    """Return a set of displaced supercells from a mapping of phonopy or phono3py.

    Parameters
    ----------
    dataset
        Of either kind, in the units of the file; empty where there are none.
    ideal
        The supercell without displacements.
    matrix
        phonopy's.
    units
        Of the file.
    name
        What the set is called in the file.
    source
        Where it came from.

    Raises
    ------
    BadInputError
        Its parts do not fit, are not finite, or are larger than they can be.
    """
    firsts = dataset.get("first_atoms")
    has_pairs = any("second_atoms" in one for one in firsts or ())
    raw = dataset if firsts is None else _one_by_one(firsts, len(ideal), name, source)
    shape = (len(ideal), 3)
    displacements = np.zeros((0, *shape))
    if raw.get("displacements") is not None:
        displacements = units.length * checked(
            raw["displacements"], shape, f"{name}.displacements", source
        )
    _refuse_beyond(displacements, FARTHEST, f"{name}.displacements", "Å", source)
    found = SupercellSet(
        name=name,
        ideal=ideal,
        matrix=matrix,
        displacements=displacements,
        forces=None,
        energies=None,
        is_evaluated=np.asarray(
            raw.get("is_evaluated", np.ones(len(displacements))), dtype=bool
        ),
        pairs=_pairs_in_angstrom(dataset, units, source) if has_pairs else None,
    )
    forces, energies = raw.get("forces"), raw.get("supercell_energies")
    if forces is None:
        return found
    return with_forces(
        found,
        np.asarray(np.asarray(forces, dtype=float) * units.force),  # one number stays
        None if energies is None else np.asarray(energies, dtype=float) * units.energy,
        source,
    )


def with_forces(
    displaced: SupercellSet,
    forces: Float[np.ndarray, "..."],
    energies: Float[np.ndarray, "..."] | None,
    source: Source,
) -> SupercellSet:
    """Return the set with forces and energies, checked.

    Parameters
    ----------
    displaced
        Without forces.
    forces
        eV/Å, of every supercell.
    energies
        eV, or none.
    source
        Where they came from.

    Raises
    ------
    BadInputError
        They are of other supercells, not finite, or larger than they can be.
    """
    name, n_frames = displaced.name, len(displaced.displacements)
    found = checked(forces, (len(displaced.ideal), 3), f"{name}.forces", source)
    if len(found) != n_frames:
        raise unreadable(
            source, f"has {n_frames} displacements and {len(found)} forces"
        )
    _refuse_beyond(found, LARGEST_FORCE, f"{name}.forces", "eV/Å", source)
    if energies is not None:
        energies = checked(energies, (), f"{name}.supercell_energies", source)
        if len(energies) != n_frames:
            raise unreadable(
                source, f"has {n_frames} forces and {len(energies)} supercell energies"
            )
        _refuse_beyond(
            energies, LARGEST_ENERGY, f"{name}.supercell_energies", "eV", source
        )
    is_evaluated = displaced.is_evaluated
    if displaced.pairs is not None:  # phono3py writes zeros for pairs left out
        is_evaluated = is_evaluated & found.any(axis=(1, 2))
    return dataclasses.replace(
        displaced, forces=found, energies=energies, is_evaluated=is_evaluated
    )


def _one_by_one(
    firsts: Sequence[Mapping[str, Any]], n_atoms: int, name: str, source: Source
) -> dict[str, Any]:
    """Return displacements of one atom, then of pairs, as those of all atoms."""
    moves: list[tuple[Mapping[str, Any], ...]] = [(one,) for one in firsts]
    moves += [(one, other) for one in firsts for other in one.get("second_atoms") or ()]
    if len(moves) * n_atoms * 3 > MOST_NUMBERS:
        raise unreadable(
            source, f"has {len(moves)} displacements of {n_atoms} atoms: too many"
        )
    displacements = np.zeros((len(moves), n_atoms, 3))
    for i, atoms in enumerate(moves):
        for one in atoms:
            number, vector = one["number"], one["displacement"]
            if not isinstance(number, int) or not 0 <= number < n_atoms:
                raise unreadable(source, f"displaces atom {number + 1} of {n_atoms}")
            moved = checked([vector], (3,), f"{name}.displacements", source)[0]
            if not np.abs(moved).max() > LEAST:
                raise unreadable(source, f"displaces atom {number + 1} by nothing")
            displacements[i, number] += moved
    last = [atoms[-1] for atoms in moves]
    is_evaluated = [bool(one.get("included", True)) for one in last]
    energies = [one.get("supercell_energy") for one in last]
    return {
        "displacements": displacements,
        "forces": _forces_of(last, is_evaluated, n_atoms, name, source),
        "supercell_energies": None if None in energies else energies,
        "is_evaluated": is_evaluated,
    }


def _forces_of(
    entries: Sequence[Mapping[str, Any]],
    is_evaluated: Sequence[bool],
    n_atoms: int,
    name: str,
    source: Source,
) -> list[Any] | None:
    """Return the forces beside each displacement; none where there are none at all."""
    forces = [one.get("forces") for one in entries]
    if all(one is None for one in forces):
        return None
    for i, (one, is_needed) in enumerate(zip(forces, is_evaluated, strict=True)):
        if one is None and is_needed:
            raise unreadable(source, f"has no forces in supercell {i} of its {name}")
        if one is None:
            forces[i] = np.zeros((n_atoms, 3))
        elif np.shape(one) != (n_atoms, 3):
            raise unreadable(
                source,
                f"has forces of shape {np.shape(one)} in supercell {i} of its {name},"
                f" which has {n_atoms} atoms",
            )
    return forces


def _pairs_in_angstrom(
    dataset: Mapping[str, Any], units: FileUnits, source: Source
) -> dict[str, Any]:
    """Return phono3py's mapping of pairs with lengths in Å, and without forces."""

    def length(entry: Mapping[str, Any], key: str) -> dict[str, float]:
        if key not in entry:
            return {}
        [value] = checked([entry[key]], (), f"{key} of a pair", source)
        return {key: float(value) * units.length}

    def converted(entry: Mapping[str, Any]) -> dict[str, Any]:
        left_out = ("forces", "supercell_energy", "second_atoms")
        kept = {key: one for key, one in entry.items() if key not in left_out}
        kept["displacement"] = np.asarray(entry["displacement"]) * units.length
        return kept | length(entry, "pair_distance")

    found = {key: one for key, one in dataset.items() if key != "first_atoms"}
    found |= length(dataset, "cutoff_distance")
    found["first_atoms"] = [
        converted(one)
        | {"second_atoms": [converted(other) for other in one["second_atoms"]]}
        for one in dataset["first_atoms"]
    ]
    return found


def checked(
    values: object, shape: tuple[int, ...], name: str, source: Source
) -> Float[np.ndarray, "..."]:
    """Return finite numbers of shape (frames, *shape).

    Parameters
    ----------
    values
        As they were read.
    shape
        Of one frame.
    name
        For messages.
    source
        Where they came from.

    Raises
    ------
    BadInputError
        They are of another shape, no numbers, or not finite.
    """
    try:
        array = np.asarray(values, dtype=float)
    except (TypeError, ValueError, OverflowError) as error:
        raise unreadable(
            source, f"has {name} that are no array ({reason_of(error)})"
        ) from error
    if array.ndim == 0 or array.shape[1:] != shape or len(array) == 0:
        needed = ", ".join(str(n) for n in ("frames", *shape))
        raise unreadable(
            source, f"has {name} of shape {array.shape} where ({needed}) is needed"
        )
    if not np.isfinite(array).all():
        i = int(np.argwhere(~np.isfinite(array))[0][0])
        raise unreadable(source, f"has {name} that are not finite in frame {i}")
    return array


def _refuse_beyond(
    values: Float[np.ndarray, "..."], limit: float, name: str, unit: str, source: Source
) -> None:
    if values.size and float(np.abs(values).max()) > limit:
        i = int(np.argwhere(np.abs(values) > limit)[0][0])
        raise unreadable(
            source,
            f"has {name} of {np.abs(values).max():.3g} {unit} in frame {i}, and "
            f"{limit:g} {unit} is the most",
        )
