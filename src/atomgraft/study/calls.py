"""Running a command with cells: plan, run, print."""

import dataclasses
import signal
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import (
    TYPE_CHECKING,
    Annotated,
    Any,
    Generic,
    Protocol,
    TypeVar,
    cast,
    runtime_checkable,
)

import typer

from atomgraft.core.signals import exit_code, has_been_told
from atomgraft.study.options import (
    Json,
    Scheduler,
    Slurm,
    TlsCaFile,
    TlsCert,
    TlsKey,
    TrustFiles,
    TrustNamed,
    trust_of,
    with_options,
)

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


OPEN = 75
"""Exit code where cells are left that another call may finish, and no signal said to
stop; EX_TEMPFAIL of sysexits.h."""

PlanT = TypeVar("PlanT")
ResultT = TypeVar("ResultT", bound=Concluded)
SpecT = TypeVar("SpecT")


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
        Runs a plan in a folder; takes ``execution`` and ``trust``.
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
        from atomgraft.study.folder import Execution
        from atomgraft.study.screen import (
            calm,
            campaign_screen,
            console,
            print_notice,
            stage_screen,
        )

        screen = console(quiet=self.as_json)
        examine(self.folder, verb.name, inputs=verb.inputs(), fresh=self.fresh)
        with calm(), stage_screen(screen, "reading and checking"):
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
                execution=Execution(
                    cluster=self.cluster,
                    fresh=self.fresh,
                    retry_failed=self.retry_failed,
                    observer=shown,
                ),
                trust=self.trust,
            )
        self._print(screen, verb, result)
        if not result.finished:
            raise typer.Exit(exit_code(signal.SIGTERM) if has_been_told() else OPEN)
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
            why = (
                "Stopped by a signal."
                if has_been_told()
                else "Some cells have no result yet, for the reasons above; the next "
                "call tries them again."
            )
            screen.print(f"{why} {verb.go_on}", markup=False)
        if self.as_json:
            print_json(result.model_dump_json(indent=1))


def study_command(verb: Callable[..., None]) -> Callable[..., None]:
    """Return a command that takes, besides its own, the options of every study.

    Parameters
    ----------
    verb
        Called with :class:`StudyOptions`, and with its own options by name.

    Returns
    -------
    :
        A command for typer, which reads its options from the signature.
    """
    return with_options(verb, _study_options)


def _study_options(
    workers: Annotated[
        int | None,
        typer.Option(
            help="Number of cells at a time, or of SLURM jobs; default: one per core."
        ),
    ] = None,
    scheduler: Scheduler = None,
    tls_ca_file: TlsCaFile = None,
    tls_cert: TlsCert = None,
    tls_key: TlsKey = None,
    slurm: Slurm = None,
    fresh: Annotated[
        bool,
        typer.Option("--fresh", help="Delete earlier results in the folder first."),
    ] = False,
    retry_failed: Annotated[
        bool, typer.Option("--retry-failed", help="Run failed cells again.")
    ] = False,
    dry_run: Annotated[
        bool,
        typer.Option(
            "--dry-run", help="Dry run: check the input, print the plan, stop."
        ),
    ] = False,
    trust: TrustNamed = False,
    trust_file: TrustFiles = None,
    as_json: Json = False,
) -> "StudyOptions":
    """Return what the options mean."""
    return StudyOptions(
        cluster=(workers, scheduler, slurm),
        tls=(tls_ca_file, tls_cert, tls_key),
        trusted=(trust, trust_file),
        fresh=fresh,
        retry_failed=retry_failed,
        dry_run=dry_run,
        as_json=as_json,
    )


@dataclasses.dataclass(frozen=True, kw_only=True)
class StudyOptions:
    """The options of every study, as they were typed."""

    cluster: tuple[int | None, str | None, list[str] | None]
    tls: tuple[Path | None, Path | None, Path | None]
    trusted: tuple[bool, list[str] | None]
    fresh: bool
    retry_failed: bool
    dry_run: bool
    as_json: bool

    def trust(self, models: Sequence[str | None]) -> "Trust":
        """Return which checkpoints may run code, of those that were named.

        Parameters
        ----------
        models
            What the command line names.
        """
        return trust_of(*self.trusted, models)

    def call(self, folder: Path, trust: "Trust") -> "Call":
        """Return the call of a study in a folder.

        Raises
        ------
        BadInputError
            The options say nothing that can be done.
        """
        from atomgraft.study.clusters import ClusterPlan, parse_slurm
        from atomgraft.study.credentials import parse_credentials

        n_workers, scheduler, slurm = self.cluster
        plan = ClusterPlan(
            n_workers=n_workers,
            scheduler=scheduler,
            credentials=parse_credentials(*self.tls),
            slurm=parse_slurm(slurm),
        )
        return Call(
            folder=folder,
            cluster=plan,
            trust=trust,
            as_json=self.as_json,
            fresh=self.fresh,
            retry_failed=self.retry_failed,
            dry_run=self.dry_run,
        )


def composed(
    path: Path | None,
    given: Mapping[str, Any],
    steps: int | None,
    spec: "tuple[str, Callable[[object, str], SpecT]]",
) -> "SpecT":
    """Return the spec of a file, of a folder, or of the flags alone; flags win.

    Parameters
    ----------
    path
        The file, or a folder that has one.
    given
        Keys of the spec; those that are none were not given.
    steps
        Of training.
    spec
        Name of the file in a folder, and what makes a spec of a document.

    Raises
    ------
    BadInputError
        The file cannot be read, or there is no such spec.
    """
    from atomgraft.core.yaml_files import read_settings

    name, parse = spec
    flags = {key: one for key, one in given.items() if one is not None}
    if path is None:
        return parse(with_flags({}, flags, steps), "The command line")
    file = path / name if path.is_dir() else path
    document: Any = read_settings(file)
    is_changed = bool(flags) or steps is not None
    origin = f"{file} with the command line" if is_changed else str(file)
    if not isinstance(document, dict):
        return parse(document, origin)
    return parse(with_flags(cast("dict[str, Any]", document), flags, steps), origin)


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
