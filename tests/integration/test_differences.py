"""Phonopy files of single displacements train as force differences, and say so."""

import numpy as np
import pytest
import torch
import yaml
from safetensors.torch import load_file

from atomgraft.core.errors import BadInputError
from atomgraft.data.exact_files import write_exactly
from atomgraft.data.partners import DISPLACEMENT
from atomgraft.data.readers import read_structures
from atomgraft.run.adapt import adapt
from atomgraft.run.page.record import stream_blocks
from atomgraft.run.spec import parse_spec
from tests.displaced import (
    NAME,
    along,
    displaced,
    forces_at,
    rest,
    symmetric_field,
)
from tests.integration.processes import call, spec_file
from tests.integration.test_resume import SUM_ORDER, torchrun
from tests.trials import NEEDS_SEVENN, Listener

HARDER = 1.5
"""Times the potential's own response: something is to be learned."""


def phonopy_file(path, displacements, harder=HARDER, at_rest=1.0):
    """Write displacements of one atom with labels that have forces at rest."""
    atoms = rest()
    points = [
        {"symbol": "Ar", "coordinates": place.tolist()}
        for place in atoms.get_scaled_positions(wrap=False)
    ]
    entries = []
    for u in displacements:
        response = (forces_at(u) - forces_at(-u)) / 2
        i = int(np.abs(u).sum(1).argmax())
        forces = harder * response + at_rest * symmetric_field()
        entries.append(
            {"atom": i + 1, "displacement": u[i].tolist(), "forces": forces.tolist()}
        )
    supercell = {"lattice": atoms.cell.array.tolist(), "points": points}
    path.write_text(yaml.safe_dump({"supercell": supercell, "displacements": entries}))
    return str(path)


def spec(files, **training):
    given = {"steps": 20, "batch_size": 1} | training
    return parse_spec(
        {
            "base": NAME,
            "train": files,
            "recipe": "full",
            "learning_rate": 0.02,
            "dtype": "float64",
            "training": given,
        },
        "test",
    )


@pytest.fixture
def file(tmp_path):
    moves = [along(0), along(2), -along(2)]
    return phonopy_file(tmp_path / "phonopy.yaml", moves)


def test_a_phonopy_file_trains_on_responses(file, tmp_path):
    listener = Listener()
    result = adapt(spec(file), tmp_path / "run", observer=listener)
    losses = [record["loss"] for record in listener.records]
    assert np.mean(losses[-3:]) < 0.5 * np.mean(losses[:3])
    [record] = result.differences
    assert (record.n_opposite, record.n_by_symmetry, record.n_plain) == (2, 1, 0)
    assert any("train as force differences" in one for one in listener.notices)
    texts = [getattr(block, "text", "") for block in stream_blocks(result)]
    assert any("Force differences (train): 3 of 3 structures" in one for one in texts)


@pytest.mark.parametrize(("mode", "is_content"), [("auto", True), ("never", False)])
def test_only_responses_count(mode, is_content, tmp_path):
    file = phonopy_file(tmp_path / "phonopy.yaml", [along(0)], harder=1.0)
    listener = Listener()
    result = adapt(
        spec(file, steps=1, differences=mode), tmp_path / "run", observer=listener
    )
    assert (listener.records[0]["loss"] < 1e-4) == is_content
    assert bool(result.differences) == is_content
    said = any("force differences" in one for one in listener.notices)
    assert said == is_content


def test_what_is_required_is_refused_before_anything_is_written(file, tmp_path):
    with pytest.raises(BadInputError, match="1 of 1 structures have no partner"):
        adapt(spec(f"{file}@1", differences="required"), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_run_is_not_gone_on_with_in_another_way(file, tmp_path):
    adapt(spec(file, steps=2), tmp_path / "run")
    with pytest.raises(BadInputError, match="a different spec"):
        adapt(spec(file, steps=2, differences="never"), tmp_path / "run")


class Impatient(Listener):
    """Ends a run in the middle, as a crash would."""

    def on_step(self, record):
        super().on_step(record)
        if record["step"] == 4:
            raise KeyboardInterrupt


def test_a_run_that_broke_off_goes_on_to_the_same_bits(file, tmp_path):
    run = spec(file, steps=6, checkpoint_every=2)
    whole = adapt(run, tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        adapt(run, tmp_path / "broken", observer=Impatient())
    listener = Listener()
    again = adapt(run, tmp_path / "broken", observer=listener)
    assert listener.starts == [2]
    assert [one.loss for one in whole.training.curve] == [
        one.loss for one in again.training.curve
    ]


def test_validation_tells_force_differences_apart(file, tmp_path):
    other = phonopy_file(tmp_path / "other.yaml", [along(1, atom=4)])
    run = spec(file, steps=2).model_copy(update={"validation": (other,)})
    result = adapt(run, tmp_path / "run")
    assert set(result.training.curve[-1].validation) == {"force_differences"}
    roles = [one.role for one in result.differences]
    assert roles == ["train", "validation"]


@pytest.mark.parametrize("mode", ["auto", "required"])
def test_validation_that_is_split_off_is_judged_by_differences(mode, tmp_path):
    """The cell at rest, that all others need, serves on both sides."""
    moves = [along(2, atom) for atom in range(12)]
    frames = [
        displaced(u, forces=forces_at(u) + symmetric_field())
        for u in (0 * along(2), *moves)
    ]
    path = tmp_path / "train.extxyz"
    write_exactly(path, frames)
    run = spec(str(path), steps=2, differences=mode)
    listener = Listener()
    result = adapt(
        run.model_copy(update={"validation_fraction": 0.25}),
        tmp_path / "run",
        observer=listener,
    )
    by_role = {one.role: one for one in result.differences}
    assert by_role["validation"].n_undisplaced == 3
    assert by_role["train"].n_undisplaced == 9
    assert by_role["validation"].n_plain == by_role["train"].n_plain == 0
    assert set(result.training.curve[-1].validation) == {"force_differences"}
    assert not any("do not agree" in one for one in listener.notices)


def test_forces_at_rest_are_no_reason_for_a_warning(tmp_path):
    """Negative control: forces that say nothing of a displacement give one."""
    file = phonopy_file(tmp_path / "phonopy.yaml", [along(2), -along(2)], at_rest=-4.0)
    listener = Listener()
    adapt(spec(file, steps=1), tmp_path / "run", observer=listener)
    assert not any("do not agree" in one for one in listener.notices)
    file = phonopy_file(tmp_path / "other.yaml", [along(2), -along(2)], at_rest=0.0)
    bare = read_structures([file])
    for atoms in bare:
        del atoms.arrays[DISPLACEMENT]
    write_exactly(tmp_path / "bare.extxyz", bare)
    run = spec(str(tmp_path / "bare.extxyz"), steps=1)
    with pytest.raises(BadInputError, match="do not agree"):
        adapt(run, tmp_path / "bare")


@pytest.mark.slow
def test_two_processes_with_partners_are_one_with_twice_the_batch(file, tmp_path):
    """Each process brings the partners of its own frames along."""
    out = {}
    for n_processes, batch_size in ((1, 2), (2, 1)):
        folder = tmp_path / str(n_processes)
        folder.mkdir()
        plan = {"steps": 5, "batch_size": batch_size}
        given = {"base": NAME, "train": file, "validation": [], "dtype": "float64"}
        run = spec_file(folder, **given, training=plan)
        out[n_processes] = folder / "run"
        if n_processes == 1:
            code, _, errors = call("adapt", run, "--out", out[1])
            assert code == 0, errors
        else:
            ended = torchrun(run, out[2])
            assert ended.returncode == 0, ended.stderr
    one, two = (load_file(path / "graft.safetensors") for path in out.values())
    for name, tensor in one.items():
        assert torch.allclose(two[name], tensor, rtol=SUM_ORDER, atol=SUM_ORDER)


@NEEDS_SEVENN
def test_public_displacements_train_as_differences(shared_data, tmp_path):
    file = shared_data / "phonons" / "phonondb" / "mp-1265-Mg4O4.yaml.xz"
    given = spec(str(file), steps=2).model_dump(mode="json", exclude={"axes"})
    listener = Listener()
    run = parse_spec({**given, "base": "sevennet:tiny:Mg,O", "dtype": "float32"}, "t")
    result = adapt(run, tmp_path / "run", observer=listener)
    assert result.differences[0].n_by_symmetry == 2
    assert result.reference.was_refitted is False
    assert all(np.isfinite(record["loss"]) for record in listener.records)
