"""Checks of an adapter: what goes in, whatever its shape, is taken as it is."""

import numpy as np
import torch
from ase.data import chemical_symbols

from atomgraft.core.errors import BadInputError
from atomgraft.models.base import AbstractPotential
from atomgraft.models.calculator import GraftCalculator
from atomgraft.models.prediction import StructurePrediction
from atomgraft.testing.measuring import graph_of, in_double, measure, measure_one
from atomgraft.testing.structures import TrialStructures
from atomgraft.testing.tolerances import Tolerances, assert_close


def check_inputs_untouched(
    potential: AbstractPotential, structures: TrialStructures, tolerances: Tolerances
) -> None:
    """Require that an evaluation leaves its structures as they were."""
    given = structures.all()
    outside = given[0]
    outside.positions += 2 * outside.cell.array[0]  # nobody may wrap it back
    outside.info["note"] = "mine"
    before = [atoms.copy() for atoms in given]
    measure(potential, given)
    for atoms, copy in zip(given, before, strict=True):
        same = (
            atoms == copy
            and atoms.info == copy.info
            and set(atoms.arrays) == set(copy.arrays)
            and atoms.calc is None
        )
        if not same:
            raise AssertionError(f"{atoms.symbols} was changed by an evaluation")


def check_batch_equals_single(
    potential: AbstractPotential, structures: TrialStructures, tolerances: Tolerances
) -> None:
    """Require the same numbers in a batch of unlike structures as alone."""
    double = in_double(potential)
    given = structures.all()
    for atoms, together in zip(given, measure(double, given), strict=True):
        alone = measure_one(double, atoms)
        assert_same_prediction(
            f"{atoms.symbols} in a batch and alone",
            together,
            alone,
            tolerances.round_off,
        )


def check_calculator_equals_prediction(
    potential: AbstractPotential, structures: TrialStructures, tolerances: Tolerances
) -> None:
    """Require of the ASE calculator what `predict` gives."""
    double = in_double(potential)
    for atoms in structures.all():
        expected = measure_one(double, atoms)
        atoms.calc = GraftCalculator(double)
        got = StructurePrediction(
            energy=atoms.get_potential_energy(),
            forces=atoms.get_forces(),
            stress=atoms.get_stress(),
        )
        assert_same_prediction(
            f"{atoms.symbols} by ASE's calculator and by predict",
            got,
            expected,
            tolerances.round_off,
        )


def check_unknown_element_refused(
    potential: AbstractPotential, structures: TrialStructures, tolerances: Tolerances
) -> None:
    """Require that the calculator names an element the potential does not know."""
    unknown = sorted(set(range(1, 104)) - potential.elements)
    if not unknown:
        return
    symbol = chemical_symbols[unknown[0]]
    atoms = structures.molecule.copy()
    atoms.symbols[0] = symbol
    try:
        GraftCalculator(potential).get_property("energy", atoms)
    except BadInputError as error:
        if symbol not in str(error):
            raise AssertionError(f"the refusal does not name {symbol}") from error
        return
    raise AssertionError(f"{symbol} is not among the elements and was accepted")


def check_one_atom_cell(
    potential: AbstractPotential, structures: TrialStructures, tolerances: Tolerances
) -> None:
    """Require that an atom among its own images is bound by them, without force."""
    double = in_double(potential)
    cell = structures.one_atom
    single = measure_one(double, cell)
    many = measure_one(double, cell.repeat((2, 2, 2)))
    assert_close(
        "energy of a one-atom cell and of its supercell, eV/atom",
        single.energy,
        many.energy / 8,
        tolerances.round_off,
    )
    assert_close(
        "force on the only atom of a cell, eV/Å",
        single.forces,
        np.zeros((1, 3)),
        tolerances.round_off,
    )


def check_molecule_without_cell(
    potential: AbstractPotential, structures: TrialStructures, tolerances: Tolerances
) -> None:
    """Require that a molecule floats freely, in a wide box or in none."""
    double = in_double(potential)
    molecule = structures.molecule
    free = measure_one(double, molecule)
    assert_close(
        "stress of a molecule, eV/Å³", free.stress, np.zeros(6), tolerances.round_off
    )
    moved = molecule.copy()
    moved.positions += (3.0, -20.0, 7.0)
    boxed = molecule.copy()
    boxed.set_cell(np.eye(3) * (np.ptp(molecule.positions) + 2 * potential.cutoff + 1))
    boxed.pbc = True
    for atoms, words in ((moved, "moved away"), (boxed, "in a wide periodic box")):
        other = measure_one(double, atoms)
        assert_close(
            f"energy of a molecule {words}, eV",
            other.energy,
            free.energy,
            tolerances.round_off,
        )
        assert_close(
            f"forces of a molecule {words}, eV/Å",
            other.forces,
            free.forces,
            tolerances.round_off,
        )


def check_structures_do_not_mix(
    potential: AbstractPotential, structures: TrialStructures, tolerances: Tolerances
) -> None:
    """Require no gradient of one structure's energy in the atoms of another."""
    double = in_double(potential)
    moved = structures.crystal.copy()
    moved.positions[0] += (0.1, 0.05, 0.02)  # off any site without a force
    graph = graph_of(double, [moved, structures.crystal, structures.molecule])
    graph.positions.requires_grad_()
    first = double.module(graph)[graph.owner == 0].sum()
    (gradient,) = torch.autograd.grad(first, graph.positions)
    foreign = gradient[graph.owner != 0]
    if bool(foreign.count_nonzero()):
        raise AssertionError("the energy of a structure depends on another structure")
    if not bool(gradient.count_nonzero()):
        raise AssertionError("the energy of a structure does not depend on its atoms")


def assert_same_prediction(
    what: str,
    got: StructurePrediction,
    expected: StructurePrediction,
    tolerance: float,
) -> None:
    """Compare energy, forces and stress.

    Parameters
    ----------
    what
        The comparison in words, for the message.
    got
        What came.
    expected
        What should have come.
    tolerance
        As for :func:`~atomgraft.testing.tolerances.assert_close`.
    """
    assert_close(f"energy of {what}, eV", got.energy, expected.energy, tolerance)
    assert_close(f"forces of {what}, eV/Å", got.forces, expected.forces, tolerance)
    assert_close(f"stress of {what}, eV/Å³", got.stress, expected.stress, tolerance)
