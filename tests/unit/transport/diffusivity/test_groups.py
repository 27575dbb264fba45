"""Runs of one temperature together: ions, framework, conductivity."""

import numpy as np
import pytest

from atomgraft.core.errors import BadInputError
from atomgraft.transport.diffusivity.conduction import conductivity
from atomgraft.transport.diffusivity.groups import (
    framework_of,
    samples_of,
    single_run,
    temperature_of,
)
from atomgraft.transport.diffusivity.motion import motion_of
from atomgraft.transport.diffusivity.record import PROBABILITIES
from atomgraft.transport.diffusivity.spec import DiffusivitySpec
from tests.hopping import SPACING, crystal, diffusivity_of

RATE, STEP = 0.01, 0.1


def spec_of(**changes):
    values = {"files": ("a",), "mobile": ("Li",), "temperature": (600.0,)}
    return DiffusivitySpec(**(values | changes))


def run(step=STEP, temperature=600.0, spec=None, place="run", **options):
    frames = crystal(**({"rate": RATE} | options))
    return motion_of(
        frames, spec or spec_of(), step=step, temperature=temperature, place=place
    )


@pytest.fixture(scope="module")
def replicas():
    return [run(seed=i, place=f"run {i}") for i in range(3)]


@pytest.fixture(scope="module")
def together(replicas):
    return temperature_of(replicas, spec_of())


def test_replicas_narrow_the_interval(replicas, together):
    alone = single_run(replicas[0], spec_of())["Li"].value
    both = together.ions[0].diffusivity.value
    truth = diffusivity_of(RATE, STEP)
    assert both.low95 < truth < both.high95
    narrower = (alone.high95 / alone.low95 - 1) / (both.high95 / both.low95 - 1)
    assert narrower == pytest.approx(3**0.5, rel=0.35)
    assert both.low95 < both.low68 < both.median < both.high68 < both.high95
    assert together.n_runs == 3
    assert together.length == pytest.approx(3 * 29.9)


def test_axes_and_tensor_agree_with_the_whole(together):
    [ion] = together.ions
    along = [one.value.median for one in ion.axes]
    assert np.mean(along) == pytest.approx(ion.diffusivity.value.median, rel=0.1)
    assert np.diag(ion.tensor) == pytest.approx(along, rel=0.2)
    assert np.array(ion.tensor) == pytest.approx(np.array(ion.tensor).T)


def test_conductivities_follow_from_the_diffusivities(together):
    [ion] = together.ions
    flow = together.conduction
    volume = (5 * SPACING) ** 3
    expected = conductivity(ion.diffusivity.value.median, 30.0, volume, 600.0)
    assert flow.nernst_einstein.value.median == pytest.approx(expected, rel=0.02)
    assert flow.collective.value is not None
    haven = flow.haven.value
    assert haven.low95 < 1.0 < haven.high95
    assert together.thickness == pytest.approx(5 * SPACING)


def test_a_short_run_has_no_collective_conductivity_and_says_why():
    found = temperature_of([run(n_frames=80)], spec_of(start=1.5))
    assert found.conduction.nernst_einstein.value is not None
    assert found.conduction.collective.value is None
    assert "too short" in found.conduction.collective.reason
    assert found.conduction.haven.value is None


def test_quantiles_give_the_posterior_back(together):
    [ion] = together.ions
    samples = samples_of(ion, np.random.default_rng(0).random(20_000))
    value = ion.diffusivity.value
    found = np.quantile(samples, (0.025, 0.5, 0.975))
    assert found == pytest.approx([value.low95, value.median, value.high95], rel=0.01)
    assert len(ion.quantiles) == len(PROBABILITIES)


def test_a_charge_changes_the_conductivity_and_not_the_diffusivity(replicas):
    double = temperature_of(replicas, spec_of(charge={"Li": 2.0}))
    single = temperature_of(replicas, spec_of())
    assert double.ions[0].diffusivity == single.ions[0].diffusivity
    assert double.conduction.nernst_einstein.value.median == pytest.approx(
        4 * single.conduction.nernst_einstein.value.median
    )
    assert double.conduction.haven == single.conduction.haven


def test_two_mobile_species_have_a_row_each_and_one_conductivity():
    spec = spec_of(mobile=("Li", "O"))
    found = temperature_of([run(spec=spec, melting=0.1, seed=7)], spec)
    assert [one.element for one in found.ions] == ["Li", "O"]
    assert [one.charge for one in found.ions] == [1.0, -2.0]
    weights = [30.0, 125 * 4.0]
    parts = [
        w * one.diffusivity.value.median
        for w, one in zip(weights, found.ions, strict=True)
    ]
    expected = conductivity(sum(parts) / 530.0, 530.0, found.volume, 600.0)
    assert found.conduction.nernst_einstein.value.median == pytest.approx(
        expected, rel=0.05
    )


def test_a_still_ion_beside_a_moving_one_limits_the_conductivity():
    spec = spec_of(mobile=("Li", "O"))
    found = temperature_of([run(spec=spec, seed=8)], spec)
    lithium, oxygen = found.ions
    assert lithium.diffusivity.value is not None
    assert oxygen.diffusivity.value is None
    flow = found.conduction.nernst_einstein
    assert flow.value is None
    least = conductivity(lithium.diffusivity.value.median, 30.0, found.volume, 600.0)
    assert flow.limit > least


def test_a_solid_framework_vibrates_and_a_molten_one_diffuses():
    solid = framework_of(run(seed=9, vibration=0.3), spec_of())
    assert not solid.is_molten
    assert solid.parts[0].element == "O"
    assert solid.parts[0].msd == pytest.approx(6 * 0.3**2, rel=0.05)
    molten = framework_of(run(seed=9, melting=0.2), spec_of())
    assert molten.is_molten
    assert not framework_of(run(seed=9, melting=0.2), spec_of(melt_limit=500)).is_molten


@pytest.mark.parametrize("is_disordered", [False, True])
def test_a_framework_is_judged_by_its_motion_alone(is_disordered):
    """A melt is one from its first frame on, and a glass is none."""
    start = np.random.default_rng(2).normal(0, is_disordered, size=(125, 3))
    for melting in (0.0, 0.2):
        frames = crystal(rate=RATE, seed=9, melting=melting, is_wrapped=False)
        for one in frames:
            one.positions[30:] += start
        spec = spec_of(unwrapped=True)
        motion = motion_of(frames, spec, step=STEP, temperature=600.0, place="run")
        assert framework_of(motion, spec).is_molten == (melting > 0)


def melting_late(frames, begin=0.8, step=0.4):
    """Let the oxygen of frames diffuse in the last part."""
    rng = np.random.default_rng(4)
    walk = np.zeros((len(frames[0]) - 30, 3))
    for i, one in enumerate(frames):
        walk += (i > begin * len(frames)) * rng.normal(0, step, walk.shape)
        one.positions[30:] += walk
    return frames


def test_a_framework_that_melts_late_has_moved():
    """The MSD of all windows hides it."""
    spec = spec_of(unwrapped=True)
    frames = melting_late(crystal(rate=RATE, seed=9, is_wrapped=False))
    motion = motion_of(frames, spec, step=STEP, temperature=600.0, place="run")
    found = framework_of(motion, spec)
    assert not found.is_molten
    [oxygen] = found.parts
    assert oxygen.shift > 5.0
    assert oxygen.has_moved(spec.melt_limit)
    assert not oxygen.has_moved(100.0)


def test_a_solid_that_vibrates_far_has_not_moved():
    [oxygen] = framework_of(run(seed=9, vibration=0.9), spec_of()).parts
    assert oxygen.msd > 2.0
    assert oxygen.shift < 0.2
    assert not oxygen.has_moved(2.0)
    [molten] = framework_of(run(seed=9, melting=0.2), spec_of()).parts
    assert not molten.has_moved(2.0), "it diffuses"


def test_runs_that_differ_widen_the_interval_and_are_told_of():
    runs = [run(seed=i, rate=rate) for i, rate in enumerate((0.01, 0.01, 0.03))]
    [ion] = temperature_of(runs, spec_of()).ions
    assert ion.scatter_p < 1e-6
    assert any("Runs differ by more than chance" in one for one in ion.notes)
    assert ion.diffusivity.value.high95 / ion.diffusivity.value.low95 > 2


def test_runs_with_other_frames_cannot_be_averaged():
    with pytest.raises(BadInputError, match="frames every 100 fs"):
        temperature_of([run(), run(step=0.2)], spec_of())
