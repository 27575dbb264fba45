"""`label --then`: structures are labelled, and a model is trained on the labels."""

import pytest
import yaml
from ase.build import bulk
from ase.io import write

import atomgraft as ag
from atomgraft.core.errors import BadInputError
from atomgraft.data.readers import read_structures
from atomgraft.run.record import RESULT
from tests.integration.processes import call
from tests.integration.test_label import MODEL, QUICK, done, silicon

pytestmark = pytest.mark.usefixtures("one_cluster")

EMT = "ase:ase.calculators.emt.EMT"

RUN = {"base": "pair:sw-si", "recipe": "full", "training": {"steps": 2}}


def written(out):
    return {
        path: path.read_bytes()
        for path in [*out.glob("cells/*/cell.json"), *out.glob("adapted/graft*")]
    }


def test_both_parts_are_done_once(tmp_path):
    out = tmp_path / "out"
    found = ag.label(silicon(), MODEL, out=out, then=RUN, **QUICK)
    assert found.run is not None
    assert found.run.finished
    assert found.run.folder == out / "adapted"
    assert found.run.result.data[0].n_structures == 3
    before = written(out)
    again = ag.label(silicon(), MODEL, out=out, then=RUN, **QUICK)
    assert again.run is not None
    assert written(out) == before
    with pytest.raises(BadInputError, match="different spec: seed was"):
        ag.label(silicon(), MODEL, out=out, then={**RUN, "seed": 1}, **QUICK)
    with pytest.raises(BadInputError, match="data") as refused:
        ag.label(silicon(4), MODEL, out=out, then=RUN, **QUICK)
    assert "another out=" in refused.value.remedy
    assert len(read_structures([out / "labels.extxyz"])) == 4  # labels are kept
    assert RESULT.read(out / "adapted").finished


def test_what_has_no_label_is_left_out_and_nothing_trains_on_nothing(tmp_path, capsys):
    copper = [bulk("Cu", a=a) for a in (3.5, 3.6)]
    for one in copper:
        one.rattle(0.05, seed=1)
    unknown = bulk("Si")  # which EMT does not know
    asked = {"then": {**RUN, "base": "sevennet:mini:Cu"}, "workers": 1}
    found = ag.label([*copper, unknown], EMT, out=tmp_path / "some", **asked)
    assert [one.status for one in found.result.jobs] == ["done", "done", "failed"]
    assert found.run is not None
    assert found.run.result.data[0].n_structures == 2
    assert "1 structure without labels" in capsys.readouterr().err
    none = ag.label(unknown, EMT, out=tmp_path / "none", **asked)
    assert none.run is None
    assert "no model was trained" in capsys.readouterr().err
    assert not (tmp_path / "none" / "adapted").exists()


def test_a_run_that_cannot_be_is_refused_before_a_structure_is_labelled(tmp_path):
    out = tmp_path / "out"
    for changes, what in (
        ({"recipe": "fll"}, "fll"),
        ({"base": "nowhere.pt"}, "nowhere"),
    ):
        with pytest.raises(BadInputError, match=what):
            ag.label(silicon(), MODEL, out=out, then={**RUN, **changes}, **QUICK)
    assert not out.exists() or not done(out)


@pytest.mark.slow
def test_the_command_line(tmp_path):
    write(tmp_path / "si.extxyz", silicon())
    file = tmp_path / "adapt.yaml"
    file.write_text(yaml.safe_dump({**RUN, "learning_rat": 1}))
    out = tmp_path / "out"
    arguments = (
        *("label", tmp_path / "si.extxyz", "--engine", MODEL, "--workers", 1),
        *("--out", out, "--then", file),
    )
    code, _, said = call(*arguments)
    assert code == 2
    assert "learning_rate" in said
    assert not out.exists()
    file.write_text(yaml.safe_dump(RUN))
    code, printed, _ = call(*arguments, "--dry-run")
    assert code == 0
    assert "Then full from pair:sw-si into" in " ".join((printed + _).split())
    assert not out.exists()
    code, _, said = call(*arguments)
    assert code == 0, said
    assert len(read_structures([out / "labels.extxyz"])) == 3
    assert RESULT.read(out / "adapted").finished
