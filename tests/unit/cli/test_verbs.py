"""Verbs: one is imported when it is called, and others may add their own."""

import sys

import pytest
import typer

from atomgraft.cli.main import app, main
from atomgraft.cli.verbs import OWN
from tests.distributions import install

MODULE = """
import typer

def greet(name: str = typer.Argument(help="Whom.")) -> None:
    \"\"\"Say hello.\"\"\"
    print(f"hello {name}")

def puzzling(name: "Nowhere") -> None:
    \"\"\"Nothing that typer can read.\"\"\"
"""


@pytest.fixture
def call(tmp_path, monkeypatch, capsys):
    """Call the command line where plug-ins offer verbs, good and bad ones."""
    monkeypatch.syspath_prepend(tmp_path)
    place = "verbs_of_others"
    offers = {
        "greet": f"{place}:greet",
        "puzzle": f"{place}:puzzling",
        "gone": "no_such_module:verb",
        "word": f"{place}:__name__",
    }
    install(tmp_path, "others", modules={place: MODULE}, verbs=offers)

    def called(*words):
        monkeypatch.setattr(sys, "argv", ["atomgraft", *words])
        with pytest.raises(SystemExit) as caught:
            main()
        return caught.value.code, capsys.readouterr()

    called.site = tmp_path
    yield called
    sys.modules.pop(place, None)


def test_a_verb_of_a_plug_in_works(call):
    assert call("greet", "Ada") == (0, ("hello Ada\n", ""))
    code, said = call("greet", "--help")
    assert code == 0
    assert "Say hello." in said.out


def test_the_help_lists_it_with_its_giver_and_runs_no_code(call):
    code, said = call("--help")
    assert code == 0
    assert said.out.index("  schema") < said.out.index("  greet")
    assert "(from others 1.0)" in said.out
    assert "verbs_of_others" not in sys.modules


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("gone", "No module named 'no_such_module'"),
        ("word", "is a str"),
        ("puzzle", "Nowhere"),
    ],
)
def test_a_broken_one_is_blamed_on_its_giver_and_breaks_nothing_else(
    name, reason, call
):
    code, said = call(name)
    assert code == 2
    assert f"verb '{name}' of others 1.0" in said.err
    assert reason in said.err
    assert call("greet", "Ada")[0] == 0
    assert call("schema", "--help")[0] == 0


def test_a_verb_of_ours_is_never_taken(call):
    install(call.site, "thief", verbs={"schema": "verbs_of_others:greet"})
    code, said = call("schema")
    assert code == 2
    assert "thief 1.0 offers the verb 'schema'" in said.err
    assert call("--help")[1].out.count("  schema ") == 1
    assert call("report", "--help")[0] == 0


def test_a_mistyped_verb_is_answered_with_a_near_one(call):
    assert "Did you mean 'greet'" in call("gret")[1].err
    said = call("camapign")[1].err
    assert "Did you mean 'campaign'" in said
    assert "?." not in said


def test_there_are_as_many_commands_as_names():
    commands = typer.main.get_command(app).commands
    assert len(commands) == len(list(commands)) >= len(OWN)
