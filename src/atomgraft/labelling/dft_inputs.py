"""Ready inputs for the programs that label: VASP, Quantum ESPRESSO and GPAW.

Each is a static calculation of energy, forces and stress, with settings that are safe
for most materials and are to be looked at before hours are spent. What a licence keeps
from being shipped is left out and said: POTCAR of VASP, pseudopotential files of
Quantum ESPRESSO.
"""

import dataclasses
import io
import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import ase.io
import numpy as np
from ase import Atoms

from atomgraft.core.errors import BadInputError
from atomgraft.core.registry import Registry
from atomgraft.core.storage import make_folder, write_atomically
from atomgraft.core.units import RYDBERG_IN_EV
from atomgraft.data.exact_files import write_exactly

FOLDER = "label"
"""Subfolder of a selection with one folder for each structure."""

STRUCTURE = "structure.extxyz"
"""The structure beside the script of GPAW."""

FUNCTIONALS = ("PBE", "PBEsol")


@dataclasses.dataclass(frozen=True, kw_only=True)
class DftSettings:
    """What all three programs are told.

    Parameters
    ----------
    functional
        ``PBE`` or ``PBEsol``.
    cutoff
        Of plane waves, eV.
    k_spacing
        Largest distance of k-points, 1/Å, the factor 2π included; the grid holds Γ.
    width
        Of the Fermi-Dirac or Gaussian smearing, eV.
    """

    functional: str = "PBE"
    cutoff: float = 520.0
    k_spacing: float = 0.25
    width: float = 0.05

    def __post_init__(self) -> None:
        numbers = (self.cutoff, self.k_spacing, self.width)
        is_sane = all(math.isfinite(one) and one > 0 for one in numbers)
        if self.functional not in FUNCTIONALS or not is_sane:
            raise BadInputError(
                f"Inputs were asked for with {self.functional}, a cutoff of"
                f" {self.cutoff:g} eV and k-points {self.k_spacing:g} 1/Å apart.",
                f"One of {', '.join(FUNCTIONALS)} and positive numbers are needed.",
                "Correct them, or edit the inputs that are written by default.",
            )


Writer = Callable[[Path, Atoms, DftSettings], str]
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
    notices: dict[str, None] = {}
    for i, atoms in enumerate(structures, start=1):
        for name, write in writers.items():
            place = folder / FOLDER / f"{i:03d}" / name
            make_folder(place)
            notices[write(place, atoms, settings)] = None
    return list(notices)


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


def _vasp(folder: Path, atoms: Atoms, settings: DftSettings) -> str:
    grid = " ".join(map(str, k_grid(atoms, settings.k_spacing)))
    incar = VASP_INCAR.format(
        cutoff=settings.cutoff,
        functional={"PBE": "PE", "PBEsol": "PS"}[settings.functional],
        width=settings.width,
    )
    write_atomically(folder / "INCAR", incar)
    write_atomically(
        folder / "KPOINTS", f"Gamma-centred grid\n0\nGamma\n{grid}\n0 0 0\n"
    )
    _write(folder / "POSCAR", atoms, "vasp", sort=True, direct=True)
    return (
        "VASP: add a POTCAR to each folder, species in the order of its POSCAR; its"
        " licence keeps it from being written here."
    )


def _espresso(folder: Path, atoms: Atoms, settings: DftSettings) -> str:
    symbols = sorted(set(atoms.get_chemical_symbols()))
    cutoff = settings.cutoff / RYDBERG_IN_EV
    library = f"SSSP_{settings.functional}_efficiency"
    _write(
        folder / "pw.in",
        atoms,
        "espresso-in",
        input_data={
            "calculation": "scf",
            "tprnfor": True,
            "tstress": True,
            "pseudo_dir": "../../../pseudo",
            "outdir": "out",
            "ecutwfc": round(cutoff, 1),
            "ecutrho": round(8 * cutoff, 1),
            "occupations": "smearing",
            "smearing": "fermi-dirac",
            "degauss": round(settings.width / RYDBERG_IN_EV, 6),
            "conv_thr": 1e-10,
        },
        pseudopotentials={one: f"{one}.{library}.upf" for one in symbols},
        kpts=k_grid(atoms, settings.k_spacing),
    )
    names = ", ".join(f"{one}.{library}.upf" for one in symbols)
    return (
        f"Quantum ESPRESSO: {names} stand for the files of SSSP (materialscloud.org):"
        " put them under these names into the folder 'pseudo', raise the cutoffs to"
        " what SSSP asks for, and run 'pw.x -in pw.in > pw.out'."
    )


def _gpaw(folder: Path, atoms: Atoms, settings: DftSettings) -> str:
    write_exactly(folder / STRUCTURE, [atoms])
    text = GPAW_SCRIPT.format(
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


def _write(path: Path, atoms: Atoms, file_format: str, **more: Any) -> None:  # noqa: ANN401 - ASE takes anything
    """Write a structure in a format of ASE, whole or not at all."""
    text = io.StringIO()
    ase.io.write(text, atoms, format=file_format, **more)
    write_atomically(path, text.getvalue())


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

atoms = read(FOLDER / "{structure}")
atoms.calc = GPAW(
    mode=PW({cutoff:g}),
    xc="{functional}",
    kpts={{"size": {kpts}, "gamma": True}},
    occupations=FermiDirac({width:g}),
    convergence={{"energy": 1e-6, "density": 1e-6}},
    txt=str(FOLDER / "gpaw.txt"),
)
labelled = atoms.copy()
labelled.calc = None
labelled.info["REF_energy"] = float(atoms.get_potential_energy())
labelled.arrays["REF_forces"] = atoms.get_forces()
if atoms.pbc.all():
    labelled.info["REF_stress"] = atoms.get_stress(voigt=True)
write(FOLDER / "label.extxyz", labelled, format="extxyz")
'''
