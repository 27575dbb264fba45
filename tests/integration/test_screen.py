"""From a folder of structures and a predictor to a ranked list."""

import csv
import json
import sys

import numpy as np
import pytest
from ase.build import bulk
from ase.io import write

import atomgraft as ag
from atomgraft.cli import main
from atomgraft.core.errors import BadInputError
from atomgraft.transport.features.cache import FeatureCache
from atomgraft.transport.screening.record import SCREEN
from atomgraft.transport.screening.work import formula_of
from tests.mixed_salts import rock_salt_cif

pytest.importorskip("pymatgen", reason="needs the extra transport")
pytest.importorskip("sklearn", reason="needs the extra transport")
pytest.importorskip("gemmi", reason="needs the extra transport")

HALF = rock_salt_cif(
    ("Li1 Li 0 0 0 1", "Cl1 Cl 0.5 0.5 0.5 0.5", "Br1 Br 0.5 0.5 0.5 0.5"), a=5.2
)


def salt(ion, other, a):
    return bulk(f"{ion}{other}", "rocksalt", a=a, cubic=True)


@pytest.fixture(scope="module")
def place(few_trees, tmp_path_factory):
    """A predictor of the volume of lithium salts, and structures in a folder."""
    folder = tmp_path_factory.mktemp("screen")
    known = []
    for k, other in enumerate(["F", "Cl", "Br", "I"] * 4):
        atoms = salt("Li", other, 4.0 + 0.1 * k)
        atoms.info = {"name": f"k{k}", "room": atoms.cell.volume / 8, "batch": f"b{k}"}
        known.append(atoms)
    write(folder / "known.extxyz", known, format="extxyz")
    ag.distil(
        folder / "known.extxyz",
        "room",
        "Li",
        group=["batch"],
        methods=["ridge"],
        features=["composition", "packing", "pathways"],
        folds=4,
        out=folder / "predictor",
        progress=False,
    )
    cifs = folder / "cifs"
    cifs.mkdir()
    for k, other in enumerate(["F", "Cl", "Br"]):
        write(cifs / f"{other}.cif", salt("Li", other, 4.3 + 0.3 * k))
    write(cifs / "sodium.cif", salt("Na", "Cl", 5.6))
    write(cifs / "POSCAR", salt("Li", "H", 4.1), format="vasp")
    (cifs / "half.cif").write_text(HALF)
    (cifs / "broken.cif").write_text("data_nothing\n")
    (cifs / "notes.txt").write_text("not a structure")
    return folder


def screened(place, out, **more):
    return ag.screen(
        place / "cifs", place / "predictor", out=out, progress=False, **more
    )


def test_structures_are_ranked_and_the_rest_is_counted(place, tmp_path):
    found = screened(place, tmp_path / "out")
    result = found.result
    assert len(result.ranked) == 5
    told = [one.predicted for one in result.ranked]
    assert told == sorted(told, reverse=True)
    names = [one.name.rpartition("/")[2] for one in result.ranked]
    known = [one for one in names if one.startswith(("F", "Cl", "Br"))]
    assert [one[:2] for one in known] == ["Br", "Cl", "F."]
    [hydride] = [one for one in result.ranked if "POSCAR" in one.name]
    assert hydride.unseen == ("H",)
    [mixed] = [one for one in result.ranked if one.is_disordered]
    assert mixed.formula == "Li2BrCl"
    counted = {one.reason: one.n for one in result.left_out}
    assert sum(counted.values()) == 3
    assert counted["it does not contain the mobile ion"] == 1
    assert "Ranked" in found.page.read_text()


def test_the_list_is_written_whole(place, tmp_path):
    found = screened(place, tmp_path / "out")
    with (tmp_path / "out" / "screen.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [one["rank"] for one in rows] == ["1", "2", "3", "4", "5"]
    np.testing.assert_allclose(
        [float(one["predicted"]) for one in rows],
        [one.predicted for one in found.result.ranked],
        rtol=1e-5,
    )


def test_features_are_computed_once(place, tmp_path, monkeypatch):
    first = screened(place, tmp_path / "out")
    assert first.result.n_from_cache == 0
    monkeypatch.setattr(
        "atomgraft.transport.screening.describing.describe",
        lambda *_: pytest.fail("features were computed again"),
    )
    cache = str(tmp_path / "out" / "features")
    again = screened(place, tmp_path / "again", best="lowest", cache=cache)
    assert again.result.n_from_cache == 5
    assert again.result.ranked == first.result.ranked[::-1]


def test_the_same_question_is_asked_again_and_another_is_refused(place, tmp_path):
    first = screened(place, tmp_path / "out")
    again = screened(place, tmp_path / "out")
    assert again.result.ranked == first.result.ranked
    with pytest.raises(BadInputError, match="holds a list from other structures"):
        screened(place, tmp_path / "out", best="lowest")
    stored = SCREEN.read(tmp_path / "out")
    assert stored.is_highest_best


def test_several_processes_may_add_to_one_folder(tmp_path):
    one, two = (FeatureCache(tmp_path / "features") for _ in range(2))
    one.keep("a", np.arange(3.0))
    two.keep("b", np.arange(4.0))
    one.flush()
    two.flush()
    both = FeatureCache(tmp_path / "features")
    assert len(both.get("a")) == 3
    assert len(both.get("b")) == 4


def test_a_damaged_file_of_features_is_computed_again(tmp_path):
    cache = FeatureCache(tmp_path / "features")
    cache.keep("a", np.arange(3.0))
    cache.flush()
    [file] = (tmp_path / "features").glob("*.safetensors")
    file.write_bytes(file.read_bytes()[:-8])
    assert FeatureCache(tmp_path / "features").get("a") is None


def test_the_order_of_files_changes_nothing(place, tmp_path):
    one = screened(place, tmp_path / "one").result
    files = sorted((place / "cifs").iterdir(), reverse=True)
    other = ag.screen(
        [str(path) for path in files if path.suffix == ".cif"],
        place / "predictor",
        out=tmp_path / "other",
        progress=False,
    ).result
    told = {row.name: row.predicted for row in one.ranked}
    for row in other.ranked:
        assert told[row.name] == pytest.approx(row.predicted, abs=1e-12)


def test_a_predictor_of_hops_is_refused(place, tmp_path):
    known = []
    for k in range(12):
        atoms = salt("Li", "F", 4.0 + 0.1 * k)
        path = np.linspace(atoms.positions[0], atoms.positions[0] + [2, 0, 0], 3)
        atoms.info = {"barrier": 0.1 * k, "hop_atom": 0, "hop_path": path.ravel()}
        atoms.info["batch"] = f"b{k}"
        known.append(atoms)
    write(tmp_path / "hops.extxyz", known, format="extxyz")
    ag.distil(
        tmp_path / "hops.extxyz",
        "barrier",
        "Li",
        group=["batch"],
        methods=["ridge"],
        folds=3,
        out=tmp_path / "hops",
        progress=False,
    )
    with pytest.raises(BadInputError, match="a given hop for each structure"):
        ag.screen(place / "cifs", tmp_path / "hops", out=tmp_path / "out")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["cifs", "--predictor", "cifs"], "holds no predictor.json"),
        (["nowhere", "--predictor", "predictor"], "nowhere"),
        (["cifs", "--predictor", "predictor", "--mobile", "Ag"], "contain Ag"),
        (["cifs", "--predictor", "predictor", "--best", "largest"], "highest"),
        (["cifs/notes.txt", "--predictor", "predictor"], "notes.txt"),
    ],
)
def test_wrong_words_get_one_paragraph(place, words, said, monkeypatch, capsys):
    monkeypatch.chdir(place)
    out = ["--out", "bad"]
    monkeypatch.setattr(sys, "argv", ["atomgraft", "screen", *words, *out])
    with pytest.raises(SystemExit) as ended:
        main.main()
    told = capsys.readouterr().err
    assert ended.value.code == 2
    assert said in told
    assert "Traceback" not in told
    assert not (place / "bad" / "screen.json").exists()


def test_json_is_all_that_is_printed(place, tmp_path, monkeypatch, capsys):
    words = ["screen", str(place / "cifs"), "--predictor", str(place / "predictor")]
    words += ["--json", "--out", str(tmp_path / "out")]
    monkeypatch.setattr(sys, "argv", ["atomgraft", *words])
    with pytest.raises(SystemExit) as ended:
        main.main()
    assert not ended.value.code
    assert json.loads(capsys.readouterr().out)["mobile"] == "Li"


def test_formulas_of_broken_amounts():
    assert formula_of({"Li": 6.0, "P": 2.0, "O": 8.0}) == "Li3PO4"
    assert formula_of({"Li": 1.5, "Cl": 1.0}) == "Li1.5Cl"
