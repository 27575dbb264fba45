"""Phonopy files of single displacements train as force differences, and say so."""

import numpy as np
import pytest
import yaml

from atomgraft.core.errors import BadInputError
from atomgraft.experiments.adapt import adapt
from atomgraft.experiments.spec import parse_spec
from atomgraft.report.streams import stream_blocks
from tests.displaced import NAME, along, forces_at, rest, symmetric_field
from tests.trials import NEEDS_SEVENN, Listener

HARDER = 1.5
"""Times the potential's own response: something is to be learned."""


def phonopy_file(path, displacements, harder=HARDER):
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
        forces = harder * response + symmetric_field()
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
    with pytest.raises(BadInputError, match="another spec"):
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
