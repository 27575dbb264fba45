"""The conformance kit for adapters: symmetries, derivatives, and the named checks."""

import dataclasses
from collections.abc import Callable, Mapping
from types import MappingProxyType

import numpy as np
import torch
from ase import Atoms
from ase.stress import voigt_6_to_full_3x3_stress
from scipy.spatial.transform import Rotation
from torch import Tensor

from atomgraft.core.seeding import numpy_generator, torch_generator
from atomgraft.models.base import AbstractPotential
from atomgraft.models.graph import Graph
from atomgraft.models.prediction import StructurePrediction, predict, predict_structures
from atomgraft.testing.adapter_elements import (
    check_element_added,
    check_element_copied,
    check_rescaled,
)
from atomgraft.testing.adapter_statements import (
    check_batch_equals_single,
    check_blocks,
    check_calculator_equals_prediction,
    check_dtype_kept,
    check_given_weights,
    check_inputs_untouched,
    check_large_references,
    check_molecule_without_cell,
    check_one_atom_cell,
    check_reference_shift,
    check_roles,
    check_row_keys,
    check_structures_do_not_mix,
    check_unknown_element_refused,
)
from atomgraft.testing.measuring import (
    Tolerances,
    TrialStructures,
    assert_close,
    assert_same_prediction,
    energies_of,
    graph_of,
    in_double,
    measure_one,
    structures_for,
)

ANY_ROTATION = Rotation.from_euler("zyx", (0.3, 1.1, 2.3)).as_matrix()
"""Without a special axis."""

VOIGT = ((0, 1, 2, 1, 0, 0), (0, 1, 2, 2, 2, 1))
"""Rows and columns of xx, yy, zz, yz, xz, xy."""


def check_lattice_translation(
    potential: AbstractPotential, structures: TrialStructures, tolerances: Tolerances
) -> None:
    """Require the same numbers after an atom has moved by a lattice vector."""
    double = in_double(potential)
    for atoms in (structures.crystal, structures.slab):
        moved = atoms.copy()
        moved.positions[0] += 2 * atoms.cell.array[0] - atoms.cell.array[1]
        assert_same_prediction(
            f"{atoms.symbols}, an atom moved by a lattice vector",
            measure_one(double, moved),
            measure_one(double, atoms),
            tolerances.round_off,
        )


def check_rotation(
    potential: AbstractPotential, structures: TrialStructures, tolerances: Tolerances
) -> None:
    """Require that forces and stresses turn with the structure.

    Mirror images may differ: models without parity (7net-0 is one) see handedness.
    """
    double = in_double(potential)
    turn = ANY_ROTATION
    for atoms in (structures.crystal, structures.molecule):
        before = measure_one(double, atoms)
        stress = turn.T @ voigt_6_to_full_3x3_stress(before.stress) @ turn
        turned = atoms.copy()
        turned.set_cell(atoms.cell.array @ turn)
        turned.set_positions(atoms.positions @ turn)
        assert_same_prediction(
            f"{atoms.symbols} rotated",
            measure_one(double, turned),
            StructurePrediction(
                energy=before.energy,
                forces=before.forces @ turn,
                stress=stress[VOIGT],
            ),
            tolerances.rotation,
        )


def check_permutation(
    potential: AbstractPotential, structures: TrialStructures, tolerances: Tolerances
) -> None:
    """Require that the order of the atoms does not count."""
    double = in_double(potential)
    for atoms in (structures.crystal, structures.molecule):
        order = numpy_generator(0, "permutation").permutation(len(atoms))
        mixed = measure_one(double, atoms[order])
        before = measure_one(double, atoms)
        assert_same_prediction(
            f"{atoms.symbols}, atoms in another order",
            mixed,
            dataclasses.replace(before, forces=before.forces[order]),
            tolerances.round_off,
        )


def check_supercell(
    potential: AbstractPotential, structures: TrialStructures, tolerances: Tolerances
) -> None:
    """Require twice the energy of a doubled cell, and the same forces and stress."""
    double = in_double(potential)
    cell = structures.crystal
    one = measure_one(double, cell)
    assert_same_prediction(
        "a doubled cell",
        measure_one(double, cell.repeat((1, 2, 1))),
        StructurePrediction(
            energy=2 * one.energy,
            forces=np.concatenate([one.forces, one.forces]),
            stress=one.stress,
        ),
        tolerances.round_off,
    )


def check_forces_by_difference(
    potential: AbstractPotential, structures: TrialStructures, tolerances: Tolerances
) -> None:
    """Require forces to be minus the slope of the energy, in random directions."""
    double = in_double(potential)
    generator = numpy_generator(0, "force directions")
    for atoms in (structures.crystal, structures.slab, structures.molecule):
        forces = measure_one(double, atoms).forces
        directions = generator.normal(size=(3, *atoms.positions.shape))
        directions /= np.linalg.norm(directions, axis=(1, 2), keepdims=True)
        slopes = [
            _slope(
                double,
                lambda amount, atoms=atoms, one=one: _moved(atoms, amount * one),
                tolerances.step,
            )
            for one in directions
        ]
        assert_close(
            f"forces on {atoms.symbols} and the slope of its energy, eV/Å",
            -np.einsum("dai,ai->d", directions, forces),
            slopes,
            tolerances.difference,
        )


def check_stress_by_difference(
    potential: AbstractPotential, structures: TrialStructures, tolerances: Tolerances
) -> None:
    """Require the stress to be the slope of the energy in strain, by volume."""
    double = in_double(potential)
    for atoms in (structures.crystal, structures.one_atom):
        slopes = [
            _slope(
                double,
                lambda amount, atoms=atoms, one=one: _strained(atoms, amount * one),
                tolerances.step,
            )
            for one in _unit_strains()
        ]
        assert_close(
            f"stress of {atoms.symbols} times volume and the slope of its energy, eV",
            measure_one(double, atoms).stress * atoms.cell.volume,
            slopes,
            tolerances.difference,
        )


def _slope(
    potential: AbstractPotential, changed: Callable[[float], Atoms], step: float
) -> float:
    """Return dE/dx at zero: central differences of fourth order.

    (8 [E(h) - E(-h)] - [E(2h) - E(-2h)]) / 12h; second order is not enough for
    the strain of a small stiff cell.
    """
    ends = [changed(amount * step) for amount in (1, -1, 2, -2)]
    near, before, far, first = energies_of(potential, ends)
    return float((8 * (near - before) - (far - first)) / (12 * step))


def _unit_strains() -> list[np.ndarray]:
    """Return symmetric strains of unit size, in Voigt order."""
    strains = []
    for row, column in zip(*VOIGT, strict=True):
        strain = np.zeros((3, 3))
        strain[row, column] += 0.5
        strain[column, row] += 0.5
        strains.append(strain)
    return strains


def check_smooth_at_cutoff(
    potential: AbstractPotential, structures: TrialStructures, tolerances: Tolerances
) -> None:
    """Require that an atom leaves the range without a jump of energy or force."""
    double = in_double(potential)
    for atoms in (structures.dimer, structures.molecule):
        _check_path(double, atoms, tolerances)
    pair = structures.dimer.copy()
    pair.positions[-1] = pair.positions[0] + [
        double.cutoff * (1 - tolerances.edge),
        0,
        0,
    ]
    assert_close(
        "force of a dimer just inside the cutoff, eV/Å",
        measure_one(double, pair).forces,
        np.zeros((2, 3)),
        tolerances.at_cutoff,
    )


def _check_path(
    double: AbstractPotential, atoms: Atoms, tolerances: Tolerances
) -> None:
    """Pull the last atom away; the work done must be the energy gained."""
    outwards = atoms.positions[-1] - atoms.positions[:-1].mean(axis=0)
    outwards /= np.linalg.norm(outwards)
    way = np.arange(0.0, 1.05 * double.cutoff, tolerances.path_step)
    shift = np.zeros((len(way), len(atoms), 3))
    shift[:, -1] = way[:, None] * outwards
    path = [_moved(atoms, one) for one in shift]
    found = list(predict_structures(double, path))
    energies = np.array([one.energy for one in found])
    pulls = np.array([one.forces[-1] @ outwards for one in found])
    work = -(pulls[1:] + pulls[:-1]) / 2 * np.diff(way)
    assert_close(
        f"energy gained in a step of an atom leaving {atoms.symbols} and the work, eV",
        np.diff(energies),
        work,
        tolerances.work,
    )
    assert_close(
        f"energy of {atoms.symbols} out of range of its last atom and of both parts",
        energies[-1],
        energies_of(double, [atoms[:-1], atoms[-1:]]).sum(),
        tolerances.round_off,
    )


def check_training_gradient(
    potential: AbstractPotential, structures: TrialStructures, tolerances: Tolerances
) -> None:
    """Require that the gradient of a loss on forces and stress is its slope."""
    double, step = in_double(potential), tolerances.step
    graph = graph_of(double, [structures.crystal, structures.molecule])
    weights = {
        name: value.detach().clone().requires_grad_()
        for name, value in double.module.named_parameters()
    }
    direction = _direction(weights)
    gradients = torch.autograd.grad(
        _loss(double, graph, weights, for_training=True),
        list(weights.values()),
        materialize_grads=True,
    )
    ends = [
        float(
            _loss(double, graph, _along(weights, direction, amount), for_training=False)
        )
        for amount in (step, -step)
    ]
    assert_close(
        "gradient of a loss in the weights and its slope",
        sum(
            float((one * way).sum())
            for one, way in zip(gradients, direction.values(), strict=True)
        ),
        (ends[0] - ends[1]) / (2 * step),
        tolerances.loss_slope,
    )


def _loss(
    potential: AbstractPotential,
    graph: Graph,
    weights: Mapping[str, Tensor],
    *,
    for_training: bool,
) -> Tensor:
    """Return a number that depends on energies, forces and stresses."""
    found = predict(potential, graph, weights=weights, for_training=for_training)
    assert found.forces is not None
    assert found.stress is not None
    return found.energy.sum() + (found.forces**2).sum() + found.stress.sum()


def _direction(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return a random change of every weight, a tenth of its parameter's size."""
    generator = torch_generator(0, "weight directions")

    def change(value: Tensor) -> Tensor:
        random = torch.randn(value.shape, generator=generator, dtype=value.dtype)
        return random.to(value.device) * value.detach().abs().mean() / 10

    return {name: change(value) for name, value in weights.items()}


def _along(
    weights: Mapping[str, Tensor], direction: Mapping[str, Tensor], amount: float
) -> dict[str, Tensor]:
    return {
        name: value.detach() + amount * direction[name]
        for name, value in weights.items()
    }


def _moved(atoms: Atoms, shift: np.ndarray) -> Atoms:
    other = atoms.copy()
    other.positions += shift
    return other


def _strained(atoms: Atoms, strain: np.ndarray) -> Atoms:
    other = atoms.copy()
    other.set_cell(atoms.cell.array @ (np.eye(3) + strain), scale_atoms=True)
    return other


Check = Callable[[AbstractPotential, TrialStructures, Tolerances], None]
"""Raises AssertionError with what was found; takes keyword arguments too."""

_CHECKS: tuple[Check, ...] = (
    check_inputs_untouched,
    check_batch_equals_single,
    check_structures_do_not_mix,
    check_calculator_equals_prediction,
    check_unknown_element_refused,
    check_one_atom_cell,
    check_molecule_without_cell,
    check_lattice_translation,
    check_rotation,
    check_permutation,
    check_supercell,
    check_forces_by_difference,
    check_stress_by_difference,
    check_smooth_at_cutoff,
    check_training_gradient,
    check_dtype_kept,
    check_roles,
    check_blocks,
    check_row_keys,
    check_reference_shift,
    check_large_references,
    check_given_weights,
    check_element_copied,
    check_element_added,
    check_rescaled,
)

ADAPTER_CHECKS: Mapping[str, Check] = MappingProxyType(
    {check.__name__.removeprefix("check_"): check for check in _CHECKS}
)
"""Every check by name, to parametrise a test over::

    @pytest.mark.parametrize("name", ADAPTER_CHECKS)
    def test_my_adapter(name):
        potential = MyPotential(...)
        ADAPTER_CHECKS[name](potential, structures_for(potential), Tolerances())
"""


def failed_checks(
    potential: AbstractPotential,
    structures: TrialStructures | None = None,
    tolerances: Tolerances | None = None,
) -> dict[str, str]:
    """Run the whole kit and return what failed, with the reason, by name.

    Parameters
    ----------
    potential
        Not changed.
    structures
        What to try it on; made for the potential unless given.
    tolerances
        The kit's own unless given.

    Examples
    --------
    >>> from atomgraft.models.pair import PRESETS
    >>> failed_checks(PRESETS["pair:lj-ar"]())
    {}
    """
    trial = structures or structures_for(potential)
    limits = tolerances or Tolerances()
    failures: dict[str, str] = {}
    for name, check in ADAPTER_CHECKS.items():
        try:
            check(potential, trial, limits)
        except AssertionError as failure:
            failures[name] = str(failure)
    return failures
