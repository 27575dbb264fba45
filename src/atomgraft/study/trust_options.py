"""The options by which a user lets a model run code, and what they cover."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from atomgraft.core.trust import Trust

TrustNamed = Annotated[
    bool,
    typer.Option(
        "--trust",
        help="Let the models that this command line names run code when they are "
        "loaded; only if you know who made them.",
    ),
]
TrustFiles = Annotated[
    list[str] | None,
    typer.Option(
        "--trust-file",
        help="The same for another file or published name, such as the base of a run; "
        "repeat.",
    ),
]


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
            "It covers the files named beside it, not those that a run folder or a "
            "spec file points to.",
            "Name the file that may run code: --trust-file FILE",
        )
    for file in files or ():
        if Path(file).suffix and not Path(file).is_file():
            raise BadInputError(
                f"--trust-file {file} is not a file.",
                "A model file, or the name of a published model, is needed.",
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
