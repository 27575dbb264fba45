"""Inputs for VASP, Quantum ESPRESSO and GPAW.

Each is a static calculation of energy, forces and stress, with settings that are safe
for most materials and are to be looked at before hours are spent. What is assumed of
spin and +U stands in every file as a comment, and on the screen. What a licence keeps
from being shipped is left out and said: POTCAR of VASP, pseudopotential files of
Quantum ESPRESSO.
"""

import dataclasses
import io
import itertools
import math
import textwrap
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import ase.io
import numpy as np
from ase import Atoms
from ase.data import atomic_numbers

from atomgraft.core.errors import BadInputError
from atomgraft.core.registry import Registry
from atomgraft.core.storage import make_folder, write_atomically
from atomgraft.core.units import RYDBERG_IN_EV
from atomgraft.data.exact_files import write_exactly
from atomgraft.label.open_shells import (
    OpenShells,
    open_shell_elements,
    open_shells,
    quantum_number,
    valence_electrons,
)
from atomgraft.models.levels import LevelOfTheory

FOLDER = "label"
"""Subfolder of a selection with one folder for each structure."""

STRUCTURE = "structure.extxyz"
"""The structure beside the script of GPAW."""

FUNCTIONALS = ("PBE", "PBEsol", "LDA")

SSSP = ("PBE", "PBEsol")
"""Functionals with a library of pseudopotentials at materialscloud.org."""

INPUT_DFT = {"PBE": "pbe", "PBEsol": "pbesol", "LDA": "pz"}
"""Of Quantum ESPRESSO, which otherwise takes that of the pseudopotentials."""

PSEUDO = "../../../pseudo"
"""Folder of pseudopotentials, as seen from an input of Quantum ESPRESSO."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class DftSettings:
    """Settings for all three programs.

    Parameters
    ----------
    functional
        ``PBE``, ``PBEsol`` or ``LDA``.
    cutoff
        Of plane waves, eV.
    k_spacing
        Largest distance of k-points, 1/Å, the factor 2π included; the grid holds Γ.
    width
        Of the Fermi-Dirac or Gaussian smearing, eV.
    spin
        Whether calculations are spin-polarised; none decides by elements and moments.
    hubbard
        Whether +U is used, as in the Materials Project; none does as the base's data.
    level
        Level of theory of the base's data; none is unknown.
    pseudo
        Folder of the pseudopotentials of Quantum ESPRESSO.
    """

    functional: str = "PBE"
    cutoff: float = 520.0
    k_spacing: float = 0.25
    width: float = 0.05
    spin: bool | None = None
    hubbard: bool | None = None
    level: LevelOfTheory | None = None
    pseudo: str = PSEUDO

    def __post_init__(self) -> None:
        numbers = (self.cutoff, self.k_spacing, self.width)
        is_sane = all(math.isfinite(one) and one > 0 for one in numbers)
        if self.functional not in FUNCTIONALS or not is_sane:
            raise BadInputError(
                f"Inputs were requested with {self.functional}, a cutoff of"
                f" {self.cutoff:g} eV and k-points {self.k_spacing:g} 1/Å apart.",
                f"Expected one of {', '.join(FUNCTIONALS)}, and positive numbers.",
                "Correct them, or edit the inputs written by default.",
            )


Writer = Callable[[Path, Atoms, DftSettings, OpenShells], str]
"""Writes the inputs of one structure into a folder; returns what must be added."""

PROGRAMS = Registry[Writer]("program to label with")


def write_inputs(
    folder: Path,
    structures: Sequence[Atoms],
    programs: Sequence[str],
    settings: DftSettings,
) -> list[str]:
    """Write inputs for every structure and program: ``label/001/vasp`` and so on.

    Parameters
    ----------
    folder
        Of the selection.
    structures
        The chosen, in order.
    programs
        Names in `PROGRAMS`.
    settings
        What they are told.

    Returns
    -------
    list[str]
        What the user must add or look at, once for each program.

    Raises
    ------
    BadInputError
        A program is unknown.
    StorageError
        The folder cannot be written.
    """
    writers = {name: PROGRAMS[name] for name in programs}
    assumed: dict[str, None] = {}
    notices: dict[str, None] = {}
    for i, atoms in enumerate(structures, start=1):
        shells = open_shells(
            atoms, spin=settings.spin, hubbard=settings.hubbard, level=settings.level
        )
        if writers and shells.is_asked:
            assumed.update(dict.fromkeys(shells.words))
        for name, write in writers.items():
            place = folder / FOLDER / f"{i:03d}" / name
            make_folder(place)
            notices[write(place, atoms, settings, shells)] = None
    if writers:
        assumed.update(dict.fromkeys(_of_functional(settings)))
    return [*assumed, *notices]


def _of_functional(settings: DftSettings) -> Iterator[str]:
    """Say where the inputs are of another level of theory than the base's data."""
    level = settings.level
    if level is not None and level.functional != settings.functional:
        yield (
            f"The inputs use {settings.functional}, and the base was trained on "
            f"{level.words}. Labels of another level of theory change more than "
            "reference energies."
        )


def _commented(mark: str, shells: OpenShells) -> str:
    """Return what was assumed as comments."""
    return "".join(
        f"{mark} {line}\n" for one in shells.words for line in textwrap.wrap(one, 86)
    )


def k_grid(atoms: Atoms, spacing: float) -> tuple[int, int, int]:
    """Return the numbers of k-points; one along an open direction.

    Parameters
    ----------
    atoms
        Its cell and periodic directions count.
    spacing
        Largest distance of neighbours, 1/Å, the factor 2π included.

    Examples
    --------
    >>> from ase.build import bulk
    >>> k_grid(bulk("Si", cubic=True), 0.25)
    (5, 5, 5)
    """
    lengths = 2 * np.pi * np.linalg.norm(atoms.cell.reciprocal().array, axis=1)
    numbers = np.maximum(1, np.ceil(lengths / spacing - 1e-9))
    x, y, z = (
        int(n) if is_periodic else 1
        for n, is_periodic in zip(numbers, atoms.pbc, strict=True)
    )
    return x, y, z


def _vasp(folder: Path, atoms: Atoms, settings: DftSettings, shells: OpenShells) -> str:
    order = np.argsort(atoms.get_chemical_symbols(), kind="stable")
    grid = " ".join(map(str, k_grid(atoms, settings.k_spacing)))
    incar = VASP_INCAR.format(
        cutoff=settings.cutoff,
        functional={"PBE": "PE", "PBEsol": "PS", "LDA": "CA"}[settings.functional],
        width=settings.width,
    )
    incar += _vasp_shells(atoms[order], shells, order)
    write_atomically(folder / "INCAR", _commented("#", shells) + incar)
    write_atomically(
        folder / "KPOINTS", f"Gamma-centred grid\n0\nGamma\n{grid}\n0 0 0\n"
    )
    _write(folder / "POSCAR", atoms[order], "vasp", direct=True)
    return (
        "VASP: add a POTCAR to each folder, with the species in the order of "
        "POSCAR. Its licence does not allow writing it here."
    )


def _vasp_shells(atoms: Atoms, shells: OpenShells, order: np.ndarray) -> str:
    """Return the lines of an INCAR for spin and +U, species as in the POSCAR."""
    lines: list[str] = []
    if shells.moments is not None:
        moments = [f"{one:.4g}" for one in shells.moments[order]]
        runs = [(value, len(list(run))) for value, run in itertools.groupby(moments)]
        text = " ".join(value if n == 1 else f"{n}*{value}" for value, n in runs)
        lines += ["ISPIN = 2", f"MAGMOM = {text}", "LORBIT = 11"]
    if shells.hubbard:
        species = list(dict.fromkeys(atoms.get_chemical_symbols()))
        values = [shells.hubbard.get(one, 0.0) for one in species]
        lines += [
            "LDAU = .TRUE.",
            "LDAUTYPE = 2",
            f"LDAUL = {' '.join('2' if u else '-1' for u in values)}",
            f"LDAUU = {' '.join(f'{u:g}' for u in values)}",
            f"LDAUJ = {' '.join('0' for _ in values)}",
            "LASPH = .TRUE.",
        ]
    elements = open_shell_elements(atoms)
    if lines and elements:
        has_f = any(atomic_numbers[one] in range(57, 72) for one in elements)
        has_f |= any(atomic_numbers[one] > 88 for one in elements)
        lines.append(f"LMAXMIX = {6 if has_f else 4}")
    return "".join(f"{one}\n" for one in lines)


def _espresso(
    folder: Path, atoms: Atoms, settings: DftSettings, shells: OpenShells
) -> str:
    symbols = sorted(set(atoms.get_chemical_symbols()))
    cutoff = settings.cutoff / RYDBERG_IN_EV
    polarised = _with_fractions(atoms, shells)
    hubbard = [
        f"U {label}-{quantum_number(symbol)}d {shells.hubbard[symbol]:g}"
        for label, symbol in _species(polarised).items()
        if symbol in shells.hubbard
    ]
    _write(
        folder / "pw.in",
        polarised,
        "espresso-in",
        head=_commented("!", shells),
        additional_cards=["HUBBARD (atomic)", *hubbard] if hubbard else None,
        input_data={
            "calculation": "scf",
            "tprnfor": True,
            "tstress": True,
            "pseudo_dir": settings.pseudo,
            "outdir": "out",
            "input_dft": INPUT_DFT[settings.functional],
            "ecutwfc": round(cutoff, 1),
            "ecutrho": round(8 * cutoff, 1),
            "occupations": "smearing",
            "smearing": "fermi-dirac",
            "degauss": round(settings.width / RYDBERG_IN_EV, 6),
            "conv_thr": 1e-10,
            **({} if shells.moments is None else {"nspin": 2}),
        },
        pseudopotentials={one: pseudo_name(one, settings) for one in symbols},
        kpts=k_grid(atoms, settings.k_spacing),
    )
    names = ", ".join(pseudo_name(one, settings) for one in symbols)
    stand = "the files of SSSP (materialscloud.org)"
    if settings.functional not in SSSP:
        stand = f"pseudopotentials of {settings.functional}"
    return (
        f"Quantum ESPRESSO: {names} stand for {stand}:"
        " put them under these names into the folder 'pseudo', raise the cutoffs to"
        " what they ask for, and run 'pw.x -in pw.in > pw.out'."
        + (
            " The card HUBBARD needs version 7.1 or newer; its U are those of VASP's"
            " projectors."
            if hubbard
            else ""
        )
    )


def pseudo_name(symbol: str, settings: DftSettings) -> str:
    """Return the file of a pseudopotential of Quantum ESPRESSO.

    Examples
    --------
    >>> pseudo_name("Si", DftSettings())
    'Si.SSSP_PBE_efficiency.upf'
    """
    has_library = settings.functional in SSSP
    library = f"SSSP_{settings.functional}_efficiency" if has_library else "LDA"
    return f"{symbol}.{library}.upf"


def _with_fractions(atoms: Atoms, shells: OpenShells) -> Atoms:
    """Return a structure whose moments are shares of the valence electrons.

    Quantum ESPRESSO starts a species with one value, and allows ten species: moments
    of one element and sign are averaged.
    """
    polarised = atoms.copy()
    polarised.set_initial_magnetic_moments(None)
    if shells.moments is None:
        return polarised
    shares = np.zeros(len(atoms))
    symbols = np.array(atoms.get_chemical_symbols())
    for symbol, sign in itertools.product(set(symbols.tolist()), (1, -1)):
        mine = (symbols == symbol) & (np.sign(shells.moments) == sign)
        if mine.any():
            mean = float(np.abs(shells.moments[mine]).mean())
            share = round(min(1.0, mean / valence_electrons(symbol)), 3)
            shares[mine] = sign * max(share, 0.001)
    polarised.set_initial_magnetic_moments(shares)
    return polarised


def _species(atoms: Atoms) -> dict[str, str]:
    """Return the labels that ASE gives species, with their elements."""
    moments = atoms.get_initial_magnetic_moments()
    kinds = dict.fromkeys(zip(atoms.symbols, moments.tolist(), strict=True))
    counts: Counter[str] = Counter()
    found: dict[str, str] = {}
    for symbol, _ in kinds:
        found[f"{symbol}{counts[symbol] or ''}"] = symbol
        counts[symbol] += 1
    return found


def _gpaw(folder: Path, atoms: Atoms, settings: DftSettings, shells: OpenShells) -> str:
    plain = atoms.copy()
    plain.set_initial_magnetic_moments(None)  # vectors, perhaps
    plain.set_initial_magnetic_moments(shells.moments)
    write_exactly(folder / STRUCTURE, [plain])
    setups = {one: f":d,{u:g}" for one, u in shells.hubbard.items()}
    more = "" if shells.moments is None else "    spinpol=True,\n"
    more += f"    setups={setups!r},\n" if setups else ""
    moments = ""
    if shells.moments is not None:
        values = [round(float(one), 4) for one in shells.moments]
        moments = f"atoms.set_initial_magnetic_moments({values})\n"
    text = GPAW_SCRIPT.format(
        assumed=_commented("#", shells),
        moments=moments,
        more=more,
        structure=STRUCTURE,
        cutoff=settings.cutoff,
        functional=settings.functional,
        kpts=k_grid(atoms, settings.k_spacing),
        width=settings.width,
    )
    write_atomically(folder / "run_gpaw.py", text)
    return (
        "GPAW: run 'python run_gpaw.py' in each folder; it writes label.extxyz. (A"
        " script called gpaw.py would hide the package of that name.)"
    )


def _write(
    path: Path,
    atoms: Atoms,
    file_format: str,
    head: str = "",
    **more: Any,  # noqa: ANN401 - ASE takes anything
) -> None:
    """Write a structure in a format of ASE, whole or not at all, below a head."""
    text = io.StringIO()
    ase.io.write(text, atoms, format=file_format, **more)
    write_atomically(path, head + text.getvalue())


PROGRAMS.add("vasp", _vasp)
PROGRAMS.add("espresso", _espresso)
PROGRAMS.add("gpaw", _gpaw)

VASP_INCAR = """\
PREC = Accurate
ENCUT = {cutoff:g}
GGA = {functional}
EDIFF = 1E-7
ISMEAR = 0
SIGMA = {width:g}
IBRION = -1
NSW = 0
ISIF = 2
LREAL = .FALSE.
LWAVE = .FALSE.
LCHARG = .FALSE.
"""
"""One static step, with stress."""

GPAW_SCRIPT = '''\
"""Label one structure with GPAW: energy, forces, stress; writes label.extxyz."""

from pathlib import Path

from ase.io import read, write
from gpaw import GPAW, PW, FermiDirac

FOLDER = Path(__file__).parent

{assumed}atoms = read(FOLDER / "{structure}")
{moments}atoms.calc = GPAW(
    mode=PW({cutoff:g}),
    xc="{functional}",
    kpts={{"size": {kpts}, "gamma": True}},
    occupations=FermiDirac({width:g}),
    convergence={{"energy": 1e-6, "density": 1e-6}},
{more}    txt=str(FOLDER / "gpaw.txt"),
)
labelled = atoms.copy()
labelled.calc = None
labelled.info["REF_energy"] = float(atoms.get_potential_energy())
labelled.arrays["REF_forces"] = atoms.get_forces()
if atoms.pbc.all():
    labelled.info["REF_stress"] = atoms.get_stress(voigt=True)
write(FOLDER / "label.extxyz", labelled, format="extxyz")
'''
