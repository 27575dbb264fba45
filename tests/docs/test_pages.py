"""Is what the README and the documentation say true?"""

import json
import re
import shlex
import sys
import tomllib

import pytest
import yaml

from atomgraft.adaptation.recipes import RECIPES
from atomgraft.compare.spec import CompareSpec, parse_compare_spec
from atomgraft.data.label_keys import (
    ENERGY_UNITS,
    FORCES_UNITS,
    PER_ATOM,
    STRESS_ORDERS,
    STRESS_UNITS,
)
from atomgraft.fidelity.budget.spec import BudgetSpec
from atomgraft.fidelity.spec import FidelitySpec, parse_fidelity_spec
from atomgraft.label.labelling.spec import parse_label_spec
from atomgraft.records.scores import Score
from atomgraft.run.contract import Contract, Cost, Terms
from atomgraft.run.record import RunResult
from atomgraft.run.spec import RunSpec, parse_spec
from atomgraft.transport.distil.spec import DistilSpec
from tests.docs.pages import (
    DOCS,
    FENCE,
    PAGES,
    REPOSITORY,
    TUTORIALS,
    all_blocks,
    at_small_size,
    blocks,
    commands,
    commands_in,
    name_of,
)

CODE = re.compile(r'code=f?"([^"]+)"')

QUANTITIES = ("energy", "forces", "stress")


def page(name: str) -> str:
    return next(one for one in PAGES if name_of(one) == name).read_text()


@pytest.mark.parametrize("path", PAGES, ids=name_of)
def test_python_runs(path, tmp_path, monkeypatch, run_example):
    """Run the blocks of a page in order, in one namespace, in an empty folder."""
    monkeypatch.chdir(tmp_path)
    if path == DOCS / "reference" / "results.md":
        run_example(tmp_path / "runs" / "example")
    namespace: dict[str, object] = {"__name__": "page"}
    for block in blocks(path, "python"):
        source = "\n" * block.line + at_small_size(block.code)
        exec(compile(source, str(path), "exec"), namespace)


def test_the_adapter_of_the_page_conforms():
    """The page says that an empty answer is a pass: it is one."""
    from atomgraft.testing import failed_checks

    namespace: dict[str, object] = {"__name__": "page"}
    block = next(blocks(DOCS / "how-to" / "adapter.md", "python"))
    exec(block.code, namespace)
    assert failed_checks(namespace["SoftPotential"]()) == {}


@pytest.mark.parametrize(("place", "line"), commands(), ids=lambda one: str(one))
def test_commands_exist(place, line):
    """Parse every command of the pages, options and all, without running it."""
    import typer

    from atomgraft.cli.main import app

    _, verb, *arguments = shlex.split(line)
    group = typer.main.get_command(app)
    command = group.commands[verb]
    assert command.make_context(verb, list(arguments)).command is command, place


def test_an_invented_option_is_noticed():
    """Negative control of the test above."""
    import typer

    from atomgraft.cli.main import app

    command = typer.main.get_command(app).commands["prove"]
    with pytest.raises(Exception, match="--lucky"):
        command.make_context("prove", ["runs/si", "--lucky"])


@pytest.mark.parametrize("block", all_blocks("yaml"), ids=lambda block: block.name)
def test_run_files_are_valid(block):
    document = yaml.safe_load(block.code)
    parse = parse_compare_spec if "test" in document else parse_spec
    parse = parse_label_spec if "engine" in document else parse
    parse = parse_fidelity_spec if "sources" in document else parse
    if "materials" in document:
        DistilSpec.model_validate(document)
    else:
        parse(document, block.name)


def test_every_module_of_core_is_in_the_reference():
    text = (DOCS / "api.toml").read_text()
    names = {one.stem for one in (REPOSITORY / "src/atomgraft/core").glob("[a-z]*.py")}
    assert {name for name in names if f'"atomgraft.core.{name}"' not in text} == set()


def test_every_page_of_the_reference_is_in_the_menu():
    pages = tomllib.loads((DOCS / "api.toml").read_text())["page"]
    menu = (REPOSITORY / "mkdocs.yml").read_text()
    for one in pages:
        assert f"api/{one['name']}.md" in menu, one["name"]
    for path in DOCS.rglob("*.md"):
        assert f": {name_of(path)}\n" in menu, path


@pytest.mark.parametrize("path", PAGES, ids=name_of)
def test_a_page_reads_well_on_a_code_host(path):
    """Directives of the site's generator would show there as they are."""
    prose = FENCE.sub("", path.read_text())
    assert not re.search(r"^(:::|!!!|\?\?\?|--8<--)", prose, re.M)


def test_the_readme_is_short():
    assert len(page("README.md").split()) < 900


@pytest.mark.parametrize("path", TUTORIALS, ids=name_of)
def test_a_tutorial_runs(path, tmp_path, monkeypatch):
    """Run the commands of a tutorial in order, with a small model and few steps.

    YAML that begins with its name (``# ge.yaml``) is written first.
    """
    monkeypatch.chdir(tmp_path)
    for block in blocks(path, "yaml"):
        if named := re.match(r"# (\S+\.yaml)\n", block.code):
            (tmp_path / named[1]).write_text(block.code)
    for block in blocks(path, ""):
        for line in commands_in(block.code):
            assert answer_to(at_small_size(line), monkeypatch) == 0, line


def answer_to(line, monkeypatch):
    """Return the exit code of a command line."""
    from atomgraft.cli import main

    monkeypatch.setattr(sys, "argv", shlex.split(line))
    with pytest.raises(SystemExit) as ended:
        main.main()
    return ended.value.code or 0


def test_every_key_of_a_comparison_is_explained():
    text = page("how-to/compare.md")
    shared = set(RunSpec.model_fields)
    for key in set(CompareSpec.model_fields) - shared:
        assert f"| `{key}` |" in text, key


def test_every_key_of_a_study_of_levels_is_explained():
    text = page("how-to/fidelity.md")
    shared = set(RunSpec.model_fields) - {"base", "train", "training"}
    for key in {*FidelitySpec.model_fields, *BudgetSpec.model_fields} - shared:
        assert f"| `{key}` |" in text, key


@pytest.mark.parametrize("block", all_blocks("json"), ids=lambda block: block.name)
def test_score_rows_are_valid(block):
    Score.model_validate(json.loads(block.code))


def test_every_recipe_is_in_the_table():
    for name in RECIPES:
        assert f"| `{name}` |" in page("explanation/methods.md"), name


def test_every_check_of_an_adaptation_is_in_the_table():
    from atomgraft.testing import ADAPTATION_CHECKS

    rows = re.findall(r"^\| `(\w+)` \|", page("how-to/plug-in.md"), re.M)
    assert rows == list(ADAPTATION_CHECKS)


def test_every_key_of_a_result_is_explained():
    text = page("reference/results.md")
    for field in (*RunResult.model_fields, *Score.model_fields):
        assert f"`{field}`" in text, field


def test_every_key_of_a_plan_is_explained():
    text = page("how-to/plan.md")
    for record in (Contract, Terms, Cost):
        for field in record.model_fields:
            assert f"`{field}`" in text, field


def test_every_finding_is_explained():
    text = page("reference/data.md")
    folder = REPOSITORY / "src" / "atomgraft" / "data" / "checks"
    patterns = {
        code for path in folder.glob("*.py") for code in CODE.findall(path.read_text())
    }
    assert "same-site" in patterns
    for pattern in patterns:
        names = {re.sub(r"\{[^}]+\}", one, pattern) for one in QUANTITIES}
        if pattern.endswith(("-scale", "-disagrees")):
            names -= {name for name in names if name.startswith("energy")}
        for name in names:
            assert f"`{name}`" in text, name


def test_every_unit_is_explained():
    """A sign stands in words; ``/atom`` once for all units of energy."""
    text = page("reference/data.md")
    for unit in (*ENERGY_UNITS, *FORCES_UNITS, *STRESS_UNITS, *STRESS_ORDERS):
        assert f"`{unit.removeprefix('-').removesuffix(PER_ATOM)}`" in text, unit


def test_links_between_pages_lead_somewhere():
    for path in PAGES:
        prose = FENCE.sub("", path.read_text())
        for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", prose):
            assert (path.parent / target).exists(), f"{path.name} -> {target}"


def test_make_knows_what_the_pages_ask_of_it():
    rules = (REPOSITORY / "Makefile").read_text()
    texts = [one.read_text() for one in (*PAGES, REPOSITORY / "CONTRIBUTING.md")]
    asked = {
        name for text in texts for name in re.findall(r"^make ([\w-]+)", text, re.M)
    }
    asked |= {name for text in texts for name in re.findall(r"`make ([\w-]+)`", text)}
    assert {"demo", "test"} <= asked
    for name in asked:
        assert re.search(rf"^{name}:", rules, re.M), name
