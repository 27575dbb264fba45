"""prove --suite bulk: values beside a reference."""

import json
import shutil

import pytest

from tests.integration.test_bad_input import run

TRAIN = "shipped:si-train@:10"

PUBLISHED = "Si: {volume: 20.02, C11: 151.4, C12: 76.4, C44: 56.4}"


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    folder = tmp_path_factory.mktemp("bulk")
    options = f"--train {TRAIN} --recipe full --steps 5 --out {folder / 'run'}"
    assert run(f"adapt --base pair:sw-si {options}") == 0
    return folder / "run"


@pytest.fixture
def place(finished, tmp_path):
    return shutil.copytree(finished, tmp_path / "run")


def test_properties_are_added_with_a_page(place, tmp_path, capsys):
    pytest.importorskip("matcalc")
    values = tmp_path / "values.yaml"
    values.write_text(PUBLISHED)
    asked = "--set bulk.properties=eos --set bulk.properties=elastic"
    command = f"prove {place} --suite bulk {asked} --set bulk.reference={values}"
    capsys.readouterr()
    assert run(f"{command} --json") == 0
    document = json.loads(capsys.readouterr().out)
    found = {
        one["quantity"]: one["value"]
        for one in document["scores"]
        if (one["suite"], one["model"]) == ("bulk", "base")
    }
    assert max(found[name] for name in ("volume", "C11", "C12", "C44")) < 0.2, "%"
    assert found["elastic_tensor"] == pytest.approx(75.0, abs=0.1)
    [said] = [
        one for one in document["verdict"]["sentences"] if "bulk properties" in one
    ]
    assert said.startswith("Errors of bulk properties: adapted beside base")
    assert document["details"]["bulk"]["crystals"][0]["formula"] == "Si"
    page = (place / "report.html").read_text()
    assert "Bulk properties of Si, Fd-3m (227)" in page
    assert "bulk-1-eos" in page
