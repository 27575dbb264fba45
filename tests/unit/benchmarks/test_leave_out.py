"""The benchmarks over many materials: nobody is asked about what it was told."""

import csv
import importlib.util
import json
import statistics
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

FOLDER = Path(__file__).parents[3] / "benchmarks" / "phonons"


def script(name, folder=FOLDER):
    """Return a script as a module; it is no part of the package."""
    spec = importlib.util.spec_from_file_location(name, folder / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


LEAVE_OUT, TEN, OBJECTIVE = map(script, ("leave_out", "ten_structures", "objective"))

FAMILIES = st.lists(st.sampled_from("abcdefghij"), min_size=4, max_size=60).map(
    lambda names: {f"m{i:02d}": name for i, name in enumerate(names)}
)


# --- folds


@given(FAMILIES, st.sampled_from(["family", "mixed"]))
def test_every_material_is_in_one_fold(families, kind):
    folds = LEAVE_OUT.folds_of(families, kind)
    assert len(folds) == LEAVE_OUT.N_FOLDS
    assert sorted(name for fold in folds for name in fold) == sorted(families)


@given(FAMILIES)
def test_a_family_is_never_on_both_sides(families):
    for fold in LEAVE_OUT.folds_of(families, "family"):
        inside = {families[name] for name in fold}
        outside = {families[name] for name in families if name not in fold}
        assert not inside & outside


@given(FAMILIES)
def test_family_folds_differ_by_the_largest_family_at_most(families):
    sizes = [len(fold) for fold in LEAVE_OUT.folds_of(families, "family")]
    largest = max(list(families.values()).count(one) for one in families.values())
    assert max(sizes) - min(sizes) <= largest


@given(FAMILIES)
def test_mixed_folds_spread_every_family(families):
    """Negative control of the folds by family: members are on both sides."""
    folds = LEAVE_OUT.folds_of(families, "mixed")
    sizes = [len(fold) for fold in folds]
    assert max(sizes) - min(sizes) <= 1
    for family in set(families.values()):
        counts = [sum(families[name] == family for name in fold) for fold in folds]
        assert max(counts) - min(counts) <= 1


@given(FAMILIES, st.randoms(use_true_random=False))
def test_the_order_of_files_is_no_matter(families, random):
    names = list(families)
    random.shuffle(names)
    again = {name: families[name] for name in names}
    for kind in ("family", "mixed"):
        assert LEAVE_OUT.folds_of(again, kind) == LEAVE_OUT.folds_of(families, kind)


def test_data_are_asked_for_where_they_are(tmp_path, monkeypatch):
    folder = tmp_path / "phonons" / "phonondb"
    folder.mkdir(parents=True)
    with (folder / "index.csv").open("w") as stream:
        table = csv.writer(stream)
        table.writerows([["file"], ["mp-1-Na.yaml.xz"], ["mp-2-K.yaml.xz"]])
    monkeypatch.setenv("ATOMGRAFT_DATA", str(tmp_path))
    files = LEAVE_OUT.material_files()
    assert files == {
        "mp-1-Na": folder / "mp-1-Na.yaml.xz",
        "mp-2-K": folder / "mp-2-K.yaml.xz",
    }
    monkeypatch.setenv("ATOMGRAFT_DATA", str(tmp_path / "nowhere"))
    for look in (
        LEAVE_OUT.material_files,
        lambda: TEN.file_of("NaCl"),
        lambda: OBJECTIVE.phonon_data(OBJECTIVE.SUBSET),
    ):
        with pytest.raises(SystemExit, match="set ATOMGRAFT_DATA"):
            look()


# --- baselines and sums


def row(name, mae, *, own=1.0, minimum=0.0, minimum_dft=0.0, slope=0.9):
    """Return a row of a material whose error under a factor says which it was."""
    return {
        "material": name,
        "mae": mae,
        "slope": slope,
        "minimum": minimum,
        "minimum_dft": minimum_dft,
        "own_scalar": own,
        "mae_own_scalar": mae / 2,
        "mae_scaled": {f"{f:.2f}": round(float(f), 2) for f in LEAVE_OUT.FACTORS},
    }


SCALARS = st.lists(st.integers(92, 118), min_size=2, max_size=12)


@given(SCALARS)
def test_the_global_scalar_does_not_know_its_material(hundredths):
    rows = [row(str(i), 1.0, own=one / 100) for i, one in enumerate(hundredths)]
    for i, found in enumerate(LEAVE_OUT.global_rows(rows)):
        others = [one / 100 for j, one in enumerate(hundredths) if j != i]
        assert abs(found["mae"] - statistics.median(others)) <= 0.005 + 1e-9
        assert found["material"] == rows[i]["material"]


def test_its_own_number_changes_the_others_alone():
    rows = [row(str(i), 1.0, own=one) for i, one in enumerate((0.95, 1.0, 1.1))]
    before = [one["mae"] for one in LEAVE_OUT.global_rows(rows)]
    rows[0]["own_scalar"] = 1.2
    after = [one["mae"] for one in LEAVE_OUT.global_rows(rows)]
    assert after[0] == before[0] == 1.05
    assert after[1:] == [1.15, 1.1]
    assert rows[0]["mae"] == 1.0  # the base's own rows stay


def test_frequencies_go_with_the_root_of_force_constants():
    frequencies = np.array([-2.0, 0.0, 3.0])
    assert np.allclose(LEAVE_OUT.scaled(frequencies, 4.0), [-4.0, 0.0, 6.0])


@given(st.lists(st.floats(0.01, 5), min_size=2, max_size=20))
def test_a_summary_is_that_of_the_materials(errors):
    found = LEAVE_OUT.summary([row(str(i), one) for i, one in enumerate(errors)])
    assert found["n"] == len(errors)
    assert found["mean"] == pytest.approx(statistics.fmean(errors))
    assert found["median"] == pytest.approx(statistics.median(errors))
    if len(errors) < 5:
        assert found["interval"] is None
    else:
        low, high = found["interval"]
        assert 0 <= low <= found["mean"] * (1 + 1e-9)
        assert high >= found["mean"] * (1 - 1e-9)


def test_stability_is_counted_beyond_the_threshold():
    pairs = [(-1, -1), (-1, 0), (0, -1), (0, 0), (-0.05, -0.05), (-1, -2)]
    rows = [
        row(str(i), 1.0, minimum=one, minimum_dft=dft)
        for i, (one, dft) in enumerate(pairs)
    ]
    found = LEAVE_OUT.summary(rows)
    assert found["confusion"] == [2, 1, 1, 2]
    assert found["f1"] == pytest.approx(2 / 3)


def cells_of(line):
    return [one.strip() for one in line.strip("|").split("|")]


def test_a_line_fills_its_heading():
    found = LEAVE_OUT.summary(
        [row("a", 0.2, minimum=-1, minimum_dft=-1), row("b", 0.4)]
    )
    line = cells_of(LEAVE_OUT.table_line("base", found, ["–", "1.5", "0.5", "20"]))
    heading = cells_of(LEAVE_OUT.HEADING)
    assert len(line) == len(heading)
    by_name = dict(zip(heading, line, strict=True))
    assert by_name["materials"] == "2"
    assert by_name["frequency MAE, THz [95 %]"] == "0.300"
    assert by_name["F1 (hits/false/missed)"] == "1.000 (1/0/0)"
    assert (by_name["far"], by_name["seconds"]) == ("0.5", "20")


def test_materials_stand_beside_each_other_the_worst_first():
    base = {"rows": [row("good", 0.1), row("bad", 0.9)]}
    cells = {
        f"lora-0-{seed}": {"recipe": "lora", "rows": [row("bad", error)]}
        for seed, error in ((1, 0.2), (2, 0.4))
    }
    lines = LEAVE_OUT.per_material(base, cells)
    assert cells_of(lines[0]) == ["material", "base", "own scalar", "lora"]
    assert cells_of(lines[2]) == ["bad", "0.900", "0.450", "0.300"]
    assert cells_of(lines[3]) == ["good", "0.100", "0.050", "–"]


def test_tables_in_the_repository_are_those_of_their_rows():
    """The committed numbers, found again from the rows beside them."""
    path = LEAVE_OUT.RESULTS / "phonon_leave_out.json"
    if not path.exists():
        pytest.skip("no committed rows")
    document = json.loads(path.read_text())
    text = path.with_suffix(".md").read_text()
    base = document["base"]["rows"]
    found = LEAVE_OUT.summary(base)
    assert LEAVE_OUT.table_line("base", found, ["–", "0", "0", "0"]) in text
    scaled = LEAVE_OUT.summary(LEAVE_OUT.global_rows(base))
    name = "base × global scalar"
    assert LEAVE_OUT.table_line(name, scaled, ["–", "0", "0", "0"]) in text
    families, folds = document["base"]["families"], document["base"]["folds"]
    assert LEAVE_OUT.folds_of(families, "family") == folds
    for cell in document["cells"].values():
        asked = [one["material"] for one in cell["rows"]]
        assert asked == folds[cell["fold"]]
        assert cell["n_materials"] == len(families) - len(asked)


# --- ten structures


def test_ten_frames_are_drawn_with_labels_and_nothing_else():
    one, again, other = (TEN.frames_for("Si", seed) for seed in (1, 1, 2))
    assert len(one) == len(other) == TEN.N_TRAIN
    places = [[frame.positions for frame in some] for some in (one, again, other)]
    assert all(map(np.array_equal, places[0], places[1]))
    assert not all(map(np.array_equal, places[0], places[2]))
    for atoms in one:
        assert set(atoms.info) <= {"REF_energy", "REF_stress"}
        assert set(atoms.arrays) == {"numbers", "positions", "REF_forces"}


def test_a_spread_is_mean_and_range():
    assert TEN.spread([0.1, None, 0.3], ".2f") == "0.20 [0.10, 0.30]"
    assert TEN.spread([0.25], "+.2f") == "+0.25"
    assert TEN.spread([None, None], ".2f") == "–"


def test_a_line_of_ten_structures_has_every_column():
    errors = dict.fromkeys((key for _, key, _ in TEN.COLUMNS), 0.5)
    errors["entropy_error"] = None
    line = cells_of(TEN.line("NaCl", "lora", [errors], "1"))
    assert len(line) == 3 + len(TEN.COLUMNS)
    assert line[:3] == ["NaCl", "lora", "1"]
    assert line[-1] == "–"


# --- objective


class Sets:
    """Displacements whose largest is known."""

    def __init__(self, sizes):
        self.displacements = np.zeros((len(sizes), 4, 3))
        self.displacements[:, 2, 1] = sizes


@given(st.lists(st.floats(1e-3, 1.0), min_size=1, max_size=20))
def test_small_and_large_displacements_do_not_overlap(sizes):
    small, large = OBJECTIVE.small_and_large(Sets(sizes))
    assert not set(small) & set(large)
    assert all(sizes[i] < OBJECTIVE.SMALL[1] for i in small)
    assert all(OBJECTIVE.LARGE[0] < sizes[i] < OBJECTIVE.LARGE[1] for i in large)
    assert [sizes[i] for i in small] == sorted(sizes[i] for i in small)
    between = (OBJECTIVE.SMALL[1], OBJECTIVE.LARGE[0])
    left = len(sizes) - len(small) - len(large)
    assert left == sum(
        between[0] <= one <= between[1] or one >= OBJECTIVE.LARGE[1] for one in sizes
    )
