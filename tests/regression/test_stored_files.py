"""Files of older versions stay readable, and mean what they meant."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from ase.build import bulk

from atomgraft.adaptation.graft import load_graft, read_card, write_errors
from atomgraft.models.loading import load_potential
from atomgraft.models.prediction import predict_structures
from atomgraft.run.page.document import write_page
from atomgraft.run.record import RESULT, SCHEMA_VERSION
from atomgraft.run.spec import parse_spec

STORED = Path(__file__).parent / "stored"
RESULTS = sorted(STORED.glob("result-*.json"))
GRAFT = STORED / "graft-1.safetensors"
ENERGIES = STORED / "energies-1.json"
ROUNDED = STORED / "graft-2.safetensors"
ROUNDED_ENERGIES = json.loads((STORED / "energies-2.json").read_text())
"""Of a graft in float32 with references of -7,890 and -535,001 eV: what it predicted
itself, and a copy of it in float64."""

ROUND_OFF = 1e-12
"""Relative: the same formula in float64, summed in another order by another machine."""

FLOAT32_INTERACTIONS = 1e-5
"""eV: interactions of eight atoms, in float32."""

BASE_HASH = "d8c4028568e4ca97a103ae2f10ae6456aca09bf2a834e0f42e065bf770c09b59"
"""Of `pair:sw-si` in version 0.1.0; grafts are pinned to it."""


def structures():
    """Return crystals in closed form: no random number can change them."""
    perfect = bulk("Si", "diamond", a=5.431, cubic=True)
    moved, sheared = perfect.copy(), perfect.copy()
    moved.positions[0] += (0.1, -0.2, 0.05)
    shear = np.array([[1.02, 0.03, 0], [0, 0.99, 0.02], [0, 0, 1.01]])
    sheared.set_cell(perfect.cell.array @ shear, scale_atoms=True)
    return {"perfect": perfect, "moved": moved, "sheared": sheared}


def grafted():
    return load_graft(GRAFT, load_potential("pair:sw-si")).merged()


def energies_of(potential):
    crystals = structures()
    found = predict_structures(potential, list(crystals.values()))
    return dict(zip(crystals, (one.energy for one in found), strict=True))


def test_every_version_has_a_stored_result():
    versions = [json.loads(path.read_text())["schema_version"] for path in RESULTS]
    assert versions == list(range(1, SCHEMA_VERSION + 1))


@pytest.fixture(params=RESULTS, ids=lambda path: path.stem)
def stored(request):
    return request.param


def test_a_stored_result_keeps_its_numbers(stored):
    """No upgrade touches a number that was measured."""
    document, result = json.loads(stored.read_text()), RESULT.read(stored)
    assert result.schema_version == SCHEMA_VERSION
    kept = {(s.model, s.suite, s.quantity, s.metric, s.group): s for s in result.scores}
    assert len(kept) == len(document["scores"]) >= 49
    for score in document["scores"]:
        keys = ("model", "suite", "quantity", "metric", "group")
        if score["metric"] == "rounding":  # with consistency before version 6
            score["suite"] = "labels"
        found = kept[tuple(score[key] for key in keys)]
        assert found.value == score["value"]
        assert found.unit == score["unit"]


def test_a_stored_result_has_a_page(stored, tmp_path):
    result = RESULT.read(stored)
    page = write_page(tmp_path, result).read_text()
    assert result.verdict.headline.split(" (")[0] in page
    [forces] = [
        score.value
        for score in result.scores
        if (score.model, score.suite, score.quantity, score.metric, score.group)
        == ("adapted", "labels", "forces", "mae", None)
    ]
    assert f"{forces:.0f}" in page  # meV/Å


def test_a_stored_result_can_be_written_again(stored, tmp_path):
    RESULT.write(tmp_path, RESULT.read(stored))
    assert RESULT.read(tmp_path) == RESULT.read(stored)


def test_stored_files_do_not_tell_where_they_were_made(stored):
    text = stored.read_text()
    assert not any(word in text for word in ("/home", "/tmp", "/root", "host"))


def test_the_base_of_a_stored_graft_is_still_the_same():
    assert load_potential("pair:sw-si").weights_hash() == BASE_HASH
    assert read_card(GRAFT).base_hash == BASE_HASH


def test_a_stored_graft_predicts_what_it_did():
    wanted = json.loads(ENERGIES.read_text())
    assert energies_of(grafted()) == pytest.approx(wanted, rel=ROUND_OFF)


def test_the_stored_energies_are_the_graft_s():
    """The negative control: the base alone is far from them."""
    wanted = json.loads(ENERGIES.read_text())
    for name, energy in energies_of(load_potential("pair:sw-si")).items():
        assert abs(energy - wanted[name]) > 1


@pytest.mark.parametrize("head", ROUNDED_ENERGIES)
def test_a_graft_whose_references_were_rounded_predicts_what_it_did(head):
    """Rounded references are kept; that energies were rounded as well is not."""
    wanted = ROUNDED_ENERGIES[head]
    merged = load_graft(ROUNDED, load_potential("pair:sw-si")).merged(head)
    assert merged.weights_hash() == wanted["weights_hash"]
    exact = energies_of(merged.clone(dtype=torch.float64))
    assert exact == pytest.approx(wanted["float64"], rel=ROUND_OFF)
    now = energies_of(merged)
    assert now == pytest.approx(exact, abs=FLOAT32_INTERACTIONS)
    for name, energy in wanted["float32"].items():
        spacing = float(np.spacing(np.float32(abs(energy))))
        assert abs(now[name] - energy) < 2 * spacing


def test_the_references_of_that_graft_were_rounded():
    """The negative control: a shift of format 3 is what its card says."""
    shift = read_card(ROUNDED).heads["other"].reference_shifts["Si"]
    merged = load_graft(ROUNDED, load_potential("pair:sw-si")).merged("other")
    assert abs(float(merged.reference_table()[14]) - shift) > 0.01


IDENTITIES = json.loads((STORED / "identities-1.json").read_text())
"""Of runs that were there before a base could be a run of its own."""


@pytest.mark.parametrize("name", IDENTITIES["results"])
def test_a_stored_result_keeps_its_identity(name):
    spec = json.loads((STORED / name).read_text())["spec"]
    assert parse_spec(spec, name).identity() == IDENTITIES["results"][name]


@pytest.mark.parametrize("name", IDENTITIES["specs"])
def test_a_spec_keeps_its_identity(name):
    stored = IDENTITIES["specs"][name]
    assert parse_spec(stored["spec"], name).identity() == stored["identity"]
    other = stored["spec"] | {"base": "another"}
    assert parse_spec(other, name).identity() != stored["identity"]


def test_errors_on_the_card_of_an_old_graft_leave_its_format(tmp_path):
    path = tmp_path / ROUNDED.name
    path.write_bytes(ROUNDED.read_bytes())
    write_errors(path, {"forces": {"mae": 1.0, "unit": "meV/Å", "n": 1}})
    assert read_card(path).format == 2
    merged = load_graft(path, load_potential("pair:sw-si")).merged()
    assert merged.weights_hash() == ROUNDED_ENERGIES["target"]["weights_hash"]


if __name__ == "__main__":
    sys.stdout.write(json.dumps(energies_of(grafted()), indent=1) + "\n")
