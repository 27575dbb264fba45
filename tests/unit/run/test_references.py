"""References refitted in closed form bring the base to the energies of the labels."""

import pytest
import torch

from atomgraft.data.labels import ENERGY, set_labels
from atomgraft.models.prediction import predict_structures
from atomgraft.run.setup import refit_references
from atomgraft.testing import structures_for
from tests.trials import adapted_by, loaded

SHIFTS = {14: 0.75, 32: -2.5}

EXACT = 1e-9
"""eV per atom: a linear system of two unknowns in float64."""


def shifted_labels(base, shifts):
    """Return structures whose energies are the base's plus a shift per atom."""
    trial = structures_for(base)
    frames = [trial.crystal, trial.molecule, trial.one_atom]
    known = predict_structures(base, frames)
    for atoms, one in zip(frames, known, strict=True):
        offset = sum(shifts[int(number)] for number in atoms.numbers)
        set_labels(atoms, energy=one.energy + offset)
    return frames


def test_shifts_are_found():
    base = loaded("pair:sw-sige")
    shifts, record = refit_references(base, shifted_labels(base, SHIFTS), wanted=True)
    assert shifts == pytest.approx(SHIFTS, abs=EXACT)
    assert record.was_refitted
    assert record.is_identifiable
    assert record.residual_after == pytest.approx(0, abs=1e-6)
    assert record.residual_before > 100


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_model_then_predicts_the_labels(dtype):
    base = loaded("pair:sw-sige")
    frames = shifted_labels(base, SHIFTS)
    shifts, _ = refit_references(base.clone(dtype=dtype), frames, wanted=True)
    adapted = adapted_by("full", base, shifts=shifts)
    for atoms, one in zip(
        frames, predict_structures(adapted.potential, frames), strict=True
    ):
        assert one.energy == pytest.approx(atoms.info[ENERGY], abs=1e-4)


def test_forces_and_stress_do_not_change():
    base = loaded("pair:sw-sige")
    frames = shifted_labels(base, SHIFTS)
    adapted = adapted_by("full", base, shifts=SHIFTS)
    pairs = zip(
        predict_structures(base, frames),
        predict_structures(adapted.merged(), frames),
        strict=True,
    )
    for before, after in pairs:
        assert (before.forces == after.forces).all()
        assert (before.stress == after.stress).all()
        assert before.energy != after.energy


def test_no_means_no():
    base = loaded("pair:sw-sige")
    shifts, record = refit_references(base, shifted_labels(base, SHIFTS), wanted=False)
    assert shifts == {}
    assert not record.was_refitted
    assert "not refitted, as requested" in record.note


def test_without_energies_nothing_is_fitted():
    base = loaded("pair:sw-sige")
    frames = shifted_labels(base, SHIFTS)
    for atoms in frames:
        del atoms.info[ENERGY]
    shifts, record = refit_references(base, frames, wanted=True)
    assert shifts == {}
    assert "no structure has an energy" in record.note


def test_energies_that_mean_nothing_are_told():
    """As those of fresh weights, which are random lengths where the model is a law."""
    base = loaded("pair:sw-sige")
    absurd = shifted_labels(base, {14: 1e9, 32: -1e9})
    _, record = refit_references(base, absurd, wanted=True)
    assert "shifts of 1e+09 eV/atom are those of a model whose energies mean" in (
        record.note
    )
    heavy = shifted_labels(base, {14: -7.9e3, 32: -5.7e4})  # with all electrons
    _, record = refit_references(base, heavy, wanted=True)
    assert "mean nothing" not in record.note
