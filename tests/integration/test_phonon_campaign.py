"""A campaign over tiny crystals, from the command line, disturbed and not."""

import json
import time

import numpy as np
import psutil
import pytest
from ase.build import bulk
from ase.io import write

from atomgraft.lattice.harmonic import harmonic_of, scaled, with_forces
from atomgraft.lattice.reference import read_reference
from atomgraft.lattice.spectra import mesh_frequencies
from atomgraft.metrics.phonons import frequency_errors
from atomgraft.models.loading import load_potential
from atomgraft.phonons.campaign.record import (
    BASE,
    CAMPAIGN,
    COMPLETED,
    GLOBAL_SCALAR,
    OWN_SCALAR,
)
from tests.integration.campaigns import finished_cells, workers_of
from tests.integration.processes import call, start
from tests.phonon_folders import BASE as MODEL
from tests.phonon_folders import CRYSTALS, make_folder

pytestmark = pytest.mark.slow

ASKED = (
    *("--model", MODEL, "--recipe", "full", "--steps", 20, "--mesh", 4),
    *("--workers", 1, "--dft-hours", 2, "--details", 1),
)

ROUND_OFF = 1e-9
"""THz; the same sums in another order."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    found = make_folder(tmp_path_factory.mktemp("campaign"))
    write(found / "silicon.cif", bulk("Si"))
    return found


@pytest.fixture(scope="module")
def whole(folder, tmp_path_factory):
    """A campaign in folds that nobody disturbs."""
    out = tmp_path_factory.mktemp("whole") / "out"
    code, printed, errors = campaign(folder, out, "--json")
    assert code == 0, errors
    assert json.loads(printed) == json.loads((out / "campaign.json").read_text())
    return out


def campaign(folder, out, *more, asked=(*ASKED, "--mode", "all", "--folds", 2)):
    return call("campaign", "phonons", folder, *asked, "--out", out, *more)


def table(out):
    """Return everything that a campaign says, but for times and commands."""
    document = json.loads((out / "campaign.json").read_text())
    del document["provenance"], document["bills"], document["name"]
    for row in (*document["rows"], *document["trainings"]):
        del row["seconds"]
    return document


def rows(out, contestant):
    found = CAMPAIGN.read(out).rows
    return {one.material: one for one in found if one.contestant == contestant}


def test_the_base_is_judged_as_one_would_alone(folder, whole):
    found = rows(whole, BASE)
    for name in CRYSTALS:
        reference = read_reference(folder / f"{name}.yaml")
        true = mesh_frequencies(reference.harmonic, (4, 4, 4))
        mine = mesh_frequencies(
            harmonic_of(load_potential(MODEL), reference.phonon), (4, 4, 4)
        )
        errors = frequency_errors(mine.frequencies, true.frequencies, true.weights)
        assert found[name].frequency_mae == pytest.approx(errors.mae, abs=ROUND_OFF)
        lowest = found[name].minimum_reference
        assert lowest == pytest.approx(true.frequencies.min(), abs=ROUND_OFF)


def test_the_global_scalar_is_the_median_of_the_others(folder, whole):
    own = {name: row.factor for name, row in rows(whole, OWN_SCALAR).items()}
    own = {name: factor for name, factor in own.items() if factor is not None}
    assert set(own) == set(CRYSTALS)
    for name, row in rows(whole, GLOBAL_SCALAR).items():
        if name in own:
            others = [factor for one, factor in own.items() if one != name]
            assert row.factor == pytest.approx(np.median(others))
    name = "zincblende"
    reference = read_reference(folder / f"{name}.yaml")
    base = harmonic_of(load_potential(MODEL), reference.phonon)
    row = rows(whole, GLOBAL_SCALAR)[name]
    mine = mesh_frequencies(scaled(base, row.factor), (4, 4, 4)).frequencies
    assert row.minimum == pytest.approx(mine.min(), abs=ROUND_OFF)


def test_nobody_is_judged_by_who_has_seen_it(whole):
    found = CAMPAIGN.read(whole)
    seen = {one.name: one.materials for one in found.trainings}
    judged = [row for row in found.rows if row.training is not None]
    assert len(judged) == len(CRYSTALS)
    for row in judged:
        assert row.material not in seen[row.training]
        assert row.n_labels == 0


def test_adapting_to_a_stiffer_law_helps_and_forgets(whole):
    base, full = rows(whole, BASE), rows(whole, "full")
    for name in CRYSTALS:
        assert full[name].frequency_mae < base[name].frequency_mae
    summary = {one.contestant: one for one in CAMPAIGN.read(whole).summaries}
    assert summary["full"].n_improved == len(CRYSTALS)
    assert summary["full"].drift > 0


def test_the_worst_cases_come_with_their_bands(whole):
    found = CAMPAIGN.read(whole)
    full = rows(whole, "full")
    worst = max(CRYSTALS, key=lambda name: full[name].frequency_mae)
    [detail] = found.details
    assert detail.name == worst
    errors = {one.contestant: one for one in detail.errors if one.baseline is None}
    mae = full[worst].frequency_mae
    assert errors["adapted"].frequency_mae == pytest.approx(mae, abs=ROUND_OFF)
    known = {one.baseline: one.factor for one in detail.errors}
    assert known["global scalar"] == rows(whole, GLOBAL_SCALAR)[worst].factor
    assert detail.spectrum("adapted").bands
    assert f"Bands of {worst}" in (whole / "report.html").read_text()


def test_a_material_with_a_strange_element_is_marked(whole):
    found = CAMPAIGN.read(whole)
    strange = [row for row in found.rows if row.material == "silicon"]
    assert {row.status for row in strange} == {"left out"}
    assert {row.reason for row in strange} == {"The base does not support Si."}
    assert found.finished


def test_the_bill_is_in_the_page(whole):
    [_, bill] = CAMPAIGN.read(whole).bills
    n = 2 * len(CRYSTALS)
    assert (bill.supercells_needed, bill.supercells_used) == (n, n / 2)
    assert bill.full_hours == 2 * n
    assert bill.saved == pytest.approx(0.5, abs=0.01)
    assert "The bill" in (whole / "report.html").read_text()


def test_the_report_is_written_again(whole):
    page = whole / "report.html"
    before = page.read_text()
    page.unlink()
    code, _, errors = call("report", whole)
    assert code == 0, errors
    assert page.read_text() == before


def test_no_place_of_this_machine_is_told(folder, whole):
    document = json.loads((whole / "campaign.json").read_text())
    del document["provenance"], document["spec"]["folder"]
    assert str(folder.parent) not in json.dumps(document)


def test_a_killed_campaign_goes_on_with_the_same_command(folder, whole, tmp_path):
    out = tmp_path / "out"
    asked = (*ASKED, "--mode", "all", "--folds", 2)
    process = start("campaign", "phonons", folder, *asked, "--out", out)
    while process.poll() is None and len(finished_cells(out)) < 5:
        time.sleep(0.01)
    workers = workers_of(process)
    process.kill()
    process.communicate()
    psutil.wait_procs(workers, timeout=30)
    before = finished_cells(out)
    assert before
    assert not (out / "campaign.json").exists()
    code, _, errors = campaign(folder, out)
    assert code == 0, errors
    after = finished_cells(out)
    assert {path: after[path] for path in before} == before
    assert table(out) == table(whole)


def test_another_campaign_is_refused_and_a_larger_one_goes_on(folder, whole):
    other = (*ASKED, "--mode", "each")
    code, _, errors = campaign(folder, whole, asked=other)
    assert code == 2
    assert "holds another campaign: " in errors


def assert_completed(folder, out):
    """The labels that were given, and the base times their number for the rest."""
    given = {one.materials[0]: one.sources for one in CAMPAIGN.read(out).trainings}
    for name, row in rows(out, COMPLETED).items():
        assert row.status == "done"
        [source] = given[name]
        i = int(source.partition("@")[2])
        reference = read_reference(folder / f"{name}.yaml")
        forces = harmonic_of(load_potential(MODEL), reference.phonon).forces
        own = reference.sets.forces[i]
        factor = (forces[i] * own).sum() / (forces[i] ** 2).sum()
        assert row.factor == pytest.approx(factor, rel=0.02)  # of differences
        forces = row.factor * forces
        forces[i] = own
        known = mesh_frequencies(reference.harmonic, (4, 4, 4))
        mine = mesh_frequencies(with_forces(reference.phonon, forces), (4, 4, 4))
        errors = frequency_errors(mine.frequencies, known.frequencies, known.weights)
        assert row.frequency_mae == pytest.approx(errors.mae, abs=ROUND_OFF)
        assert (row.n_labels, row.seed) == (1, 0)


def test_one_each_on_part_of_its_own(folder, tmp_path):
    small = tmp_path / "small"
    small.mkdir()
    for name in ("rocksalt", "zincblende"):
        path = folder / f"{name}.yaml"
        (small / path.name).write_text(path.read_text())
    errors_of = {}
    for name, flags in (("out", ()), ("bare", ("--no-pseudo-labels",))):
        out = tmp_path / name
        code, _, errors = campaign(small, out, *flags, asked=ASKED)
        assert code == 0, errors
        found = CAMPAIGN.read(out)
        assert_completed(small, out)
        assert [len(one.sources) for one in found.trainings] == [1, 1]
        assert [one.n_pseudo for one in found.trainings] == [1 - len(flags)] * 2
        adapted = rows(out, "full")
        assert {row.n_labels for row in adapted.values()} == {1}
        assert all(row.status == "done" for row in adapted.values())
        errors_of[name] = np.mean([row.frequency_mae for row in adapted.values()])
    assert errors_of["out"] < errors_of["bare"]


def test_an_unknown_kind_is_refused(folder):
    code, _, errors = call("campaign", "elastic", folder, "--model", MODEL)
    assert code == 2
    assert "There is no campaign named 'elastic'" in errors
