"""Reading phonopy and phono3py files with our parser and their interpretation.

phonopy and phono3py have written their files in several layouts: displacements of one
atom, of pairs of atoms or of all atoms, forces beside each displacement or in lists of
their own. What a layout means is for their own interpreters to say. They get what a
safe and bounded YAML reader has found, never the file: their file readers take YAML
that can run code. What comes back is checked and brought to Å, eV/Å and eV.

A phono3py file can hold two sets of displacements, ``dataset`` of third order and
``phonon_dataset`` of second order.
"""

import dataclasses
import warnings
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from ase import Atoms
from ase.data import atomic_masses
from jaxtyping import Float, Int

from atomgraft.core.errors import BadInputError, MissingExtraError, foreign
from atomgraft.core.units import BOHR_IN_ANGSTROM, HARTREE_IN_EV
from atomgraft.core.yaml_files import read_yaml
from atomgraft.data.geometry import VOLUMES, check_crystal
from atomgraft.data.phonopy_units import FileUnits, units_of
from atomgraft.data.sources import Source
from atomgraft.data.supercell_sets import SupercellSet, checked, set_from, unreadable

if TYPE_CHECKING:
    from phonopy.structure.atoms import PhonopyAtoms

SETS = ("dataset", "phonon_dataset")
"""Sets of displacements that a file can have; the second is phono3py's alone."""

COULOMB = HARTREE_IN_EV * BOHR_IN_ANGSTROM
"""e²/4πε₀ in eV Å, which phonopy's files may leave out."""

SAME_FACTOR = 0.01
"""Relative; a factor that is further from e²/4πε₀ is in other units, or wrong."""

OWN_MASS = 3e-4
"""Relative; a mass that is further from the natural element's was chosen: an isotope.
Tables of different years are closer than that."""

MOST_MULTIPLES = 10_000
"""Largest entry of a matrix, and largest fractional coordinate."""

MOST_ATOMS = 100_000
"""Atoms of a supercell that is built where the file has none."""

_OF_PHONO3PY = (
    *("displacement_pairs", "phonon_supercell_matrix"),
    *("phonon_dataset", "phonon_displacements"),
)
_OF_CHARGES = ("nac", "born_effective_charge", "dielectric_constant")


@dataclasses.dataclass(frozen=True, kw_only=True)
class BornCharges:
    """What long-range electrostatics need.

    Parameters
    ----------
    charges
        Of the atoms of the primitive cell, e.
    dielectric
        High-frequency constant.
    factor
        e²/4πε₀, eV Å, as the file has it.
    method
        How phonopy treats them; none is its default.
    """

    charges: Float[np.ndarray, "atoms 3 3"]
    dielectric: Float[np.ndarray, "3 3"]
    factor: float
    method: str | None = None


@dataclasses.dataclass(frozen=True, kw_only=True)
class PhonopyCalculation:
    """What a file of phonopy or phono3py holds, in Å, eV/Å and eV.

    Parameters
    ----------
    unit_cell
        The cell that was given to phonopy, with magnetic moments; none if it is not
        in the file.
    primitive_matrix
        phonopy's.
    sets
        By name, see `SETS`: displaced supercells, with forces or without.
    born
        None if the file has no charges.
    symmetry_tolerance
        With which displacements were left out as equivalent, Å; none if unknown.
    units
        What the file's own numbers are multiplied by.
    is_phono3py
        The file is of phono3py.
    """

    unit_cell: Atoms | None
    primitive_matrix: Float[np.ndarray, "3 3"] | Literal["auto"]
    sets: Mapping[str, SupercellSet]
    born: BornCharges | None
    symmetry_tolerance: float | None
    units: FileUnits
    is_phono3py: bool

    @property
    def second_order(self) -> str:
        """Name of the set of second order: phono3py's own one if it is there."""
        return SETS[-1] if SETS[-1] in self.sets else SETS[0]


def read_document(source: Source) -> dict[str, Any]:
    """Return the content of a phonopy or phono3py file.

    Raises
    ------
    BadInputError
        It is no YAML with keys.
    """
    document = read_yaml(source.path)
    if not isinstance(document, dict):
        raise unreadable(source, "is YAML, but holds no keys")
    return document


def read_calculation(source: Source) -> PhonopyCalculation:
    """Read a file of phonopy or phono3py.

    Parameters
    ----------
    source
        The file; which frames and which set is not looked at.

    Raises
    ------
    BadInputError
        It is no such file, or something in it cannot be.
    MissingExtraError
        It is a file of phono3py, which is not installed.

    Examples
    --------
    >>> from pathlib import Path
    >>> from tempfile import TemporaryDirectory
    >>> from ase.build import bulk
    >>> from atomgraft.data.sources import parse_source
    >>> from atomgraft.lattice.supercells import prepare
    >>> with TemporaryDirectory() as folder:
    ...     path = Path(folder) / "phonopy_disp.yaml"
    ...     _ = prepare(bulk("Si"), supercell=np.diag([2, 2, 2])).save(path)
    ...     found = read_calculation(parse_source(path))
    >>> len(found.unit_cell), len(found.sets["dataset"].ideal)
    (2, 16)
    """
    document = read_document(source)
    units = units_of(document, source)
    _check_matrices(document, source)
    data = _interpreted(document, _OF_CHARGES, source)
    unit_cell = _cell(data.unitcell, units, "unit_cell", source)
    is_phono3py = _is_phono3py(document)
    sets = {SETS[0]: _set(data, "", units, source)}
    if is_phono3py and data.phonon_dataset is not None:
        sets[SETS[1]] = _set(data, "phonon_", units, source)
    primitive = data.primitive_matrix
    return PhonopyCalculation(
        unit_cell=unit_cell,
        primitive_matrix="auto" if primitive is None else primitive,
        sets=sets,
        born=_born(document, data, units, source),
        symmetry_tolerance=_symmetry_tolerance(document, units),
        units=units,
        is_phono3py=is_phono3py,
    )


def chosen_set(
    calculation: PhonopyCalculation, name: str, source: Source
) -> SupercellSet:
    """Return a set of displaced supercells by its name.

    Parameters
    ----------
    calculation
        What was read.
    name
        ``dataset`` or ``phonon_dataset``.
    source
        The file.

    Raises
    ------
    BadInputError
        There is no such set.
    """
    if name not in calculation.sets:
        raise BadInputError(
            f"{source.path} was asked for its {name!r}.",
            f"A phonopy file can have {' and '.join(SETS)}; this one has "
            f"{' and '.join(calculation.sets)}.",
            "Name one of them, or leave the part behind # out.",
        )
    return calculation.sets[name]


def _is_phono3py(document: Mapping[str, Any]) -> bool:
    is_named = "phonopy" in document or "phono3py" in document
    return "phono3py" in document or (
        not is_named and any(key in document for key in _OF_PHONO3PY)
    )


def _interpreted(
    document: Mapping[str, Any], left_out: tuple[str, ...], source: Source
) -> Any:  # noqa: ANN401 - phonopy's and phono3py's own, which differ
    """Let phonopy or phono3py say what a document means.

    Units are left out: phonopy refuses what its tables could convert.
    """
    left_out = (*left_out, "physical_unit", "force_constants")
    plain = {key: one for key, one in document.items() if key not in left_out}
    for name in SETS:
        if isinstance(plain.get(name), list):  # of displacements of one atom
            plain[name.replace("dataset", "displacements")] = plain.pop(name)
    loader = _loader(document)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that a layout is an old one
        with foreign(
            lambda reason: unreadable(
                source, f"has parts that phonopy does not understand ({reason})"
            )
        ):
            return loader(plain).parse().data


def _loader(document: Mapping[str, Any]) -> Any:  # noqa: ANN401
    if not _is_phono3py(document):
        from phonopy.interface.phonopy_yaml import PhonopyYamlLoader

        return PhonopyYamlLoader
    try:
        from phono3py.interface.phono3py_yaml import Phono3pyYamlLoader
    except ImportError as error:
        raise MissingExtraError(
            "The file is of phono3py, which is not installed here.",
            "Its layouts are for phono3py to read; it is an extra of atomgraft.",
            "Run: pip install 'atomgraft[conductivity]'",
        ) from error
    return Phono3pyYamlLoader


def _check_matrices(document: Mapping[str, Any], source: Source) -> None:
    """Check matrices before they are interpreted: phonopy cuts fractions off."""
    for key in ("supercell_matrix", "phonon_supercell_matrix", "primitive_matrix"):
        if key not in document:
            continue
        try:
            matrix = np.asarray(document[key], dtype=float)
        except (TypeError, ValueError, OverflowError) as error:
            raise unreadable(source, f"has no usable {key}") from error
        if matrix.shape != (3, 3) or not (np.abs(matrix) <= MOST_MULTIPLES).all():
            raise unreadable(
                source, f"has a {key} that is no matrix of 3 by 3 finite numbers"
            )
        is_whole = key == "primitive_matrix" or (matrix == np.rint(matrix)).all()
        if not is_whole or abs(np.linalg.det(matrix)) < 1e-6:
            raise unreadable(source, f"has a {key} that spans no crystal")


def _cell(
    cell: "PhonopyAtoms | None", units: FileUnits, name: str, source: Source
) -> Atoms | None:
    """Return a cell of the file, checked."""
    if cell is None:
        return None
    if cell.is_site_mixture:
        raise unreadable(source, f"has atoms of two elements at one place ({name})")
    lattice = checked(cell.cell, (3,), f"vectors of the {name}", source) * units.length
    least, most = VOLUMES
    volume = abs(float(np.linalg.det(lattice))) / max(1, len(cell))
    if not least < volume < most:
        raise unreadable(source, f"has a {name} of {volume:.3g} Å³ per atom")
    if not (np.abs(np.asarray(cell.scaled_positions)) < MOST_MULTIPLES).all():
        raise unreadable(source, f"has coordinates in its {name} that are not in it")
    atoms = to_ase(cell)
    atoms.set_cell(lattice, scale_atoms=True)
    moments = atoms.get_initial_magnetic_moments()
    checked(moments, moments.shape[1:], f"magnetic moments of the {name}", source)
    check_crystal(atoms, f"{source.path}, its {name}")
    if not (atoms.get_masses() > 0).all() or not (atoms.get_masses() < 1e3).all():
        raise unreadable(source, f"has masses in its {name} that no atom has")
    return atoms


def to_ase(cell: "PhonopyAtoms") -> Atoms:
    """Return a structure of phonopy as ASE keeps it, in the same order of atoms.

    Magnetic moments are kept unless all are zero, masses where they are not those of
    the natural elements.

    Parameters
    ----------
    cell
        Unit cell, primitive cell or supercell.

    Examples
    --------
    >>> from ase.build import bulk
    >>> from atomgraft.lattice.supercells import to_phonopy
    >>> bool(to_ase(to_phonopy(bulk("Si"))) == bulk("Si"))
    True
    """
    atoms = Atoms(
        numbers=np.asarray(cell.numbers),
        cell=np.asarray(cell.cell),
        scaled_positions=np.asarray(cell.scaled_positions),
        pbc=True,
    )
    moments = cell.magnetic_moments
    if moments is not None and np.any(moments):
        atoms.set_initial_magnetic_moments(np.asarray(moments, dtype=float))
    masses = cell.masses
    if masses is not None:
        natural = atomic_masses[atoms.numbers]
        if (np.abs(np.asarray(masses) / natural - 1) > OWN_MASS).any():
            atoms.arrays["masses"] = np.array(masses, dtype=float)
    return atoms


def _set(data: Any, prefix: str, units: FileUnits, source: Source) -> SupercellSet:  # noqa: ANN401
    """Return one set of displaced supercells."""
    name = f"{prefix}supercell"
    matrix: Int[np.ndarray, "3 3"] | None = getattr(data, f"{name}_matrix", None)
    cell = getattr(data, name, None)
    if cell is None:
        cell = _built(data.unitcell, matrix, name, source)
    ideal = _cell(cell, units, name, source)
    if ideal is None:
        raise unreadable(source, f"has no usable {name}")
    dataset = getattr(data, f"{prefix}dataset", None)
    return set_from(dataset or {}, ideal, matrix, units, f"{prefix}dataset", source)


def _built(
    unit_cell: "PhonopyAtoms | None",
    matrix: Int[np.ndarray, "3 3"] | None,
    name: str,
    source: Source,
) -> "PhonopyAtoms":
    """Build the supercell that the file leaves out, as phonopy does."""
    from phonopy.structure.cells import get_supercell

    if unit_cell is None or matrix is None:
        raise unreadable(source, f"has no usable {name}")
    n_atoms = abs(round(float(np.linalg.det(matrix)))) * len(unit_cell)
    if n_atoms > MOST_ATOMS:
        raise unreadable(source, f"has a {name}_matrix that makes {n_atoms} atoms")
    with foreign(lambda reason: unreadable(source, f"has no usable {name} ({reason})")):
        return get_supercell(unit_cell, matrix)


def _symmetry_tolerance(document: Mapping[str, Any], units: FileUnits) -> float | None:
    program = document.get("phonopy") or document.get("phono3py") or {}
    stated = program.get("symmetry_tolerance") if isinstance(program, dict) else None
    if not isinstance(stated, float) or not 0 < stated < 1:
        return None
    return stated * units.length


def _born(
    document: Mapping[str, Any],
    data: Any,  # noqa: ANN401
    units: FileUnits,
    source: Source,
) -> BornCharges | None:
    """Return Born charges, counted against the primitive cell."""
    there = {key: one for key, one in document.items() if key in _OF_CHARGES}
    if not there:
        return None
    header = {key: document[key] for key in ("phonopy", "phono3py") if key in document}
    try:
        found = _interpreted({**header, **there}, (), source).nac_params
    except BadInputError as error:
        raise unreadable(
            source, f"has Born charges that are no numbers ({error.came.rstrip('.')})"
        ) from error
    if found is None:
        raise unreadable(source, "has Born charges or a dielectric constant alone")
    primitive = getattr(data, "phonon_primitive", None) or data.primitive
    n_atoms = len(data.unitcell if primitive is None else primitive)
    charges, dielectric = np.asarray(found["born"]), np.asarray(found["dielectric"])
    if charges.shape != (n_atoms, 3, 3) or dielectric.shape != (3, 3):
        raise unreadable(
            source,
            f"has Born charges for {len(charges)} atoms and a primitive cell of "
            f"{n_atoms}",
        )
    return BornCharges(
        charges=charges,
        dielectric=dielectric,
        factor=charge_factor(found.get("factor"), units, str(source.path)),
        method=_method(found.get("method"), source),
    )


def _method(name: object, source: Source) -> str | None:
    if name not in {None, "gonze", "wang"}:
        raise unreadable(source, f"treats Born charges by {name!r}")
    return None if name is None else str(name)


def charge_factor(stated: object, units: FileUnits, name: str) -> float:
    """Return phonopy's factor of the non-analytical term, eV Å.

    It is e²/4πε₀ whatever the crystal. A file states it in its own units; a BORN file
    beside may state it in eV Å.

    Parameters
    ----------
    stated
        As it stands in the file; none is the constant.
    units
        Of the file.
    name
        Of the file, for messages.

    Raises
    ------
    BadInputError
        It is another number in both.
    """
    if stated is None:
        return COULOMB
    is_number = isinstance(stated, int | float) and not isinstance(stated, bool)
    factor = float(stated) if isinstance(stated, int | float) and is_number else 0.0
    for one in (factor * units.charge_factor, factor):
        if abs(one / COULOMB - 1) < SAME_FACTOR:
            return one
    raise BadInputError(
        f"{name} states {stated} as the factor of Born charges.",
        f"It is e²/4πε₀: {COULOMB:.3f} eV Å, or {COULOMB / units.charge_factor:.4g} in "
        "the units of the file.",
        "Correct it, or leave it out.",
    )
