"""From options and the files of a run to the crystals that are judged."""

import dataclasses

from ase import Atoms

from atomgraft.core.errors import BadInputError
from atomgraft.data.force_sets import is_phonopy_calculation, read_force_sets
from atomgraft.data.sources import parse_source
from atomgraft.data.structure_files import read_structure
from atomgraft.evaluation.bulk.record import SUITE
from atomgraft.evaluation.bulk.spec import BulkOptions
from atomgraft.evaluation.moving import frames_of
from atomgraft.evaluation.suite import Subject
from atomgraft.evaluation.systems import common_crystal
from atomgraft.lattice.symmetry import EXACT_SYMPREC, spglib_group, standardised


@dataclasses.dataclass(frozen=True, kw_only=True)
class Crystal:
    """A crystal that is judged.

    Parameters
    ----------
    name
        As the user named it, or its formula.
    atoms
        Primitive cell in the standard orientation.
    group
        Symbol and number of its space group.
    """

    name: str
    atoms: Atoms
    group: tuple[str, int]

    @property
    def formula(self) -> str:
        """Reduced formula, by which reference values are found."""
        return self.atoms.symbols.formula.reduce()[0].format("hill")


def crystals_of(options: BulkOptions, subject: Subject) -> list[Crystal]:
    """Return the crystals that were named, or the one that most frames are of.

    Raises
    ------
    BadInputError
        A file cannot be read, there is no crystal among the frames, or two crystals
        have one formula.
    """
    if options.crystal:
        found = [_crystal(name, _read(name)) for name in options.crystal]
    else:
        found = [_common(subject)]
    formulas = [one.formula for one in found]
    if twins := {one for one in formulas if formulas.count(one) > 1}:
        raise BadInputError(
            f"Two crystals of the suite bulk are {', '.join(sorted(twins))}.",
            "Crystals are told apart by their formula.",
            "Ask for one of them at a time.",
        )
    return found


def _read(name: str) -> Atoms:
    if is_phonopy_calculation(name):
        return read_force_sets(name).unit_cell
    return read_structure(parse_source(name))


def _common(subject: Subject) -> Crystal:
    found = common_crystal(frames_of(subject, SUITE))
    if found is None:
        raise BadInputError(
            "The suite bulk needs a crystal, and the run's training files hold none.",
            "A structure that is periodic in all directions is needed.",
            "Name a file: --crystal POSCAR",
        )
    one = _crystal("", found)
    return dataclasses.replace(one, name=one.formula)


def _crystal(name: str, atoms: Atoms) -> Crystal:
    primitive = standardised(atoms, EXACT_SYMPREC)
    group = spglib_group(primitive, EXACT_SYMPREC)
    return Crystal(name=name, atoms=primitive, group=group)
