"""The entry point: runs the commands and prints failures as one paragraph."""

import errno
import json
import os
import re
import signal
import sys
import tempfile
import traceback
from typing import cast

import typer

from atomgraft import __version__
from atomgraft.cli.verbs import VERBS, Verbs
from atomgraft.core.environments import FRAMEWORKS, python_for, variables_for
from atomgraft.core.errors import (
    AtomgraftError,
    BadInputError,
    MissingExtraError,
    reason_of,
)
from atomgraft.core.signals import exit_code, forget_signals

app = typer.Typer(
    name="atomgraft",
    cls=Verbs,
    help="Graft a pretrained atomistic model onto your material, and prove that it "
    "took.",
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


def _show_version(value: bool) -> bool:
    if value:
        print(f"atomgraft {__version__}")
        raise typer.Exit
    return value


@app.callback()
def _options(
    version: bool = typer.Option(
        False, "--version", callback=_show_version, is_eager=True, help="Print version."
    ),
) -> None:
    """Graft a pretrained atomistic model onto your material; prove that it took."""


BUG = 70
"""Exit code of a failure that nobody foresaw; EX_SOFTWARE of sysexits.h."""

LONGEST = 1900
"""Characters of a paragraph; the list of known models takes 1,200."""

OF_THE_SYSTEM = frozenset(
    {
        errno.EACCES,
        errno.EDQUOT,
        errno.EIO,
        errno.ELOOP,
        errno.EMFILE,
        errno.ENAMETOOLONG,
        errno.ENOSPC,
        errno.ENOTDIR,
        errno.EPERM,
        errno.EROFS,
        errno.ESTALE,
    }
)
"""Reasons for which a system refuses a file that a user named."""

MAX_NAME = 200
"""Characters of a name that are shown."""

OUT_OF_MEMORY = (
    "Error: Out of memory. Smaller batches or structures, or a machine with more "
    "memory, are needed. Try --batch-size 1, or structures with fewer atoms."
)

UsageError: type[Exception] = typer.BadParameter.__mro__[1]
"""What the parser raises for options it cannot read; typer has no name for it."""


def main() -> None:
    """Run the command line; exit with 2 where the input cannot be used."""
    # Threads that wait by spinning take the core from those they wait for as soon as
    # the machine has other work: a step then takes three times as long.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    try:
        sys.exit(_run_where_possible())
    except AtomgraftError as error:
        sys.exit(_told(error))
    except typer.Abort:
        print("Stopped. The same command continues, or starts again.", file=sys.stderr)
        sys.exit(exit_code(signal.SIGINT))
    except BrokenPipeError:
        sys.exit(0)
    except MemoryError:
        print(OUT_OF_MEMORY, file=sys.stderr)
        sys.exit(1)
    except Exception as error:  # noqa: BLE001 - the last net: a paragraph all the same
        if (refused := _refused_by_system(error)) is not None:
            sys.exit(_told(refused))
        print(_bug(error), file=sys.stderr)
        sys.exit(BUG)


def _shortened(text: str) -> str:
    """Cut words of thousands of letters, and leave out the middle of what is long.

    Examples
    --------
    >>> len(_shortened("a" * 5000)), len(_shortened("a " * 5000))
    (203, 1805)
    """
    text = re.sub(r"\S{500,}", lambda match: f"{match[0][:MAX_NAME]}...", text)
    return text if len(text) <= LONGEST else f"{text[:1200]} ... {text[-600:]}"


def _told(error: AtomgraftError) -> int:
    """Tell what went wrong; return the exit code."""
    if "--json" in sys.argv:
        parts = {"came": error.came, "needed": error.needed, "remedy": error.remedy}
        print(json.dumps({"error": parts}))
    text = _shortened(" ".join(str(error).split()))  # one paragraph, whatever came
    print(f"Error: {text}", file=sys.stderr)
    return 2 if isinstance(error, BadInputError) else 1


def _refused_by_system(error: Exception) -> BadInputError | None:
    """Return what the system says against a file, where no program is to blame."""
    if isinstance(error, OSError) and error.errno in OF_THE_SYSTEM:
        name = repr(str(error.filename or "A file"))[1:-1]
        shown = name if len(name) <= MAX_NAME else f"{name[:MAX_NAME]}..."
        return BadInputError(
            f"{shown} cannot be used: {error.strerror}.",
            "Expected a file or folder that this system can read and write.",
            "Check the path, or give another.",
        )
    return None


def _refuse_unreadable_names(arguments: list[str]) -> None:
    """Refuse names that no text file could record.

    Raises
    ------
    BadInputError
        An argument holds bytes that are no UTF-8.
    """
    for one in arguments:
        if not one.isprintable() and any("\ud800" <= c <= "\udfff" for c in one):
            raise BadInputError(
                f"The command line has {one[:MAX_NAME]!a}, with bytes that are no "
                "UTF-8.",
                "Expected names that can be written into result files.",
                "Rename the file or folder, or use a link with another name.",
            )


def _bug(error: Exception) -> str:
    """Write the traceback of an unexpected failure to a file; return the message."""
    with tempfile.NamedTemporaryFile(
        "w", prefix="atomgraft-", suffix=".txt", delete=False
    ) as stream:
        stream.write(f"{sys.argv}\n{''.join(traceback.format_exception(error))}")
    reason = reason_of(error, with_kind=True)
    return (
        f"Error: This is a bug of atomgraft {__version__} ({reason}). No input should "
        f"lead here. Please report it with {stream.name}, which holds the traceback."
    )


SENT_FOR = "ATOMGRAFT_SENT_FOR"
"""Variable that tells a process for which framework it was sent where it is."""


def _run_where_possible() -> int:
    """Run here or, where a framework is missing, in the environment kept for it."""
    forget_signals()
    sent_for = os.environ.pop(SENT_FOR, None)  # whom we start is not sent
    try:
        return _run()
    except MissingExtraError as error:
        if error.framework is not None:
            _become(error.framework, sent_for)
        raise


def _become(framework: str, sent_for: str | None) -> None:
    """Replace this process by the same command, run by the Python of a framework.

    Nothing has been written when a framework is found missing. -P keeps the files of
    the current folder from being imported.

    Raises
    ------
    MissingExtraError
        No environment can be used, or this process was sent to this one already.
    """
    if sent_for is not None:
        raise MissingExtraError(
            f"{sys.prefix} is kept for {sent_for}, and this needs {framework}.",
            "One command runs in one environment, which holds what it is kept for.",
            f"Make it anew: atomgraft env add {sent_for} --fresh",
        )
    python = python_for(framework)
    title, _ = FRAMEWORKS[framework]
    said = f"{title} is not installed here; going on in {python.parent.parent}."
    print(said, file=sys.stderr, flush=True)
    sys.stdout.flush()
    command = [str(python), "-P", "-m", "atomgraft", *sys.argv[1:]]
    os.execve(python, command, variables_for(python) | {SENT_FOR: framework})


def _run() -> int:
    """Run the command line; what it cannot read is bad input like any other.

    Raises
    ------
    BadInputError
        A verb, an option, a name or a value cannot be read.
    """
    _refuse_unreadable_names(sys.argv[1:])
    try:
        return app(sys.argv[1:] or ["--help"], standalone_mode=False) or 0
    except UsageError as error:
        verb = next((one for one in sys.argv[1:] if one in VERBS), None)
        command = f"atomgraft {verb}" if verb else "atomgraft"
        said = cast("typer.BadParameter", error).format_message().rstrip(". ")
        raise BadInputError(
            said if said.endswith("?") else f"{said}.",
            f"'{command}' takes the arguments and options that its help lists.",
            f"See: {command} --help",
        ) from error
