"""Does a readout in closed form learn responses, whatever forces are left at rest?"""

import numpy as np
import pytest
import torch
from ase.build import bulk

from atomgraft.data.exact_files import write_exactly
from atomgraft.data.labels import set_labels
from atomgraft.data.partners import DISPLACEMENT
from atomgraft.models.loading import load_potential
from atomgraft.models.prediction import predict_structures
from atomgraft.run.adapt import adapt
from atomgraft.run.inputs import merged_run
from atomgraft.run.spec import parse_spec
from tests.trials import NEEDS_SEVENN

pytestmark = [NEEDS_SEVENN, pytest.mark.slow]

BASE = "sevennet:tiny:Si"
STEP = 0.02
"""Å"""


def single_displacements():
    """Return a crystal without its symmetry, one atom displaced, and the opposites."""
    crystal = bulk("Si", cubic=True)
    crystal.positions += np.random.default_rng(1).normal(scale=0.1, size=(8, 3))
    frames = []
    for atom, axis in ((0, 0), (1, 1), (5, 2)):
        for sign in (1, -1):
            frame = crystal.copy()
            displacement = np.zeros((8, 3))
            displacement[atom, axis] = sign * STEP
            frame.positions += displacement
            frame.arrays[DISPLACEMENT] = displacement
            frames.append(frame)
    return frames


def taught(folder, rest, responses):
    """Return a readout solved on a stiffer base, with forces at rest on top."""
    frames = single_displacements()
    for frame, one in zip(
        frames, predict_structures(load_potential(BASE), frames), strict=True
    ):
        set_labels(frame, forces=1.3 * one.forces + rest)
    folder.mkdir()
    write_exactly(folder / "frames.extxyz", frames)
    document = {
        "base": BASE,
        "train": str(folder / "frames.extxyz"),
        "recipe": "ridge",
        "dtype": "float64",
        "device": "cpu",
        "validation_fraction": 0,
        "training": {"objective": {"responses": responses}},
    }
    result = adapt(parse_spec(document, "a test"), folder / "run")
    assert result.differences[0].n_opposite == len(frames)
    return merged_run(folder / "run").clone(dtype=torch.float64)


def responses_of(potential):
    """Return the odd part of the forces under the displacements, eV/Å."""
    frames = single_displacements()
    forces = [one.forces for one in predict_structures(potential, frames)]
    return np.array(forces[::2]) - np.array(forces[1::2])


@pytest.mark.parametrize("responses", ["force", "frequency"])
def test_forces_at_rest_change_nothing(tmp_path, responses):
    rest = np.random.default_rng(2).normal(scale=0.5, size=(8, 3))
    plain = responses_of(taught(tmp_path / "plain", 0 * rest, responses))
    moved = responses_of(taught(tmp_path / "moved", rest, responses))
    base = responses_of(load_potential(BASE).clone(dtype=torch.float64))
    wanted = 1.3 * base
    assert np.abs(moved - plain).max() < 1e-6 * np.abs(base).max()
    before, after = (np.linalg.norm(one - wanted) for one in (base, plain))
    assert after < 0.1 * before
