"""Trajectories of other programs come back as they were, and cross boundaries."""

import numpy as np
import pytest
from ase import units
from ase.build import bulk
from ase.io import write

from atomgraft.core.errors import BadInputError
from atomgraft.dynamics.trajectories import read_trajectory, unwrapped

PRINTED = 1e-5
"""Å; digits of the formats."""

WRITERS = {"run.extxyz": "extxyz", "run.traj": "traj", "XDATCAR": "vasp-xdatcar"}


def drifting(n_frames=12, cell_growth=0.0):
    """Return frames of a crystal that moves by more than its cell, and wraps."""
    rng = np.random.default_rng(0)
    atoms = bulk("NaCl", "rocksalt", a=5.6, cubic=True)
    truth, frames = [atoms.positions.copy()], [atoms]
    for i in range(1, n_frames):
        cell = atoms.cell.array * (1 + cell_growth * i)
        fractions = np.linalg.solve(frames[-1].cell.array.T, truth[-1].T).T
        truth.append(fractions @ cell + [0.9, 0, -0.3] + rng.normal(0, 0.1, (8, 3)))
        now = atoms.copy()
        now.set_cell(cell)
        now.positions = truth[-1]
        now.wrap()
        frames.append(now)
    return frames, np.array(truth)


def dump(frames, columns):
    """Write frames as LAMMPS does."""
    text = ""
    for i, one in enumerate(frames):
        text += f"ITEM: TIMESTEP\n{i}\nITEM: NUMBER OF ATOMS\n{len(one)}\n"
        text += "ITEM: BOX BOUNDS pp pp pp\n"
        text += "".join(f"0.0 {length:.8f}\n" for length in one.cell.lengths())
        text += f"ITEM: ATOMS id {columns} x y z\n"
        for k, atom in enumerate(one, start=1):
            kind = {"Na": 1, "Cl": 2}[atom.symbol]
            what = kind if columns == "type" else f"{kind} {atom.symbol}"
            text += f"{k} {what} " + " ".join(f"{x:.8f}" for x in atom.position) + "\n"
    return text


@pytest.mark.parametrize("name", WRITERS)
def test_formats_come_back(name, tmp_path):
    frames, truth = drifting()
    write(tmp_path / name, frames, format=WRITERS[name])
    found = read_trajectory(tmp_path / name)
    assert len(found) == len(frames)
    assert (found[0].numbers == frames[0].numbers).all()
    paths = unwrapped(found)
    assert np.abs((paths - paths[0]) - (truth - truth[0])).max() < PRINTED


@pytest.mark.parametrize(
    ("columns", "elements"), [("type element", None), ("type", ["Na", "Cl"])]
)
def test_dumps_of_lammps_come_back(columns, elements, tmp_path):
    frames, truth = drifting()
    path = tmp_path / "run.lammpstrj"
    path.write_text(dump(frames, columns))
    found = read_trajectory(path, elements=elements)
    assert (found[0].numbers == frames[0].numbers).all()
    assert np.abs(unwrapped(found) - unwrapped(found)[0] - truth + truth[0]).max() < (
        PRINTED
    )


def test_velocities_are_those_of_the_dump_whatever_the_types(tmp_path):
    """ASE takes type 1 for hydrogen when it makes momenta of them."""
    frames, _ = drifting(2)
    text = dump(frames, "type").replace(" x y z", " x y z vx vy vz")
    lines = text.splitlines()
    lines = [f"{one} 0.5 0 -1" if len(one.split()) == 5 else one for one in lines]
    path = tmp_path / "run.dump"
    path.write_text("\n".join(lines))
    found = read_trajectory(path, elements=["Na", "Cl"])
    per_ps = found[-1].get_velocities() * 1000 * units.fs
    assert per_ps == pytest.approx(np.tile([0.5, 0.0, -1.0], (8, 1)))


def test_atoms_are_followed_through_a_cell_that_changes():
    frames, truth = drifting(cell_growth=0.01)
    assert np.abs(unwrapped(frames) - truth).max() < 1e-9


def test_what_is_unwrapped_stays():
    frames, truth = drifting()
    for one, positions in zip(frames, truth, strict=True):
        one.positions = positions
    assert np.abs(unwrapped(frames) - truth).max() < 1e-12


def test_open_directions_have_no_images():
    frames, _ = drifting()
    for one in frames:
        one.pbc = [False, True, True]
    assert (unwrapped(frames)[:, :, 0] == [one.positions[:, 0] for one in frames]).all()


@pytest.mark.parametrize(
    ("name", "text", "elements", "said"),
    [
        ("run.cube", "", None, "no known trajectory format"),
        ("run.traj", "rubbish", None, "cannot be read as traj"),
        ("run.extxyz", "rubbish", None, "cannot be read as extxyz"),
        ("XDATCAR", "", None, "is empty"),
        ("XDATCAR", "rubbish", None, "holds no frames"),
        ("run.dump", dump(drifting(2)[0], "type"), None, "names no elements"),
        ("run.dump", dump(drifting(2)[0], "type"), ["Na"], "atom types up to 2"),
        ("run.dump", dump(drifting(2)[0], "type"), ["Na", "Xx"], "Xx is no chemical"),
        (
            "run.dump",
            dump(drifting(2)[0], "type").replace("\n1 1 ", "\n1 0 "),
            ["Na", "Cl"],
            "an atom of type 0",
        ),
        (
            "run.dump",
            dump(drifting(2)[0], "type").replace("ATOMS id", "ATOMS mol"),
            ["Na", "Cl"],
            "no column id",
        ),
        ("run.extxyz", "1\n\nH 0 0 0\n", ["H"], "contains its elements"),
        ("run.extxyz", "1\n\nH 0 0 0\n1\n\nO 0 0 0\n", None, "Frame 1 of"),
    ],
)
def test_bad_input_is_told(name, text, elements, said, tmp_path):
    (tmp_path / name).write_text(text)
    with pytest.raises(BadInputError, match=said):
        read_trajectory(tmp_path / name, elements=elements)


def broken(frames, what):
    """Return the frames with one that no potential could see."""
    found = [one.copy() for one in frames]
    if what == "nan":
        found[7].positions[3] = np.nan
    elif what == "far":
        found[7].positions[3] = [1e12, 0, 0]
    elif what == "no cell":
        found[7].set_cell(np.zeros((3, 3)))
    elif what == "flat":
        found[7].set_cell([[5.6, 0, 0], [5.6, 0, 0], [0, 0, 5.6]])
    elif what == "momenta":
        found[7].set_momenta(np.full((8, 3), np.nan))
    return found


BROKEN = {
    "nan": "Frame 7 of .*: position 3 is",
    "far": "Frame 7 of .*: position 3 is",
    "no cell": "Frame 7 of .* has no cell",
    "flat": "Frame 7 of .* has a singular cell",
    "momenta": "Frame 7 of .* has momenta that are not finite",
}


@pytest.mark.parametrize("what", BROKEN)
def test_a_broken_frame_is_named(what, tmp_path):
    frames = broken(drifting()[0], what)
    write(tmp_path / "run.traj", frames)
    with pytest.raises(BadInputError, match=BROKEN[what]):
        read_trajectory(tmp_path / "run.traj")
    with pytest.raises(BadInputError, match=BROKEN[what]):
        unwrapped(frames)
