"""References refitted in closed form bring the base to the energies of the labels."""

import numpy as np
import pytest
import torch
from ase import Atoms

from atomgraft.core.errors import BadInputError
from atomgraft.data.labels import ENERGY, energy_of, set_labels
from atomgraft.data.readers import read_structures
from atomgraft.models.prediction import predict_structures
from atomgraft.run.references import refit_references
from atomgraft.testing import structures_for
from tests.trials import NEEDS_SEVENN, adapted_by, loaded

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


# --- labels alone, and isolated atoms

ORGANIC = "sevennet:tiny:H,C,O"
"""Its isolated atoms have an interaction energy, as those of most networks."""

ATOM_LABELS = {1: -13.568, 6: -1025.277, 8: -2035.571}
"""eV: PBE/def2-SVP."""


def shifted_by(base, shifts):
    """Return the base with other references."""
    model = base.clone(dtype=torch.float64)
    model.add_references(shifts)
    return model


def energies_of(model, frames):
    return np.array([float(one.energy) for one in predict_structures(model, frames)])


def lone(number, energy):
    atoms = Atoms(numbers=[number], info={"config_type": "IsolatedAtom"})
    set_labels(atoms, energy=energy)
    return atoms


def test_labels_alone_are_fitted_by_least_squares():
    """Against the same regression in another form, and a base without references."""
    base = loaded("pair:sw-sige")
    frames = shifted_labels(base, SHIFTS)
    base = shifted_by(base, {14: 3.0, 32: -5.0})  # must not matter
    shifts, record = refit_references(base, frames, wanted="labels")
    counts = np.array([[(f.numbers == Z).sum() for Z in (14, 32)] for f in frames])
    n_atoms = np.array(list(map(len, frames)))
    labels = np.array(list(map(energy_of, frames)))
    expected = np.linalg.lstsq(counts / n_atoms[:, None], labels / n_atoms, rcond=None)[
        0
    ]
    assert list(record.energies.values()) == pytest.approx(expected.tolist(), abs=EXACT)
    fitted = shifted_by(base, shifts)
    table = fitted.reference_table()[[14, 32]]
    assert table.tolist() == pytest.approx(expected.tolist(), abs=EXACT)
    errors = (energies_of(fitted, frames) - labels) / n_atoms
    rms = 1e3 * float((errors**2).mean() ** 0.5)
    assert rms == pytest.approx(record.residual_after, abs=1e-6)
    assert rms > 100  # the base's own binding counts twice; the record says so
    assert "references: residual would leave 0" in record.note
    assert record.method == "labels"


@NEEDS_SEVENN
def test_a_model_may_give_an_isolated_atom_an_interaction():
    """Its label is reference plus interaction: neither of the two alone."""
    base = loaded(ORGANIC)
    frames = [Atoms("CO", [[0, 0, 0], [0, 0, 1.13]]), Atoms("H2O", np.eye(3))]
    set_labels(frames[0], energy=-3073.0)
    set_labels(frames[1], energy=-2073.0)
    atoms = [lone(*one) for one in ATOM_LABELS.items()]
    interaction = energies_of(base, atoms) - base.reference_table()[[1, 6, 8]].numpy()
    assert np.abs(interaction).min() > 1e-3
    shifts, record = refit_references(base, [*frames, *atoms], wanted="isolated")
    found = energies_of(shifted_by(base, shifts), atoms)
    assert found == pytest.approx(list(ATOM_LABELS.values()), abs=1e-6)
    assert (record.method, record.rank, record.n_from_atoms) == ("isolated", 0, 3)
    assert record.isolated == {"H": -13.568, "C": -1025.277, "O": -2035.571}
    assert record.n_energies == 2
    assert "would leave" in record.note
    partly, record = refit_references(base, [*frames, atoms[1]], wanted="isolated")
    assert partly[6] == shifts[6]
    assert partly[1] != shifts[1]
    assert (
        "those of isolated atoms of C (references: isolated); of other" in record.note
    )


def test_one_molecule_is_fitted_as_well_with_isolated_atoms_as_without():
    """They decide energies of other compositions alone."""
    base = loaded("pair:sw-sige")
    frames = shifted_labels(base, SHIFTS)[:1]
    frames[0].numbers[:] = np.resize([14, 32], len(frames[0]))
    atoms = [lone(14, -100.0), lone(32, -300.0)]
    none, before = refit_references(base, frames, wanted=True)
    shifts, after = refit_references(base, [*frames, *atoms], wanted=True)
    assert not before.is_identifiable
    assert "cannot separate Si and Ge: 1 of 2 combinations" in before.note
    assert "the minimum-norm solution is used" in before.note
    assert after.is_identifiable
    assert "isolated atoms of Si, Ge decide what the compositions" in after.note
    assert after.residual_after == pytest.approx(before.residual_after, abs=1e-6)
    assert shifts[14] - shifts[32] == pytest.approx(200.0)
    assert none[14] == pytest.approx(none[32])


def test_isolated_atoms_that_are_wanted_must_be_there():
    base = loaded("pair:sw-sige")
    with pytest.raises(BadInputError, match="training files have none"):
        refit_references(base, shifted_labels(base, SHIFTS), wanted="isolated")


def test_of_several_states_of_an_atom_the_lowest_counts():
    base = loaded("pair:sw-sige")
    atoms = [lone(14, -1.0), lone(14, -1.5), lone(32, 0.0)]
    _, record = refit_references(base, atoms, wanted="isolated")
    assert record.isolated == {"Si": -1.5, "Ge": 0.0}
    assert "energies of isolated Si differ by 0.5 eV" in record.note
    assert (record.residual_before, record.residual_after) == (None, None)


def test_an_element_of_no_structure_keeps_its_reference_unless_that_is_wanted():
    base = loaded("pair:sw-sige")
    frames = shifted_labels(base, SHIFTS)[:1]
    frames[0].symbols[:] = "Si"
    atoms = [lone(14, -100.0), lone(32, -300.0)]
    shifts, alone = refit_references(base, frames, wanted=True)
    found, record = refit_references(base, [*frames, *atoms], wanted=True)
    assert (found, record) == (shifts, alone)
    assert found.keys() == {14}
    exact, _ = refit_references(base, [*frames, *atoms], wanted="isolated")
    assert exact == pytest.approx({14: -100.0, 32: -300.0})
    del frames[0].info[ENERGY]
    shifts, record = refit_references(base, [*frames, *atoms], wanted=True)
    assert (shifts, record.was_refitted) == ({}, False)


def test_an_element_that_the_base_does_not_know_needs_no_reference():
    base = loaded("pair:sw-sige")
    frames = [*shifted_labels(base, SHIFTS), lone(79, -500.0)]
    shifts, _ = refit_references(base, frames, wanted=True)
    assert shifts == pytest.approx(SHIFTS, abs=EXACT)


@NEEDS_SEVENN
@pytest.mark.parametrize("wanted", ["residual", "labels"])
def test_ethanol_of_pbe(wanted, shared_data):
    """Real labels of one molecule: of three elements, one combination is known."""
    folder = shared_data / "fidelity"
    frames = read_structures([f"{folder}/ethanol-pbe-train.xyz@:20"])
    atoms = read_structures([f"{folder}/ethanol-pbe-isolated_atoms.xyz"])
    base = loaded(ORGANIC)
    _, bare = refit_references(base, frames, wanted=wanted)
    assert (bare.rank, len(bare.shifts)) == (1, 3)
    assert "C2H6O alone cannot separate H, C and O: 1 of 3 combinations" in bare.note
    _, known = refit_references(base, [*frames, *atoms], wanted=wanted)
    assert (known.rank, known.n_from_atoms, known.is_identifiable) == (1, 2, True)
    apart = {k: one - known.isolated[k] for k, one in known.energies.items()}
    assert max(map(abs, apart.values())) < 20  # eV: binding, and no electrons of cores
    assert bare.energies["H"] - known.isolated["H"] < -100
    assert known.residual_after == pytest.approx(bare.residual_after, abs=1e-3)
