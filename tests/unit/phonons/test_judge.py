"""The judge of vibrations: like with like, and two baselines always there."""

import dataclasses

import numpy as np
import pytest
import torch

from atomgraft.core.errors import BadInputError
from atomgraft.lattice.harmonic import scaled, with_forces
from atomgraft.lattice.reference import read_reference
from atomgraft.lattice.spectra import mesh_frequencies
from atomgraft.models.loading import load_potential
from atomgraft.phonons.judge import (
    GLOBAL_FACTORS,
    MOST_SOFT_MODES,
    Compared,
    Question,
    errors_of,
    instability,
    judge_crystal,
    known_factor,
)
from atomgraft.phonons.record import REFERENCE
from tests.trials import NEEDS_SEVENN
from tests.vibrations import (
    BORN,
    displaced_salt,
    displaced_silicon,
    harmonic_salt,
    harmonic_silicon,
    salt_law,
    save,
    silicon_law,
)

MESH = (4, 4, 4)

NUMBERS = Question(mesh=MESH, has_curves=False)

ERRORS = (
    "frequency_mae", "frequency_rmse", "frequency_bias", "maximum_error",
    "highest_error", "density_distance", "free_energy_error", "entropy_error",
    "heat_capacity_error",
)  # fmt: skip


def judged(models, question=NUMBERS, **options):
    return judge_crystal(
        models, displaced_salt(), question, reference=harmonic_salt(), **options
    )


def rows(found):
    return {(one.contestant, one.baseline): one for one in found.errors}


def test_the_reference_itself_has_no_errors():
    found = rows(judged({"base": salt_law(), "adapted": salt_law(0.7)}))
    same, other = found["base", None], found["adapted", None]
    for name in ERRORS:
        assert getattr(same, name) == pytest.approx(0, abs=1e-4)
        assert abs(getattr(other, name)) > 1e-3, name  # the negative control
    assert same.slope == pytest.approx(1)
    assert other.slope == pytest.approx(0.7)
    assert other.frequency_bias < 0  # softer is lower
    assert other.entropy_error > 0  # and shakes more


def test_baselines_stand_beside_the_models():
    question = Question(mesh=MESH, has_curves=False, global_factor=1.1)
    found = rows(judged({"base": salt_law(0.8), "adapted": salt_law(0.9)}, question))
    assert list(found) == [
        ("base", None),
        ("adapted", None),
        ("base", "own scalar"),
        ("base", "global scalar"),
    ]
    assert found["base", "own scalar"].factor == pytest.approx(1.25, rel=1e-4)
    assert found["base", "own scalar"].frequency_mae == pytest.approx(0, abs=1e-4)
    assert found["base", "global scalar"].factor == 1.1
    by_hand = scaled(judged({"base": salt_law(0.8)}).harmonics["base"], 1.1)
    mesh = mesh_frequencies(by_hand, MESH)
    expected = mesh_frequencies(harmonic_salt(), MESH)
    apart = mesh.weights @ np.abs(mesh.frequencies - expected.frequencies).mean(axis=1)
    assert found["base", "global scalar"].frequency_mae == pytest.approx(
        apart / mesh.weights.sum()
    )


@pytest.mark.parametrize("factor", [0.5, 0.97, 1.0, 1.6])
@pytest.mark.parametrize("charge", [0.0, 1.1])
def test_the_own_scalar_is_never_worse_than_the_base(charge, factor, tmp_path):
    """With charges too, where frequencies do not go with the factor's root."""
    path = save(harmonic_salt().phonon, tmp_path / "salt.yaml")
    (tmp_path / "BORN").write_text(BORN.format(charge))
    reference = read_reference(path, born=tmp_path / "BORN")
    noisy = reference.harmonic.forces.copy()
    noisy *= np.random.default_rng(0).normal(1, 0.05, size=noisy.shape)
    found = judge_crystal(
        {"base": salt_law(factor)},
        reference.phonon,
        NUMBERS,
        reference=with_forces(reference.phonon, noisy),
    )
    table = rows(found)
    plain, own = table["base", None], table["base", "own scalar"]
    assert own.frequency_mae <= plain.frequency_mae + 1e-9
    assert own.factor == found.own_factor


def test_without_a_reference_there_is_nothing_to_err_from():
    found = judge_crystal({"base": salt_law()}, displaced_salt(), NUMBERS)
    assert found.errors == ()
    assert found.own_factor is None
    assert [one.contestant for one in found.spectra] == ["base"]


def test_without_a_base_there_is_nothing_to_scale():
    found = judged({"adapted": salt_law(0.9)})
    assert [(one.contestant, one.baseline) for one in found.errors] == [
        ("adapted", None)
    ]


def test_models_answer_for_exactly_the_supercells_of_the_reference():
    found = judged({"base": salt_law(0.5)})
    np.testing.assert_allclose(
        found.harmonics["base"].forces, 0.5 * harmonic_salt().forces, atol=1e-9
    )
    one, other = (found.harmonics[name].phonon for name in ("base", REFERENCE))
    assert np.array_equal(one.supercell_matrix, other.supercell_matrix)
    with pytest.raises(BadInputError, match="does not support"):
        judged({"base": silicon_law()})


def test_curves_are_on_one_path_and_one_grid():
    question = Question(mesh=MESH, temperatures=(0.0, 300.0))
    found = judged(
        {"base": salt_law(0.5)}, question, titles={"base": "Soft", REFERENCE: "DFT"}
    )
    first, second = found.spectra
    assert [first.title, second.title] == ["DFT", "Soft"]
    assert [one.distances for one in first.bands] == [
        one.distances for one in second.bands
    ]
    assert first.density.frequencies == second.density.frequencies
    assert first.thermal.temperatures == (0.0, 300.0)
    assert first.minimum <= first.mean <= first.maximum
    assert first.maximum > second.maximum
    bare = judged({"base": salt_law()}).spectra[0]
    assert bare.bands == ()
    assert bare.density is bare.thermal is None


def test_progress_is_told_model_by_model():
    told = []
    models = {"base": salt_law(), "adapted": salt_law(0.9)}
    judged(models, progress=lambda *what: told.append(what))
    assert [one[1:] for one in told] == [(0, 3), (3, 3)] * 2  # supercells
    assert told[2][0].startswith("adapted")


def unstable():
    """Return silicon that falls to pieces: the forces of a mirror's other side."""
    stable = harmonic_silicon()
    return with_forces(displaced_silicon(), -stable.forces)


def test_an_unstable_crystal_has_no_thermal_errors():
    found = judge_crystal(
        {"base": silicon_law()}, displaced_silicon(), NUMBERS, reference=unstable()
    )
    row = rows(found)["base", None]
    assert row.free_energy_error is None
    assert row.entropy_error is row.heat_capacity_error is None
    assert row.is_stable
    assert row.frequency_mae > 1
    spectra = {one.contestant: one for one in found.spectra}
    assert not spectra[REFERENCE].is_stable
    assert spectra["base"].is_stable
    assert spectra["base"].soft_modes == ()
    soft = spectra[REFERENCE].soft_modes
    assert len(soft) == MOST_SOFT_MODES
    frequencies = [one.frequency for one in soft]
    assert frequencies == sorted(frequencies)
    assert frequencies[0] == pytest.approx(spectra[REFERENCE].minimum, abs=0.5)


def test_the_threshold_decides_and_is_the_users():
    mesh = mesh_frequencies(harmonic_salt(), MESH)
    lowest = float(mesh.frequencies.min())
    assert not instability(mesh, abs(lowest) + 1e-6)
    one = Compared(name="a", title="a", harmonic=unstable(), mesh=mesh)
    soft = Compared(
        name="b",
        title="b",
        harmonic=unstable(),
        mesh=mesh_frequencies(unstable(), MESH),
    )
    assert instability(soft.mesh)
    assert not instability(soft.mesh, 100.0)
    assert errors_of(soft, one, 0.1, MESH).is_stable is False
    assert errors_of(soft, one, 100.0, MESH).is_stable is True


def test_a_base_that_was_not_measured_has_no_factor():
    law = silicon_law()
    law.card = dataclasses.replace(law.card, name="7net-0")
    assert known_factor(law) is None
    assert all(0.8 < one < 1.3 for one in GLOBAL_FACTORS.values())


@NEEDS_SEVENN
def test_a_factor_belongs_to_weights_whatever_they_are_called():
    base = load_potential("7net-0")
    copy = base.clone(dtype=torch.float64)
    copy.card = dataclasses.replace(copy.card, name="/models/mine.pth")
    assert known_factor(base) == known_factor(copy) == 1.029
    with torch.no_grad():
        copy.module.get_parameter("reduce_hidden_to_energy.linear.weight").mul_(1.001)
    assert known_factor(copy) is None
