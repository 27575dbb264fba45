"""Checks of an adapter: an element can take the weights of another one."""

import numpy as np
from ase import Atoms
from ase.data import chemical_symbols

from atomgraft.core.errors import BadInputError
from atomgraft.models.base import AbstractPotential
from atomgraft.models.elements import with_donors
from atomgraft.testing.measuring import (
    Tolerances,
    TrialStructures,
    assert_close,
    assert_same_prediction,
    in_double,
    measure,
)

LENGTH, ENERGY = 1.07, 1.3
"""By which a model is scaled: large enough that any power of them is told apart."""


def check_element_copied(
    potential: AbstractPotential, structures: TrialStructures, tolerances: Tolerances
) -> None:
    """Require that an element with a donor's weights predicts as the donor does.

    The element is one that the model knows already, where there are two. Of an adapter
    whose elements differ in more than weights, the donor alone is asked.
    """
    frames = [one for one in structures.all() if len(one) > 1]
    donor, *others = sorted({int(one) for atoms in frames for one in atoms.numbers})
    element = others[0] if others else _unknown(potential)
    try:
        copied = with_donors(in_double(potential), {element: donor})
    except BadInputError:
        if element in potential.elements:
            raise
        return  # the adapter says that it cannot
    pure = [_with(atoms, donor) for atoms in frames]
    asked = measure(in_double(potential), pure)
    mixed = [atoms.copy() for atoms in pure]
    for atoms in mixed:
        if not potential.element_constants:
            atoms.numbers[::2] = element
    for name, told in (
        ("the donor", measure(copied, pure)),
        ("the element", measure(copied, mixed)),
    ):
        for one, other in zip(asked, told, strict=True):
            assert_same_prediction(name, one, other, tolerances.round_off)


def check_element_added(
    potential: AbstractPotential, structures: TrialStructures, tolerances: Tolerances
) -> None:
    """Require that a model with room for a further element predicts as before.

    An adapter that cannot add one says so.
    """
    element = _unknown(potential)
    base = in_double(potential)
    try:
        larger = base.with_more_elements([element])
    except BadInputError:
        return
    if larger.elements != potential.elements | {element}:
        raise AssertionError(f"the larger model knows {sorted(larger.elements)}")
    frames = structures.all()
    for one, other in zip(measure(base, frames), measure(larger, frames), strict=True):
        assert_same_prediction("the larger model", one, other, tolerances.round_off)


def check_rescaled(
    potential: AbstractPotential, structures: TrialStructures, tolerances: Tolerances
) -> None:
    """Require E(x) = ENERGY · E₀(x / LENGTH) of a scaled model, and its forces.

    An adapter that cannot scale lengths says so.
    """
    base = in_double(potential)
    try:
        scaled = base.rescaled(length=LENGTH, energy=ENERGY)
    except BadInputError:
        return
    assert_close("cutoff", scaled.cutoff, LENGTH * base.cutoff, tolerances.round_off)
    frames = [one for one in structures.all() if len(one) > 1]
    stretched = [_stretched(atoms) for atoms in frames]
    table = base.reference_table().numpy()
    for atoms, one, other in zip(
        frames, measure(base, frames), measure(scaled, stretched), strict=True
    ):
        own = float(table[atoms.numbers].sum())
        assert_close(
            "scaled energy",
            other.energy - own,
            ENERGY * (one.energy - own),
            tolerances.round_off,
        )
        assert_close(
            "scaled forces",
            other.forces,
            ENERGY / LENGTH * np.asarray(one.forces),
            tolerances.round_off,
        )


def _unknown(potential: AbstractPotential) -> int:
    return next(
        number
        for number in range(1, len(chemical_symbols))
        if number not in potential.elements
    )


def _with(atoms: Atoms, number: int) -> Atoms:
    copy = atoms.copy()
    copy.numbers[:] = number
    return copy


def _stretched(atoms: Atoms) -> Atoms:
    copy = atoms.copy()
    copy.set_cell(LENGTH * atoms.cell.array)
    copy.set_positions(LENGTH * atoms.positions)
    return copy
