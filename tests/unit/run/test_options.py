"""One set of options says which run is meant, whatever the verb."""

import inspect
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from atomgraft.core.errors import BadInputError
from atomgraft.run.commands.options import Asked, takes_a_run
from atomgraft.study.options import Json

HEARD: list[tuple[Asked, bool]] = []


@takes_a_run
def listen(asked: Asked, *, as_json: Json = False) -> None:
    """Take note of what was asked for."""
    HEARD.append((asked, as_json))


APP = typer.Typer()
APP.command()(listen)

SILICON = ("--base", "pair:sw-si", "--train", "shipped:si-train@:3")


def heard(*words: str) -> tuple[Asked, bool]:
    answer = CliRunner().invoke(APP, words)
    if answer.exception is not None:
        raise answer.exception
    return HEARD[-1]


def test_a_verb_has_the_shared_options_and_then_its_own():
    names = list(inspect.signature(listen).parameters)
    assert names[:2] == ["spec", "base"]
    assert names[-1] == "as_json"
    assert "asked" not in names
    assert listen.__doc__ == "Take note of what was asked for."


def test_flags_alone_make_a_run():
    words = ("--steps", "7", "--differences", "never", "--json", "--fresh")
    asked, as_json = heard(*SILICON, *words)
    assert as_json
    assert (asked.run.base, asked.run.recipe) == ("pair:sw-si", "lora")
    assert asked.run.training.steps == 7
    assert asked.run.training.differences == "never"
    assert asked.folder == Path("runs/shipped-si-train-lora")
    assert (asked.fresh, asked.trust, asked.with_scratch) == (True, {}, False)


def test_flags_win_over_a_file(tmp_path):
    path = tmp_path / "run.yaml"
    path.write_text("base: pair:sw-si\ntrain: shipped:si-train\nrecipe: full\n")
    asked, _ = heard(str(path), "--seed", "3", "--out", "here", "--no-references")
    assert (asked.run.recipe, asked.run.seed) == ("full", 3)
    assert not asked.run.axes.starts.references
    assert asked.folder == Path("here")


def test_references_are_chosen_by_name():
    ways = {
        (): True,
        ("--references", "residual"): True,
        ("--references", "labels"): "labels",
        ("--references", "none"): False,
        ("--no-references", "--references", "none"): False,
    }
    for words, held in ways.items():
        asked, _ = heard(*SILICON, *words)
        assert asked.run.axes.starts.references == held
    with pytest.raises(BadInputError, match="--references labels and --no-references"):
        heard(*SILICON, "--references", "labels", "--no-references")


def test_python_may_call_a_verb_too():
    listen(base="pair:sw-si", train=["a.xyz"], as_json=True)
    asked, as_json = HEARD[-1]
    assert (asked.run.train, as_json) == (("a.xyz",), True)


@pytest.mark.parametrize("words", [("gone.yaml",), (*SILICON, "--recipe", "magic")])
def test_what_is_no_run_is_refused(words):
    with pytest.raises(BadInputError):
        heard(*words)


def test_the_folder_of_a_run_tells_its_element_map():
    plain, _ = heard(*SILICON)
    folders = {
        heard(*SILICON, "--map", words)[0].folder.name
        for words in ("Si:Ge", "Si:Ge@1.04", "Si:Ge,C:Sn@fit@0.9", "@1.04")
    }
    assert plain.folder.name == "shipped-si-train-lora"
    assert folders == {
        "shipped-si-train-lora-Si-Ge",
        "shipped-si-train-lora-Si-Ge-1.04",
        "shipped-si-train-lora-Si-Ge-C-Sn-fit-0.9",
        "shipped-si-train-lora-1.04",
    }
    asked, _ = heard(*SILICON, "--map", "Si:Ge", "--out", "here")
    assert asked.folder == Path("here")
