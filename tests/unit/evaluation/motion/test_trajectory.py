"""Trajectories of other programs as the reference, and those that cannot be one."""

import dataclasses

import numpy as np
import pytest
from ase.build import bulk
from ase.constraints import FixAtoms, FixBondLengths
from ase.io import write

from atomgraft.core.errors import BadInputError
from atomgraft.dynamics.replicas import heated
from atomgraft.dynamics.trajectories import read_trajectory
from atomgraft.evaluation.motion.answers import Standard, answers
from atomgraft.evaluation.motion.setup import plan_of
from atomgraft.evaluation.motion.spec import MotionOptions
from atomgraft.evaluation.motion.suite import MotionSuite
from atomgraft.evaluation.motion.trajectory import read_reference
from atomgraft.evaluation.motion.trials import run_trial
from atomgraft.evaluation.suite import Subject
from atomgraft.models.pair import PRESETS
from tests.unit.evaluation.motion.runs import PLAN, SILICON, trembling

ONE = dataclasses.replace(PLAN, conditions=PLAN.conditions[:1])


def frames(n=20, atoms=SILICON * 2, **info):
    found = []
    for seed in range(n):
        one = heated(atoms, 300.0, seed)
        one.rattle(0.05, seed=seed)
        one.info.update({"time": 4.0 * seed, "temperature": 300.0} | info)
        found.append(one)
    return found


def written(folder, found):
    path = folder / "aimd.extxyz"
    write(path, found)
    return MotionOptions(reference=str(path))


def test_blocks_of_frames_stand_for_runs(tmp_path):
    [trial] = read_reference(written(tmp_path, frames(22)), ONE)
    assert [len(one) for one in trial.frames] == [4] * 5
    assert trial.interval == 4.0
    assert trial.spectra is None, "four frames are no window"
    assert trial.temperatures == pytest.approx(np.full(5, 300.0), rel=0.2)
    assert (trial.intact == 1).all()


def test_its_own_run_read_from_a_file_has_the_same_spectra(tmp_path):
    """Velocities of a run, read back from its trajectory and cut in one block."""
    plan = plan_of(MotionOptions(time=0.4, window=0.2, settle=0.02), SILICON)
    recorded = dataclasses.replace(plan, sample_every=1)
    [own] = run_trial(PRESETS["pair:sw-si"](), recorded, seed=0, folder=tmp_path / "md")
    found = []
    for k in range(5):
        [_, *run] = read_trajectory(tmp_path / "md" / "measure" / f"{k:03d}.extxyz")
        found += run
    options = MotionOptions(
        reference=str(tmp_path / "all.extxyz"),
        reference_temperature=300.0,
        reference_interval=recorded.interval,
    )
    write(options.reference, found)
    [theirs] = read_reference(options, recorded)
    assert theirs.spectra == pytest.approx(own.spectra, rel=1e-4, abs=1e-9)


def _held(constraint):
    found = frames()
    for one in found:
        one.set_constraint(constraint)
    return found


def _never_moving(found):
    for one in found:
        one.positions[3] = found[0].positions[3]
    return found


def _with_two_on_a_site(atoms):
    atoms.positions[9] = atoms.positions[0] + [1e-9, 0, 0]
    return atoms


BAD = {
    "another material": (frames(atoms=bulk("Ge", cubic=True) * 2), "is of Ge"),
    "no temperature": (
        [one for one in frames() if one.info.pop("temperature")],
        "do not say their temperature",
    ),
    "another temperature": (frames(temperature=900.0), "has 0 frames at 300 K"),
    "words": (frames(temperature="hot"), "do not say their temperature"),
    "too few": (frames(8), "has 8 frames at 300 K"),
    "another density": (
        frames(atoms=bulk("Si", a=5.8, cubic=True) * 2),
        "Å³/atom",
    ),
    "a small cell": (frames(atoms=SILICON), "motion.r_max=2.7"),
    "yes for a temperature": (frames(temperature=True), "do not say their temperature"),
    "times that are none": (frames(time=np.nan), "does not rise"),
    "times that stand": (frames(time=3.0), "does not rise"),
    "times that fall": (frames()[::-1], "does not rise"),
    "fixed atoms": (_held(FixAtoms([0, 1])), "holds atoms fixed (ASE: FixAtoms)"),
    "atoms that never move": (
        _never_moving(frames()),
        "holds atoms fixed (1 never move)",
    ),
    "two atoms on one site": (
        [_with_two_on_a_site(one) for one in frames()],
        "atoms 0 and 9 are",
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_a_trajectory_that_is_no_reference_is_refused(case, tmp_path):
    made, said = BAD[case]
    with pytest.raises(BadInputError) as error:
        read_reference(written(tmp_path, made), ONE)
    assert said in str(error.value)


def test_the_user_may_say_what_frames_do_not(tmp_path):
    bare = frames(40)
    for one in bare:
        one.info.clear()
    options = written(tmp_path, bare).model_copy(
        update={"reference_temperature": 300.0, "reference_interval": 20.0}
    )
    [trial] = read_reference(options, ONE)
    assert trial.interval == 20.0


def test_uneven_times_are_no_interval(tmp_path):
    uneven = frames()
    uneven[3].info["time"] = 13.0
    [trial] = read_reference(written(tmp_path, uneven), ONE)
    assert trial.interval is None


def test_a_given_temperature_wins(tmp_path):
    """As that of a thermostat beside the kinetic one of each frame."""
    found = frames()
    for k, one in enumerate(found):
        one.info["temperature"] = 250.0 + 5 * k
    options = written(tmp_path, found)
    with pytest.raises(BadInputError, match="frames at 300 K"):
        read_reference(options, ONE)
    given = options.model_copy(update={"reference_temperature": 300.0})
    [trial] = read_reference(given, ONE)
    assert [len(one) for one in trial.frames] == [4] * 5


def test_a_given_interval_must_be_that_of_the_frames(tmp_path):
    options = written(tmp_path, frames())
    same = options.model_copy(update={"reference_interval": 4.0})
    assert read_reference(same, ONE)[0].interval == 4.0
    other = options.model_copy(update={"reference_interval": 1.0})
    with pytest.raises(BadInputError) as error:
        read_reference(other, ONE)
    assert "say time, and are 4 to 4 fs apart" in str(error.value)
    assert "Leave motion.reference_interval out" in str(error.value)


def test_frames_between_others_have_no_interval(tmp_path):
    found = frames(40)
    for one in found:
        del one.info["time"]
    for one in found[1::2]:
        one.info["temperature"] = 900.0
    options = written(tmp_path, found).model_copy(update={"reference_interval": 4.0})
    [trial] = read_reference(options, ONE)
    assert (trial.interval, trial.has_gaps, trial.spectra) == (None, True, None)
    heated_later = [*found[::2], *found[1::2]]
    options = written(tmp_path, heated_later)
    options = options.model_copy(update={"reference_interval": 4.0})
    [trial] = read_reference(options, ONE)
    assert (trial.interval, trial.has_gaps) == (4.0, False)


def test_a_trajectory_beside_a_melt_is_that_of_the_melt():
    options = MotionOptions(time=0.4, window=0.2, melt=3000.0)
    plan = plan_of(options, SILICON, has_trajectory=True)
    assert [one.is_melt for one in plan.conditions] == [True]


def test_wrapped_atoms_are_followed(tmp_path):
    moved = frames()
    for k, one in enumerate(moved):
        one.positions = SILICON.repeat(2).positions + 0.3 * k
        one.wrap()
    [trial] = read_reference(written(tmp_path, moved), ONE)
    ends = trial.frames[-1][-1].positions - trial.frames[0][0].positions
    assert ends == pytest.approx(np.full((64, 3), 0.3 * 19), abs=1e-4)


def dumped(folder, columns="type"):
    """Write frames of silicon as LAMMPS does."""
    text = ""
    for k, one in enumerate(frames()):
        bounds = "".join(f"0.0 {x:.8f}\n" for x in one.cell.lengths())
        text += f"ITEM: TIMESTEP\n{k}\nITEM: NUMBER OF ATOMS\n{len(one)}\n"
        text += f"ITEM: BOX BOUNDS pp pp pp\n{bounds}ITEM: ATOMS id {columns} x y z\n"
        kind = {"type": "1", "element": "Si"}[columns]
        for i, (x, y, z) in enumerate(one.positions, start=1):
            text += f"{i} {kind} {x:.6f} {y:.6f} {z:.6f}\n"
    path = folder / "md.dump"
    path.write_text(text)
    return MotionOptions(reference=str(path), reference_temperature=300.0)


def test_the_elements_of_numbered_types_are_given(tmp_path):
    options = dumped(tmp_path)
    with pytest.raises(BadInputError, match=r"--set motion\.types=Si --set") as error:
        read_reference(options, ONE)
    assert "names no elements" in str(error.value)
    named = options.model_copy(update={"types": ("Si",)})
    [trial] = read_reference(named, ONE)
    assert str(trial.frames[0][0].symbols) == "Si64"
    wrong = options.model_copy(update={"types": ("Ge",)})
    with pytest.raises(BadInputError, match="is of Ge"):
        read_reference(wrong, ONE)


def test_elements_are_not_given_twice(tmp_path):
    options = dumped(tmp_path, "element").model_copy(update={"types": ("Si",)})
    with pytest.raises(BadInputError, match=r"Leave --set motion\.types.* out"):
        read_reference(options, ONE)


@pytest.mark.parametrize(
    "given",
    [{"reference_temperature": 300}, {"reference_interval": 4}, {"types": ["Si"]}],
)
@pytest.mark.parametrize("reference", ["", "base", "pair:sw-si"])
def test_what_describes_frames_is_refused_beside_a_model(given, reference):
    options = MotionOptions.model_validate({"reference": reference} | given)
    subject = Subject(
        files=(), structures=(SILICON,), elements={14}, base=PRESETS["pair:sw-si"]()
    )
    [key] = given
    with pytest.raises(BadInputError, match=f"motion.{key} is given, and the") as error:
        MotionSuite(subject, options)
    assert "motion.reference=aimd.extxyz" in str(error.value)


def altered(change):
    found = frames(40)
    for k, one in enumerate(found):
        change(one, np.random.default_rng(k))
    return found


def test_without_momenta_that_move_there_are_no_velocities(tmp_path):
    still = altered(lambda one, rng: one.set_momenta(np.zeros((64, 3))))
    [trial] = read_reference(written(tmp_path, still), ONE)
    assert trial.spectra is None
    assert len(trial.temperatures) == 0


def _shuffle(one, rng):
    one.positions = one.positions[rng.permutation(64)]


def test_atoms_that_change_places_have_no_paths(tmp_path):
    [trial] = read_reference(written(tmp_path, altered(_shuffle)), ONE)
    assert (trial.interval, trial.has_gaps) == (None, True)
    assert len(trial.intact) == 0, "its first frame is in another order"


def test_whether_the_reference_melts_is_seen_from_its_own_atoms(tmp_path):
    shifted = [one.copy() for one in frames()]
    for k, one in enumerate(shifted):
        one.positions += [1.0, 2.0, 0.5]  # another origin
        if k > 3:
            one.positions += np.random.default_rng(0).normal(0, 0.8, (64, 3))
    [trial] = read_reference(written(tmp_path, shifted), ONE)
    assert trial.intact[0] == 1
    assert (trial.intact[1:] < 0.75).all()
    primitive = [bulk("Si") * 4 for _ in range(20)]
    for one in primitive:
        one.info.update({"temperature": 300.0})
    [trial] = read_reference(written(tmp_path, primitive), ONE)
    assert len(trial.intact) == 0


def flowing():
    """Return frames of atoms that are disordered from the first on, and diffuse."""
    rng = np.random.default_rng(9)  # no two atoms come closer than 0.3 Å
    found = frames()
    positions = (SILICON * 2).positions + rng.normal(0, 0.6, (64, 3))
    for one in found:
        one.positions = positions
        positions = positions + rng.normal(0, 0.4, (64, 3))
        one.wrap()
    return found


def compared(trial, plan=ONE):
    models = {"base": [trembling(0)], "adapted": [trembling(1)]}
    return answers(plan, models, Standard(said="aimd.extxyz", trials=[trial]))


def test_a_reference_that_is_molten_from_its_first_frame_compares_nothing(tmp_path):
    [trial] = read_reference(written(tmp_path, flowing()), ONE)
    assert len(trial.intact) == 0
    assert trial.still_near < 0.5
    found = compared(trial)
    assert "is molten (" in found.unanswered[0]
    assert (
        "of the neighbours in its first frame are neighbours at its end) at 300"
        in (found.unanswered[0])
    )
    assert not [one for one in found.scores if one.quantity != "runs"]


def test_a_melt_that_flows_is_checked(tmp_path):
    melt = dataclasses.replace(PLAN, conditions=PLAN.conditions[1:])
    [trial] = read_reference(written(tmp_path, flowing()), melt)
    assert not [one for one in compared(trial, melt).unanswered if "molten" in one]
    [trial] = read_reference(written(tmp_path, _reordered()), melt)
    [said] = [one for one in compared(trial, melt).unanswered if "molten" in one]
    assert "is molten in the melt at 300 K was not checked" in said
    assert "100 % of the neighbours in its first frame" in said


def _reordered():
    found = frames(40)
    order = np.random.default_rng(1).permutation(64)
    for one in found:
        one.positions = one.positions[order]
        one.wrap()
    return found


def test_a_crystal_in_another_order_is_not_called_molten(tmp_path):
    [trial] = read_reference(written(tmp_path, _reordered()), ONE)
    assert len(trial.intact) == 0
    assert trial.still_near == 1
    found = compared(trial)
    [said] = [one for one in found.unanswered if "crystalline" in one]
    assert "was not checked" in said
    assert "100 % of the neighbours" in said
    assert [one for one in found.scores if one.quantity != "runs"]


def test_a_reference_that_is_off_its_temperature_or_melts_compares_nothing(tmp_path):
    one = dataclasses.replace(PLAN, conditions=PLAN.conditions[:1])
    hot = altered(lambda one, rng: one.set_momenta(3 * one.get_momenta()))
    [trial] = read_reference(written(tmp_path, hot), one)
    models = {"base": [trembling(0)], "adapted": [trembling(1)]}
    found = answers(one, models, Standard(said="aimd.extxyz", trials=[trial]))
    [said] = found.unanswered
    assert "Velocities of the reference (aimd.extxyz) are those of 2" in said
    assert "motion.reference_temperature" in said
    molten = dataclasses.replace(trial, intact=np.full(5, 0.3))
    found = answers(one, models, Standard(said="aimd.extxyz", trials=[molten]))
    assert "melts at 300 K" in found.unanswered[0]


def test_what_could_not_be_checked_is_said(tmp_path):
    bare = altered(_shuffle)
    for one in bare:
        del one.arrays["momenta"]
    [trial] = read_reference(written(tmp_path, bare), ONE)
    models = {"base": [trembling(0)], "adapted": [trembling(1)]}
    found = answers(ONE, models, Standard(said="aimd.extxyz", trials=[trial]))
    text = " ".join(found.unanswered)
    assert "was not checked" in text
    assert "its frames have no momenta" in text
    assert "crystalline in the crystal at 300 K was not checked" in text
    assert "its atoms cannot be followed" in text
    assert "atoms change places between two" in text


def test_a_reference_takes_no_selection(tmp_path):
    path = written(tmp_path, frames()).reference
    subject = Subject(
        files=(), structures=(SILICON,), elements={14}, base=PRESETS["pair:sw-si"]()
    )
    with pytest.raises(BadInputError, match="takes no selection"):
        MotionSuite(subject, MotionOptions(reference=f"{path}@0:20"))


def test_rigid_molecules_may_be_the_reference(tmp_path):
    path = tmp_path / "rigid.traj"
    write(path, _held(FixBondLengths([[0, 1]])))
    [trial] = read_reference(MotionOptions(reference=str(path)), ONE)
    assert [len(one) for one in trial.frames] == [4] * 5
