"""Reading, unwrapping and drift, and everything that is refused."""

import ase.io
import numpy as np
import pytest
from ase import Atoms

from atomgraft.core.errors import BadInputError
from atomgraft.transport.diffusivity.motion import motion_of, read_motion
from atomgraft.transport.diffusivity.spec import DiffusivitySpec
from tests.hopping import SPACING, crystal, hops


def spec_of(*files, **changes):
    values = {"files": files or ("a",), "mobile": ("Li",), "temperature": (600.0,)}
    return DiffusivitySpec(**({"step": (100.0,)} | values | changes))


def motion(frames, spec=None):
    return motion_of(
        frames, spec or spec_of(), step=0.1, temperature=600.0, place="run"
    )


def test_hops_across_boundaries_are_followed():
    frames = crystal(200, rate=0.01, vibration=0.0, seed=1)
    found = motion(frames)
    expected = hops(200, 30, rate=0.01, seed=1)
    paths = found.of("Li")
    assert paths - paths[0] == pytest.approx(expected, abs=1e-9)
    assert np.abs(expected).max() > 1.2 * SPACING


def test_drift_of_the_whole_crystal_is_no_motion():
    still = motion(crystal(200, rate=0.0, vibration=0.0, drift=0.1))
    assert still.of("Li") == pytest.approx(still.of("Li")[:1].repeat(200, axis=0))
    assert still.drift == pytest.approx(0.1 * 199)
    assert still.has_framework


def test_the_reference_is_the_framework_and_not_all_atoms():
    """Ions that all move the same way move against the framework."""
    frames = crystal(100, rate=0.0, vibration=0.0)
    for i, atoms in enumerate(frames):
        atoms.positions[:30, 0] += 0.05 * i
    found = motion(frames)
    assert (found.of("Li")[-1] - found.of("Li")[0])[:, 0] == pytest.approx(0.05 * 99)
    assert found.drift == pytest.approx(0.0, abs=1e-9)


def test_without_a_framework_the_reference_is_all_atoms():
    frames = [Atoms("Li8", atoms.positions[:8], cell=atoms.cell, pbc=True)
              for atoms in crystal(100, rate=0.01, seed=2)]  # fmt: skip
    found = motion(frames)
    assert not found.has_framework
    assert found.positions.mean(axis=1) == pytest.approx(
        found.positions.mean(axis=1)[:1].repeat(100, axis=0)
    )


def test_a_breathing_cell_adds_no_motion():
    still = motion(crystal(200, rate=0.0, vibration=0.0, breathing=0.01))
    paths = still.of("Li")
    assert paths - paths[0] == pytest.approx(np.zeros_like(paths), abs=1e-6)
    assert 0.02 < still.volume_change < 0.04


@pytest.mark.parametrize(
    ("name", "form"),
    [("XDATCAR", "vasp-xdatcar"), ("run.extxyz", "extxyz"), ("run.traj", "traj")],
)
def test_every_format_gives_the_same_motion(name, form, tmp_path):
    frames = crystal(60, rate=0.01, seed=3)
    ase.io.write(tmp_path / name, frames, format=form)
    found = read_motion(spec_of(str(tmp_path / name)), 0)
    assert found.positions == pytest.approx(motion(frames).positions, abs=1e-4)
    assert found.step == pytest.approx(0.1)
    assert found.volume == pytest.approx((5 * SPACING) ** 3, rel=1e-6)


def dump_of(frames):
    """Return a text dump of LAMMPS that numbers its types."""
    lines = []
    for i, atoms in enumerate(frames):
        length = atoms.cell[0, 0]
        box = [f"0 {length}"] * 3
        head = ["ITEM: TIMESTEP", i, "ITEM: NUMBER OF ATOMS", len(atoms)]
        lines += [*head, "ITEM: BOX BOUNDS pp pp pp", *box, "ITEM: ATOMS id type x y z"]
        for j, one in enumerate(atoms):
            x, y, z = one.position
            lines.append(f"{j + 1} {1 if one.symbol == 'Li' else 2} {x} {y} {z}")
    return "\n".join(map(str, lines)) + "\n"


def test_a_dump_of_lammps_needs_its_elements(tmp_path):
    frames = crystal(60, rate=0.01, seed=4)
    path = tmp_path / "run.lammpstrj"
    path.write_text(dump_of(frames))
    found = read_motion(spec_of(str(path), elements=("Li", "O")), 0)
    assert found.positions == pytest.approx(motion(frames).positions, abs=1e-6)
    with pytest.raises(BadInputError, match="names no elements"):
        read_motion(spec_of(str(path)), 0)


def written(tmp_path, frames, gaps=100.0):
    times = np.cumsum(np.broadcast_to(gaps, len(frames)))
    for atoms, time in zip(frames, times, strict=True):
        atoms.info["time"] = float(time)
    path = tmp_path / "timed.extxyz"
    ase.io.write(path, frames)
    return str(path)


def test_the_times_of_the_frames_are_used_and_others_told_of(tmp_path):
    path = written(tmp_path, crystal(60))
    own = read_motion(spec_of(path, step=()), 0)
    assert own.step == pytest.approx(0.1)
    assert not own.notes
    other = read_motion(spec_of(path, step=(50.0,)), 0)
    assert other.step == pytest.approx(0.05)
    assert "--step is 50 fs" in other.notes[0]


def test_frames_that_are_not_evenly_spaced_are_refused(tmp_path):
    gaps = np.full(60, 100.0)
    gaps[30] = 300.0
    with pytest.raises(BadInputError, match="not evenly spaced"):
        read_motion(spec_of(written(tmp_path, crystal(60), gaps), step=()), 0)


def test_the_beginning_can_be_left_out(tmp_path):
    path = written(tmp_path, crystal(100))
    found = read_motion(spec_of(path, skip=2.0), 0)
    assert found.n_frames == 80
    assert found.length == pytest.approx(7.9)
    with pytest.raises(BadInputError, match=r"20 frames after --skip 8"):
        read_motion(spec_of(path, skip=8.0), 0)


def far():
    return crystal(100, rate=0.0, vibration=2.0)


def growing():
    frames = crystal(100)
    for i, atoms in enumerate(frames):
        atoms.set_cell(atoms.cell * (1 + 0.002 * i), scale_atoms=True)
    return frames


def open_frames():
    return [Atoms(one.symbols, one.positions) for one in crystal(100)]


def broken():
    frames = crystal(100)
    frames[50].positions[3] = np.nan
    return frames


REFUSED = {
    "one frame": (lambda: crystal(1), "has 1 frame"),
    "few frames": (lambda: crystal(20), "at least 50 frames"),
    "too far apart": (far, "--unwrapped"),
    "no mobile ion": (lambda: crystal(100, ion="Na"), "has no Li"),
    "changing cell": (growing, "volume of run changes"),
    "no cell": (open_frames, "no cell that is periodic"),
    "not finite": (broken, "position 3 is [nan, nan, nan]"),
    "changing atoms": (
        lambda: [*crystal(60), *crystal(60, n_ions=29)],
        "Frame 60",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_analysed_is_refused_in_one_paragraph(name):
    make, words = REFUSED[name]
    with pytest.raises(BadInputError) as told:
        motion(make())
    assert words in str(told.value)
    assert "\n" not in str(told.value)


def test_unwrapped_positions_may_move_far():
    frames = crystal(100, rate=0.05, vibration=2.0, is_wrapped=False, seed=5)
    with pytest.raises(BadInputError, match="half the cell"):
        motion(frames)
    found = motion(frames, spec_of(unwrapped=True)).of("Li")
    given = np.array([one.positions[:30] for one in frames])
    moved = np.array([one.positions[30:] for one in frames]).mean(axis=1)
    assert found - found[0] == pytest.approx(
        given - given[0] - (moved - moved[0])[:, None], abs=1e-9
    )
