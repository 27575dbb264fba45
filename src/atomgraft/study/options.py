"""Options that several commands share."""

import dataclasses
import functools
import inspect
import re
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from atomgraft.core.trust import Trust

Scheduler = Annotated[
    str | None, typer.Option(help="Address of a running Dask scheduler: tls://...")
]
TlsCaFile = Annotated[
    Path | None, typer.Option(help="Certificate authority of the scheduler, PEM.")
]
TlsCert = Annotated[
    Path | None, typer.Option(help="Client certificate for the scheduler, PEM.")
]
TlsKey = Annotated[
    Path | None, typer.Option(help="Key of the client certificate, PEM.")
]
Slurm = Annotated[
    list[str] | None,
    typer.Option(
        help="Submit SLURM jobs with this option of dask-jobqueue, "
        "KEY=VALUE (repeatable)."
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print only the result, as JSON.")]
Overwrite = Annotated[
    bool,
    typer.Option("--overwrite", help="Replace an existing output file."),
]
MovedBase = Annotated[
    str | None,
    typer.Option(
        "--base", help="Present location of the base of the run, if it was moved."
    ),
]
SpecFile = Annotated[
    Path | None,
    typer.Option(
        "--spec",
        help="YAML file with further settings; command-line options take precedence.",
    ),
]
Head = Annotated[
    str | None,
    typer.Option(
        help="Head (level of theory) of the model, if it has several: PBE ..."
    ),
]
Kernels = Annotated[
    str | None,
    typer.Option(
        help="ours, or upstream: compute with the modules of MACE and SevenNet."
    ),
]
EnergyUnit = Annotated[
    str | None,
    typer.Option(
        help="Unit of energy labels where not eV: Ha, Ry, kcal/mol, eV/atom ..."
    ),
]
ForcesUnit = Annotated[
    str | None,
    typer.Option(
        help="Unit of force labels where not eV/A: Ha/bohr, eV/bohr, -eV/A (gradients)"
        " ..."
    ),
]
StressUnit = Annotated[
    str | None,
    typer.Option(
        help="Unit of stress labels where not eV/A^3: GPa, kbar, -kbar, bar, virial ..."
    ),
]
StressOrder = Annotated[
    str | None,
    typer.Option(
        help="Order of six stress components where not xx yy zz yz xz xy: vasp ..."
    ),
]
EnergyKey = Annotated[str | None, typer.Option(help="Key of the energy in the files.")]
ForcesKey = Annotated[str | None, typer.Option(help="Key of the forces in the files.")]
StressKey = Annotated[str | None, typer.Option(help="Key of the stress in the files.")]
Accept = Annotated[
    list[str] | None,
    typer.Option(help="Code of a warning of 'check' to accept (repeatable)."),
]
TrustNamed = Annotated[
    bool,
    typer.Option(
        "--trust",
        help="Allow the models named on this command line to run code when they "
        "are loaded. Use it only for files from a source that you trust.",
    ),
]
TrustFiles = Annotated[
    list[str] | None,
    typer.Option(
        "--trust-file",
        help="The same for another file or published name, such as the base of a "
        "run (repeatable).",
    ),
]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Calculation:
    """How a command computes with its models, and what it prints.

    Parameters
    ----------
    settings
        Keys of the spec: head, kernels, precision and size of a call.
    device
        As it was named.
    trust, trust_file
        Which checkpoints may run code, as `trust_of` takes it.
    spec_file
        With further settings.
    as_json
        Only the result is printed, as JSON.
    """

    settings: dict[str, Any]
    device: str
    trust: bool
    trust_file: list[str] | None
    spec_file: Path | None
    as_json: bool


def takes_a_calculation(verb: Callable[..., Any]) -> Callable[..., Any]:
    """Give a verb the options on models, precision and device, after its own.

    Parameters
    ----------
    verb
        Called with a `Calculation` before anything else.
    """
    return with_options(verb, _calculation)


def _calculation(  # noqa: PLR0913 - one for each option
    head: Head = None,
    kernels: Kernels = "ours",
    dtype: Annotated[
        str, typer.Option(help="Precision: float64 or float32.")
    ] = "float64",
    max_atoms: Annotated[
        int | None, typer.Option(help="Maximum number of atoms per call of the model.")
    ] = None,
    device: Annotated[str, typer.Option(help="Device: auto, cpu or cuda.")] = "auto",
    trust: TrustNamed = False,  # noqa: FBT002
    trust_file: TrustFiles = None,
    spec_file: SpecFile = None,
    as_json: Json = False,  # noqa: FBT002
) -> Calculation:
    return Calculation(
        settings={
            "head": head,
            "kernels": kernels,
            "dtype": dtype,
            "max_atoms": max_atoms,
        },
        device=device,
        trust=trust,
        trust_file=trust_file,
        spec_file=spec_file,
        as_json=as_json,
    )


def folder_for(train: Sequence[str], *what: str) -> Path:
    """Return where a verb writes unless told, named after what it trains on.

    Parameters
    ----------
    train
        Files of structures; the first gives the name.
    what
        Recipe or verb, and what else tells it from others; signs become hyphens.

    Examples
    --------
    >>> str(folder_for(["shipped:si-train@:10"], "lora"))
    'runs/shipped-si-train-lora'
    >>> str(folder_for(["ge.extxyz"], "full", "Si:Ge@1.04"))
    'runs/ge-full-Si-Ge-1.04'
    """
    stem = Path(train[0].split("@")[0].split("#")[0]).name.split(".")[0]
    words = [re.sub(r"[^\w.]+", "-", one).strip("-") for one in what]
    return Path("runs") / "-".join([stem.replace(":", "-"), *words])


def with_options(
    verb: Callable[..., Any],
    shared: Callable[..., Any],
    *,
    shared_first: bool = False,
) -> Callable[..., Any]:
    """Return a command that takes shared options besides its own.

    Parameters
    ----------
    verb
        Called with what `shared` returns, with what stands first otherwise, and with
        its own options by name.
    shared
        Called with the shared options by name.
    shared_first
        They stand before the verb's own in the help.

    Returns
    -------
    :
        A command for typer, which reads its options from the signature.
    """
    known = inspect.signature(shared).parameters
    own = list(inspect.signature(verb).parameters.values())[1:]

    @functools.wraps(verb)
    def command(*first: Any, **given: Any) -> Any:  # noqa: ANN401 - what the options hold
        chosen = {name: given.pop(name) for name in list(given) if name in known}
        return verb(shared(**chosen), *first, **given)

    both = (known.values(), own) if shared_first else (own, known.values())
    parameters = [one for part in both for one in part]
    command.__annotations__ = {one.name: one.annotation for one in parameters}
    command.__signature__ = inspect.Signature(parameters)  # pyright: ignore[reportAttributeAccessIssue]
    return command


def takes_labels(verb: Callable[..., Any]) -> Callable[..., Any]:
    """Give a verb the options that say how labels are called, and in which units.

    Parameters
    ----------
    verb
        Called with them by key, as a dictionary, before anything else.
    """
    return with_options(verb, _label_options)


def _label_options(
    energy_key: EnergyKey = None,
    forces_key: ForcesKey = None,
    stress_key: StressKey = None,
    energy_unit: EnergyUnit = None,
    forces_unit: ForcesUnit = None,
    stress_unit: StressUnit = None,
    stress_order: StressOrder = None,
) -> dict[str, str | None]:
    return {
        "energy_key": energy_key,
        "forces_key": forces_key,
        "stress_key": stress_key,
        "energy_unit": energy_unit,
        "forces_unit": forces_unit,
        "stress_unit": stress_unit,
        "stress_order": stress_order,
    }


def trust_of(
    is_named: bool,  # noqa: FBT001 - as the option gives it
    files: Sequence[str] | None,
    models: Iterable[str | None],
) -> "Trust":
    """Return what may run code, and print each file with its SHA-256.

    Parameters
    ----------
    is_named
        ``--trust`` was given.
    files
        Values of ``--trust-file``.
    models
        What the command line itself names; what a spec or a run folder names is not
        covered.

    Raises
    ------
    BadInputError
        ``--trust`` has nothing to cover, or a file to be trusted is not there.
    """
    from atomgraft.core.errors import BadInputError
    from atomgraft.core.trust import trust_in

    named = [one for one in models if one and not Path(one).is_dir()]
    if is_named and not named:
        raise BadInputError(
            "--trust was given, and this command line names no model file.",
            "--trust covers the files named on the command line, not those in a "
            "run folder or spec file.",
            "Name the file that may run code: --trust-file FILE",
        )
    for file in files or ():
        if Path(file).suffix and not Path(file).is_file():
            raise BadInputError(
                f"--trust-file {file} is not a file.",
                "Expected a model file, or the name of a published model.",
                "Check the path.",
            )
    trust = trust_in([*(named if is_named else ()), *(files or ())])
    _print_fingerprints(trust)
    return trust


def _print_fingerprints(trust: "Trust") -> None:
    from atomgraft.study.screen import console

    for path, digest in trust.items():
        if digest:
            console().print(f"Trusted: {path} (SHA-256 {digest})", markup=False)
