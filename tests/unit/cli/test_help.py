"""Every verb and every option explains itself."""

import pytest
import typer
from typer.testing import CliRunner

from atomgraft import __version__
from atomgraft.cli.main import app
from atomgraft.cli.verbs import OWN

GROUP = typer.main.get_command(app)

OPTIONS = [
    pytest.param(one, id=f"{name}-{one.name}")
    for name, verb in GROUP.commands.items()
    for one in verb.params
]

SHORTEST = 4
"""Characters of a help text that says something, as 'Peak.' does."""


def run(*arguments):
    return CliRunner().invoke(app, arguments)


@pytest.mark.parametrize("name", OWN)
def test_the_list_of_verbs_says_what_each_says_of_itself(name):
    assert GROUP.commands[name].help == OWN[name].summary
    assert run("--help").output.count(f"\n  {name} ") == 1


@pytest.mark.parametrize("name", GROUP.commands)
def test_every_verb_has_a_sentence(name):
    text = GROUP.commands[name].help
    assert len(text) > SHORTEST
    assert text.rstrip().endswith(".")
    assert "\n" not in text.strip()


@pytest.mark.parametrize("option", OPTIONS)
def test_every_option_has_a_sentence(option):
    text = getattr(option, "help", None)
    assert text is not None
    assert len(text) > SHORTEST
    assert text.endswith(".") or "..." in text


@pytest.mark.parametrize("name", GROUP.commands)
def test_help_lists_every_option(name):
    answer = run(name, "--help")
    assert answer.exit_code == 0
    for option in GROUP.commands[name].params:
        names = option.opts if option.param_type_name == "option" else []
        assert all(one in answer.output for one in names)


def test_a_shared_option_reads_the_same_everywhere():
    texts = {}
    for name, verb in GROUP.commands.items():
        for option in verb.params:
            if (name, option.name) == ("prove", "head"):
                continue  # the head of a run, not of the base
            if option.name in {"as_json", "trust", "trust_file", "head", "energy_key"}:
                texts.setdefault(option.name, set()).add(option.help)
    assert {name: len(one) for name, one in texts.items()} == dict.fromkeys(texts, 1)
    assert len(texts) == 5


def test_the_version_is_printed_and_nothing_else():
    answer = run("--version")
    assert answer.exit_code == 0
    assert answer.output == f"atomgraft {__version__}\n"


def test_the_version_wins_over_a_verb():
    answer = run("--version", "check", "nowhere.xyz")
    assert answer.output == f"atomgraft {__version__}\n"


@pytest.mark.parametrize(
    ("words", "wrong"),
    [(["graft"], "graft"), (["check", "a.xyz", "--bass", "7net-0"], "--bass")],
)
def test_what_is_no_verb_or_option_is_refused(words, wrong):
    answer = run(*words)
    assert answer.exit_code == 2
    assert wrong in answer.output
