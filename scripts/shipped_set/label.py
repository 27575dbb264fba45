"""Label structures with GPAW: PBE, plane waves to 250 eV, Fermi width 0.05 eV.

``python label.py IN.extxyz OUT.extxyz`` labels every frame that OUT does not hold
yet, in order, one frame appended at a time, so that it may be stopped and started
at will. One thread a process is fastest::

    OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 python label.py IN OUT

Needs ``CC=g++ CXX=g++ pip install gpaw==26.7.0 gpaw-data``.
"""

import argparse
import time
from pathlib import Path

from ase import Atoms
from ase.io import read, write
from gpaw import GPAW, PW, FermiDirac


def engine(n_atoms: int, log: str) -> GPAW:
    """Return the calculator: a 3x3x3 grid off Gamma for 8 atoms, 2x2x2 for 64."""
    divisions = 3 if n_atoms <= 8 else 2
    return GPAW(
        mode=PW(250),
        xc="PBE",
        kpts={"size": (divisions,) * 3, "gamma": False},
        occupations=FermiDirac(0.05),
        convergence={"energy": 1e-6, "density": 1e-6},
        txt=log,
    )


def label(atoms: Atoms, log: str) -> Atoms:
    """Return a plain copy of `atoms` with its labels in eV, eV/Å, eV/Å³."""
    start = time.process_time()
    atoms = atoms.copy()
    atoms.calc = engine(len(atoms), log)
    energy = atoms.get_potential_energy()  # extrapolated to zero width
    forces = atoms.get_forces()
    stress = atoms.get_stress(voigt=True)
    labelled = Atoms(atoms.numbers, atoms.positions, cell=atoms.cell, pbc=True)
    labelled.info.update(atoms.info)
    labelled.info["REF_energy"] = float(energy)
    labelled.info["REF_stress"] = stress
    labelled.info["cpu_s"] = round(time.process_time() - start, 1)
    labelled.arrays["REF_forces"] = forces
    return labelled


def main() -> None:
    """Label what is not labelled yet."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("source", type=Path)
    parser.add_argument("target", type=Path)
    arguments = parser.parse_args()
    frames = read(arguments.source, ":")
    done = len(read(arguments.target, ":")) if arguments.target.exists() else 0
    for frame in frames[done:]:
        write(
            arguments.target,
            label(frame, str(arguments.target.with_suffix(".log"))),
            format="extxyz",
            append=True,
        )


if __name__ == "__main__":
    main()
