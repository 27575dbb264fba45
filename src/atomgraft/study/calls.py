"""One call of a verb that runs cells: plan, run what is open, print, and leave."""

import dataclasses
import signal
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import (
    TYPE_CHECKING,
    Any,
    Generic,
    Protocol,
    TypeVar,
    runtime_checkable,
)

import typer

from atomgraft.core.signals import exit_code

if TYPE_CHECKING:
    from rich.console import Console

    from atomgraft.core.trust import Trust
    from atomgraft.study.clusters import ClusterPlan


@runtime_checkable
class Concluded(Protocol):
    """The document of a campaign."""

    @property
    def finished(self) -> bool:
        """No cell is left to run."""
        ...

    def model_dump_json(self, *, indent: int | None = None) -> str:
        """Return it as JSON."""
        ...


PlanT = TypeVar("PlanT")
ResultT = TypeVar("ResultT", bound=Concluded)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Verb(Generic[PlanT, ResultT]):
    """What sets one verb that runs cells apart from another.

    Parameters
    ----------
    name
        Of the verb.
    inputs
        Files, folders and models that it reads.
    plan
        Reads and checks everything.
    notices
        What the user should know of a plan before it runs.
    outline
        A plan in a sentence, and as a document for ``--dry-run --json``.
    run
        Runs a plan in a folder; takes ``cluster``, ``fresh``, ``retry_failed``,
        ``trust`` and ``observer``.
    show
        Writes the page into the folder, prints the table, returns the page.
    has_numbers
        Tells whether a single cell came to an end.
    go_on
        How to go on where cells are left.
    """

    name: str
    inputs: Callable[[], Sequence[str]]
    plan: Callable[[], PlanT]
    notices: Callable[[PlanT], Sequence[str]]
    outline: Callable[[PlanT], tuple[str, dict[str, Any]]]
    run: Callable[..., ResultT]
    show: "Callable[[Console, Path, ResultT], Path]"
    has_numbers: Callable[[ResultT], bool]
    go_on: str


@dataclasses.dataclass(frozen=True, kw_only=True)
class Call:
    """What the user wants of the folder and the machine."""

    folder: Path
    cluster: "ClusterPlan"
    trust: "Trust"
    as_json: bool
    fresh: bool
    retry_failed: bool
    dry_run: bool

    def run(self, verb: Verb[Any, Any]) -> None:
        """Plan, run what is open, print, and leave with the code that says how.

        Parameters
        ----------
        verb
            Whose cells they are.
        """
        from atomgraft.core.outputs import examine
        from atomgraft.study.cells_screen import campaign_screen
        from atomgraft.study.screen import calm, console, print_notice

        screen = console(quiet=self.as_json)
        examine(self.folder, verb.name, inputs=verb.inputs(), fresh=self.fresh)
        with calm():
            plan = verb.plan()
        for notice in verb.notices(plan):
            print_notice(screen, notice)
        if self.dry_run:
            self._outline(screen, *verb.outline(plan))
            return
        with calm(), campaign_screen(screen) as shown:
            result = verb.run(
                plan,
                self.folder,
                cluster=self.cluster,
                fresh=self.fresh,
                retry_failed=self.retry_failed,
                trust=self.trust,
                observer=shown,
            )
        self._print(screen, verb, result)
        if not result.finished:
            raise typer.Exit(exit_code(signal.SIGTERM))
        if not verb.has_numbers(result):
            raise typer.Exit(1)

    def _outline(
        self, screen: "Console", sentence: str, document: dict[str, Any]
    ) -> None:
        import json

        from atomgraft.study.screen import print_json

        screen.print(sentence, markup=False)
        if self.as_json:
            print_json(json.dumps(document, indent=1))

    def _print(
        self, screen: "Console", verb: Verb[Any, Any], result: Concluded
    ) -> None:
        from atomgraft.study.screen import print_json

        page = verb.show(screen, self.folder, result)
        screen.print(f"\nPage: {page}", markup=False)
        if not result.finished:
            screen.print(verb.go_on, markup=False)
        if self.as_json:
            print_json(result.model_dump_json(indent=1))


def with_flags(
    document: Mapping[str, Any], given: Mapping[str, Any], steps: int | None
) -> dict[str, Any]:
    """Return a spec's document with what the flags say; flags win.

    Parameters
    ----------
    document
        As read from a file.
    given
        Keys of the spec.
    steps
        Of training; stands below ``training``.

    Examples
    --------
    >>> with_flags({"mesh": 8, "training": {"clip": 1}}, {"mesh": 9}, 40)
    {'mesh': 9, 'training': {'clip': 1, 'steps': 40}}
    """
    merged = {**document, **given}
    training = merged.get("training")
    if steps is not None and (training is None or isinstance(training, dict)):
        merged["training"] = {**(training or {}), "steps": steps}
    return merged
