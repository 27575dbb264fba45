"""``init`` writes a file that its verb reads; ``schema`` knows every kind."""

import json

import pytest
import yaml

from atomgraft.cli.kinds import KINDS
from atomgraft.core.errors import BadInputError
from atomgraft.phonons.spec import PhononSpec


def run(monkeypatch, capsys, *words):
    from atomgraft.cli.main import main

    monkeypatch.setattr("sys.argv", ["atomgraft", *map(str, words)])
    with pytest.raises(SystemExit) as caught:
        main()
    return caught.value.code, capsys.readouterr()


@pytest.mark.parametrize("kind", KINDS)
def test_it_writes_a_file_and_keeps_one_that_is_there(
    kind, tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    assert run(monkeypatch, capsys, "init", kind)[0] == 0
    path = tmp_path / f"{kind}.yaml"
    text = path.read_text()
    KINDS[kind].spec.model_validate(yaml.safe_load(text))
    path.write_text("mine")
    assert run(monkeypatch, capsys, "init", kind)[0] == 2
    assert path.read_text() == "mine"
    assert run(monkeypatch, capsys, "init", kind, "--overwrite")[0] == 0
    assert path.read_text() == text
    assert run(monkeypatch, capsys, "init", kind, "--out", "other.yaml")[0] == 0
    assert (tmp_path / "other.yaml").read_text() == text.replace(
        f"{kind}.yaml", "other.yaml"
    )


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_has_a_schema(kind, monkeypatch, capsys):
    code, said = run(monkeypatch, capsys, "schema", kind)
    assert code == 0
    assert set(json.loads(said.out)["properties"]) == set(KINDS[kind].spec.model_fields)


@pytest.mark.parametrize("verb", ["schema", "init"])
def test_another_kind_is_refused(verb, monkeypatch, capsys):
    code, said = run(monkeypatch, capsys, verb, "poem")
    assert code == 2
    assert "Known: run, compare, fidelity, budget, campaign" in said.err


def test_typed_options_win_over_the_file(tmp_path, monkeypatch, capsys):
    asked = {}

    def stop(spec, *_, **__):
        asked["spec"] = spec
        raise BadInputError("Stopped.", "It is known.", "Go on.")

    monkeypatch.setattr("atomgraft.phonons.work.compute_phonons", stop)
    path = tmp_path / "phonons.yaml"
    path.write_text("crystal: other\nlength: 9.0\nmesh: [3, 3, 3]\nsymprec: 1.0e-3\n")
    words = ["POSCAR", "--model", "pair:sw-si", "--spec", path, "--mesh", "20"]
    run(monkeypatch, capsys, "phonons", *words)
    assert asked["spec"] == PhononSpec(
        crystal="POSCAR", models=("pair:sw-si",), length=9.0, symprec=1e-3
    )
    path.write_text("- 3\n")
    code, said = run(monkeypatch, capsys, "phonons", *words)
    assert code == 2
    assert "holds list where settings are needed" in said.err
