"""The registry of commands, in the order of the help."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple, cast

import typer
from typer.core import TyperGroup

from atomgraft.core.registry import Plugins, Registry


class Verb(NamedTuple):
    """Where a verb is, and what the help says of it.

    Parameters
    ----------
    module
        With its function ``command``; imported when the verb is called.
    summary
        First sentence of that function.
    """

    module: str
    summary: str


OWN = {
    "check": Verb(
        "atomgraft.run.commands.check",
        "Check labels, units, references, geometries and splits; exit 2 on an error.",
    ),
    "select": Verb(
        "atomgraft.label.command",
        "Propose structures to label, choose a subset, write them with DFT inputs.",
    ),
    "label": Verb(
        "atomgraft.label.labelling.command",
        "Run an engine over structures: energies and forces, or trajectories of MD.",
    ),
    "plan": Verb(
        "atomgraft.run.commands.plan",
        "Dry run: show what adapt would train, with time and memory estimates.",
    ),
    "adapt": Verb(
        "atomgraft.run.commands.adapt",
        "Fine-tune a model on labelled structures; the same command resumes a run.",
    ),
    "prove": Verb(
        "atomgraft.run.commands.prove",
        "Measure held-out errors, forgetting and consistency; write the HTML page.",
    ),
    "phonons": Verb(
        "atomgraft.phonons.command",
        "Compute phonons, thermal properties and stability; write page and files.",
    ),
    "stabilise": Verb(
        "atomgraft.stabilise.command",
        "Follow imaginary modes to stable structures; write the tree and the HTML "
        "page.",
    ),
    "diffusivity": Verb(
        "atomgraft.transport.diffusivity.command",
        "Measure diffusivity and conductivity in trajectories; write the HTML page.",
    ),
    "compare": Verb(
        "atomgraft.compare.command",
        "Compare recipes, label counts and learning rates; the same command resumes.",
    ),
    "fidelity": Verb(
        "atomgraft.fidelity.command",
        "Measure what labels of other levels of theory buy; the same command resumes.",
    ),
    "budget": Verb(
        "atomgraft.fidelity.budget.command",
        "Advise how many labels of which level to buy, from pilot results of fidelity.",
    ),
    "campaign": Verb(
        "atomgraft.phonons.campaign.command",
        "Run phonons for many materials, with or without fine-tuning; resumable.",
    ),
    "distil": Verb(
        "atomgraft.transport.distil.command",
        "Learn a transport property from known materials; write predictor and page.",
    ),
    "screen": Verb(
        "atomgraft.transport.screening.command",
        "Predict a transport property of many structures; write the ranked list.",
    ),
    "report": Verb(
        "atomgraft.cli.report",
        "Write an HTML page again from its JSON file, without torch or the model.",
    ),
    "merge": Verb(
        "atomgraft.run.commands.merge",
        "Merge base and graft into a plain model file of the framework.",
    ),
    "demo": Verb(
        "atomgraft.run.commands.demo",
        "Fine-tune 7net-0 on 13 DFT frames of silicon, evaluate it, write the page.",
    ),
    "init": Verb(
        "atomgraft.cli.init",
        "Write a commented template of a spec file, for each kind of study.",
    ),
    "env": Verb(
        "atomgraft.cli.env",
        "Manage environments for frameworks; later commands use them automatically.",
    ),
    "schema": Verb(
        "atomgraft.cli.schema",
        "Print the JSON schema of a spec file: every key, its default and meaning.",
    ),
}

OF_OTHERS = Plugins[Callable[..., object]]("verb", "atomgraft.verbs", callable)
"""Functions whose arguments are annotated for typer."""

VERBS = Registry[Callable[..., object]]("verb", OF_OTHERS)
for name, verb in OWN.items():
    VERBS.add_place(name, f"{verb.module}:command")


class _Commands(Mapping[str, Any]):
    """Verbs as commands; a verb is imported when it is asked for."""

    def __iter__(self) -> Iterator[str]:
        return iter((*OWN, *(one for one in OF_OTHERS if one not in OWN)))

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def __getitem__(self, name: str) -> Any:  # noqa: ANN401 - a command of typer's
        if name not in VERBS:
            raise KeyError(name)
        function = VERBS[name]
        app = typer.Typer(
            add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None
        )
        app.command(name)(function)
        try:
            return typer.main.get_command(app)
        except Exception as error:
            if name in OWN:
                raise
            raise OF_OTHERS.broken(name, error) from error


class Verbs(TyperGroup):
    """The group of all verbs; its help imports none of them."""

    def __init__(self, **given: Any) -> None:  # noqa: ANN401 - typer's
        super().__init__(**given)
        self.commands = cast("dict[str, Any]", _Commands())

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ANN401 - typer's
        """Return the names of all verbs, our own first."""
        return list(self.commands)

    def format_commands(self, ctx: Any, formatter: Any) -> None:  # noqa: ANN401 - typer's
        """Write the list of verbs with what each does, or who offers it."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, _summary(name)) for name in self.commands])


def _summary(name: str) -> str:
    return OWN[name].summary if name in OWN else f"(from {OF_OTHERS.giver(name)})"
