"""From files of known materials to a predictor, as a user gets there."""

import csv
import json
import sys

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ase.io import write

import atomgraft as ag
from atomgraft.cli import main
from atomgraft.core.errors import BadInputError
from atomgraft.transport.distil.materials import amounts_of, collected, groups_of
from atomgraft.transport.distil.spec import DistilSpec

pytest.importorskip("pymatgen", reason="needs the extra transport")
pytest.importorskip("sklearn", reason="needs the extra transport")

FAST = ("ridge",)
SALTS = [(ion, other) for ion in ("Li", "Na", "K") for other in ("F", "Cl", "Br", "I")]


def barrier(atoms: Atoms) -> float:
    """Return a made-up barrier that follows the volume."""
    return 3.0 - 0.01 * atoms.cell.volume


def frames() -> list[Atoms]:
    made = []
    for k, (ion, other) in enumerate(SALTS * 2):
        a = 4.5 + 0.15 * (k % 12) + 0.02 * (k // 12)
        atoms = bulk(f"{ion}{other}", "rocksalt", a=a, cubic=True)
        end = atoms.positions[0] + [a / 2, a / 2, 0.0]
        path = np.linspace(atoms.positions[0], end, 3)
        atoms.info = {
            "name": f"{ion}{other}-{k}",
            "barrier": barrier(atoms),
            "ion": ion,
            "hop_atom": 0,
            "hop_path": path.ravel(),
        }
        made.append(atoms)
    return made


@pytest.fixture(scope="module")
def finished(few_trees, tmp_path_factory):
    """A result from frames with hops, made once."""
    folder = tmp_path_factory.mktemp("distil")
    made = frames()
    write(folder / "train.extxyz", made[:20], format="extxyz")
    write(folder / "test.extxyz", made[20:], format="extxyz")
    found = ag.distil(
        folder / "train.extxyz",
        "barrier",
        "ion",
        test=[str(folder / "test.extxyz")],
        unit="eV",
        methods=FAST,
        folds=4,
        out=folder / "out",
        progress=False,
    )
    return folder, found


def test_a_predictor_is_chosen_and_stored(finished):
    folder, found = finished
    result = found.result
    assert result.n_materials == 20
    assert result.n_groups == 12
    errors = [one.validation.mean for one in result.methods]
    assert errors == sorted(errors)
    assert result.chosen == result.methods[0].name
    assert {one.name for one in result.methods} >= {"constant", "ridge"}
    constant = next(one for one in result.methods if one.name == "constant")
    assert result.methods[0].test.mean < 0.5 * constant.test.mean
    assert {"predictor.json", "predictor.safetensors", "distil.json"} <= {
        one.name for one in (folder / "out").iterdir()
    }
    assert "barrier" in found.page.read_text()
    assert len(found.to_frame()) == 24
    assert "error in validation" in found._repr_html_()


def test_the_same_call_returns_what_is_there(finished):
    folder, found = finished
    again = ag.distil(
        folder / "train.extxyz",
        "barrier",
        "ion",
        test=[str(folder / "test.extxyz")],
        unit="eV",
        methods=FAST,
        folds=4,
        out=folder / "out",
        progress=False,
    )
    assert again.result == found.result


def test_another_question_needs_another_folder(finished):
    folder, _ = finished
    with pytest.raises(BadInputError, match="other materials or settings"):
        ag.distil(
            folder / "train.extxyz", "barrier", "ion", out=folder / "out", folds=3
        )


def test_a_test_that_was_learned_is_refused(finished, tmp_path):
    folder, _ = finished
    with pytest.raises(BadInputError, match="20 test materials are learned from"):
        ag.distil(
            folder / "train.extxyz",
            "barrier",
            "ion",
            test=[str(folder / "train.extxyz")],
            out=tmp_path / "out",
        )


def typed(words, monkeypatch, capsys):
    """Call the command line; return exit code, standard output and error."""
    monkeypatch.setattr(sys, "argv", ["atomgraft", *words])
    with pytest.raises(SystemExit) as ended:
        main.main()
    printed = capsys.readouterr()
    return ended.value.code, printed.out, printed.err


def rows() -> list[dict[str, str]]:
    made = []
    for k, (ion, other) in enumerate(SALTS):
        value = f"{10.0 ** -(3 + k % 5):g}"
        made.append(
            {
                "ID": f"m{k}",
                "formula": f"{ion}1.0{other}1.0",
                "conductivity": f"<{value}" if k == 3 else value,
                "paper": f"doi-{k // 2}",
                "sg": "225",
            }
        )
    made.append({**made[0], "ID": "odd", "conductivity": "high"})
    made.append({**made[0], "ID": "bare", "formula": "MgO"})
    return made


def table(path, found) -> None:
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, [*found[0]])
        writer.writeheader()
        writer.writerows(found)


def spec(path, **more) -> DistilSpec:
    given = {
        "materials": [str(path)],
        "target": "conductivity",
        "mobile": "Li",
        "name": "ID",
        "composition": "formula",
        "group": ["paper"],
        "decades": True,
    }
    return DistilSpec.model_validate(given | more)


def test_a_table_is_read_with_limits_and_reasons(tmp_path):
    table(tmp_path / "t.csv", rows())
    (tmp_path / "cifs").mkdir()
    write(tmp_path / "cifs" / "m0.cif", bulk("LiF", "rocksalt", a=4.0, cubic=True))
    asked = spec(tmp_path / "t.csv", structures="cifs/{ID}.cif", space_group="sg")
    found = collected(asked.materials, asked)
    assert [one.material.name for one in found.known] == ["m0", "m1", "m2", "m3"]
    assert [one.value for one in found.known] == pytest.approx([-3, -4, -5, -6])
    assert [one.is_limit for one in found.known] == [False, False, False, True]
    assert [len(one.material.structures) for one in found.known] == [1, 0, 0, 0]
    assert {one.material.space_group for one in found.known} == {225}
    assert found.left_out["odd"] == "conductivity is 'high', no number"
    assert found.left_out["bare"] == "it has no Li"
    assert groups_of(found.known).tolist() == [0, 0, 1, 1]


def test_groups_are_joined_through_others(tmp_path):
    made = rows()[:4]
    for one, paper, family in zip(
        made, ("a", "b", "b", "c"), ("x", "x", "", ""), strict=True
    ):
        one |= {"paper": paper, "family": family}
    table(tmp_path / "t.csv", made)
    asked = spec(tmp_path / "t.csv", group=["paper", "family"])
    # a and b share a family; rows without a family share nothing
    assert groups_of(collected(asked.materials, asked).known).tolist() == [0, 0, 0, 1]


def test_formulas_with_decimals_and_nonsense(tmp_path):
    assert amounts_of("Li6.5La3Zr1.5Ta0.5O12")["Zr"] == 1.5
    assert amounts_of("Ca(OH)2") == {"Ca": 1.0, "O": 2.0, "H": 2.0}
    made = [{**rows()[0], "formula": "??"}]
    table(tmp_path / "t.csv", made)
    asked = spec(tmp_path / "t.csv")
    with pytest.raises(BadInputError, match="is no formula"):
        collected(asked.materials, asked)


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (["--target", "conductance"], "column of"),
        (["--group", "DOI"], "paper"),
        (["--method", "forrest"], "method"),
        (["--structures", "cifs/{id}.cif"], "in braces"),
        (["--mobile", "Ag"], "it has no Ag"),
        (["--folds", "1"], "folds"),
    ],
)
def test_wrong_words_get_one_paragraph(tmp_path, more, said, monkeypatch, capsys):
    table(tmp_path / "t.csv", rows())
    words = ["distil", str(tmp_path / "t.csv"), "--target", "conductivity"]
    words += ["--mobile", "Li", "--out", str(tmp_path / "out"), *more]
    settings = tmp_path / "s.yaml"
    settings.write_text("composition: formula\nname: ID\n")
    code, _, told = typed([*words, "--spec", str(settings)], monkeypatch, capsys)
    assert code == 2
    assert said in told
    assert "Traceback" not in told
    assert not (tmp_path / "out").exists()


@pytest.mark.usefixtures("few_trees")
def test_json_is_all_that_is_printed(tmp_path, monkeypatch, capsys):
    made = frames()[:14]
    write(tmp_path / "train.extxyz", made, format="extxyz")
    words = ["distil", str(tmp_path / "train.extxyz"), "--target", "barrier"]
    words += ["--mobile", "ion", "--folds", "3", "--method", "ridge", "--json"]
    words += ["--out", str(tmp_path / "out")]
    code, printed, told = typed(words, monkeypatch, capsys)
    assert not code, told
    assert json.loads(printed)["target"] == "barrier"
