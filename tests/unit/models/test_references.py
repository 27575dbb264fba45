"""Reference energies are kept in float64 beside weights of any precision."""

import numpy as np
import pytest
import torch

from atomgraft.core.errors import BadInputError
from atomgraft.models.base import UNROUNDED
from atomgraft.models.calculator import GraftCalculator
from atomgraft.models.pair import load_pair
from atomgraft.models.prediction import predict_structures
from atomgraft.testing import structures_for
from tests.trials import in_precision, loaded

BASE = "pair:sw-sige"

COPPER, GOLD = -45101.0123456789, -535000.987654321
"""eV: what all-electron codes give for an atom."""

EXACT = 1e-7
"""eV: float64 at ten atoms of gold."""

SINGLE = 1e-4
"""eV: interactions of ten atoms in float32."""


def all_electron(dtype=torch.float32):
    potential = loaded(BASE).clone(dtype=dtype)
    potential.add_references({14: COPPER, 32: GOLD})
    return potential


def reference_of(atoms):
    return sum({14: COPPER, 32: GOLD}[int(Z)] for Z in atoms.numbers)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_energies_gain_them_to_the_last_digit(dtype):
    atoms = structures_for(loaded(BASE)).crystal
    [bare] = predict_structures(in_precision(BASE, dtype), [atoms])
    [whole] = predict_structures(all_electron(dtype), [atoms])
    gained = whole.energy - bare.energy
    assert gained == pytest.approx(reference_of(atoms), abs=EXACT)
    assert (whole.forces == bare.forces).all()
    assert (whole.stress == bare.stress).all()


def test_a_calculator_says_a_python_number():
    atoms = structures_for(loaded(BASE)).crystal
    atoms.calc = GraftCalculator(all_electron())
    energy = atoms.get_potential_energy()
    assert type(energy) is float
    [bare] = predict_structures(loaded(BASE), [atoms])
    assert energy - reference_of(atoms) == pytest.approx(bare.energy, abs=SINGLE)
    rounded = float(np.float32(energy))
    assert abs(rounded - energy) > SINGLE  # float32 could not have said it


def test_no_weight_changes():
    bare, whole = in_precision(BASE, torch.float32), all_electron()
    for name, value in bare.module.named_parameters():
        assert torch.equal(value, whole.module.get_parameter(name))


def test_shifts_add_up_and_leave_copies_alone():
    once = all_electron()
    twice = once.clone()
    twice.add_references({14: 1.0})
    assert float(once.reference_table()[14]) == COPPER
    assert float(twice.reference_table()[14]) == COPPER + 1.0
    assert float(twice.reference_table()[32]) == GOLD


def test_a_copy_in_float32_keeps_what_its_weights_cannot_hold():
    """A model of float64 that was trained on all-electron energies."""
    source = loaded(BASE).clone(dtype=torch.float64)
    [(name, values)] = source.with_shifted_references({14: COPPER, 32: GOLD}).items()
    source.module.get_parameter(name).data = values
    single = source.clone(dtype=torch.float32)
    assert float(single.module.get_parameter(name)[0].double()) != COPPER
    assert torch.equal(single.reference_table(), source.reference_table())
    again = single.clone(dtype=torch.float64)
    assert torch.equal(again.reference_table(), source.reference_table())
    atoms = structures_for(loaded(BASE)).crystal
    known, found = (
        one.energy for model in (source, single)
        for one in predict_structures(model, [atoms])
    )  # fmt: skip
    assert found == pytest.approx(known, abs=SINGLE)


def test_the_hash_counts_them_wherever_they_are():
    bare, whole = in_precision(BASE, torch.float32), all_electron()
    other = all_electron()
    other.add_references({14: 1e-9})
    assert len({one.weights_hash() for one in (bare, whole, other)}) == 3
    inside = loaded(BASE).clone(dtype=torch.float64)
    [(name, values)] = inside.with_shifted_references({14: COPPER, 32: GOLD}).items()
    inside.module.get_parameter(name).data = values
    assert inside.weights_hash() == all_electron(torch.float64).weights_hash()
    assert UNROUNDED not in dict(whole.module.named_parameters())


def test_an_exported_file_keeps_them(tmp_path):
    potential = all_electron()
    again = load_pair(potential.export(tmp_path / "model"))
    assert again.dtype == torch.float32
    assert torch.equal(again.reference_table(), potential.reference_table())
    assert again.weights_hash() == potential.weights_hash()
    assert potential.exported_rounding() == 0


@pytest.mark.parametrize("method", ["add_references", "with_shifted_references"])
def test_an_element_that_is_not_known_is_refused(method):
    with pytest.raises(BadInputError, match=r"atomic numbers \[79\]"):
        getattr(loaded("pair:sw-si").clone(), method)({14: 1.0, 79: 1.0})
