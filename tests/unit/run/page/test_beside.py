"""Do two runs stand side by side, each with its own verdict and figures?"""

import json
import re

import pytest
from typer.testing import CliRunner

from atomgraft.cli.main import app
from atomgraft.run.page.beside import names_of, pair_text
from atomgraft.run.record import RESULT, RunResult


def with_recipe(result: RunResult, recipe: str) -> RunResult:
    return result.model_copy(update={"spec": result.spec | {"recipe": recipe}})


@pytest.fixture
def pair(full_result: RunResult, failed_result: RunResult):
    return with_recipe(full_result, "lora"), with_recipe(failed_result, "full")


def test_both_verdicts_and_all_figures_are_there(pair) -> None:
    page = pair_text(pair)
    assert "lora: took" in page
    assert "full: did not take" in page
    places = re.findall(r'data-plot="([^"]+)"', page)
    found = re.search(r'id="figures">(.*?)</script>', page)
    assert found is not None
    assert len(places) == len(set(places))
    assert set(places) == set(json.loads(found[1]))
    assert {"left-ratios", "right-ratios", "left-curve", "right-curve"} <= set(places)
    ids = re.findall(r' id="([^"]+)"', page)
    assert len(ids) == len(set(ids))
    assert len(page.encode()) < 2_000_000
    assert "cannot be compared" not in page


def test_other_test_sets_are_told(pair) -> None:
    first, second = pair
    cards = tuple(
        one.model_copy(update={"fingerprint": "0" * 64}) if one.role == "test" else one
        for one in second.data
    )
    page = pair_text((first, second.model_copy(update={"data": cards})))
    assert "tested on different structures" in page


def test_a_run_that_is_not_proved_has_a_column(pair, unproved_result) -> None:
    page = pair_text((pair[0], unproved_result))
    assert "Not judged" in page
    assert "cannot be compared" not in page


def test_runs_are_told_apart_by_what_differs(pair) -> None:
    first, second = pair
    assert names_of(pair) == ("lora", "full")
    base = second.base.model_copy(update={"name": "7net-mf"})
    alike = with_recipe(second, "lora").model_copy(update={"base": base})
    assert names_of((first, alike)) == ("7net-0", "7net-mf")
    assert names_of((first, first)) == ("first run", "second run")


def test_the_command_writes_one_page(pair, tmp_path) -> None:
    for name, one in zip("ab", pair, strict=True):
        (tmp_path / name).mkdir()
        RESULT.write(tmp_path / name, one)
    out = tmp_path / "both.html"
    words = ["report", str(tmp_path / "a"), str(tmp_path / "b"), "--out", str(out)]
    done = CliRunner().invoke(app, words)
    assert done.exit_code == 0, done.output
    assert "beside" in out.read_text(encoding="utf-8")
    assert not (tmp_path / "a" / "report.html").exists()
