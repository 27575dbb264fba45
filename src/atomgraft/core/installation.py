"""Making an environment for a framework: whole, or not at all."""

import dataclasses
import errno
import functools
import importlib.metadata
import json
import os
import platform
import secrets
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from atomgraft.core.environments import (
    IN_USE,
    LOCATION,
    STAMP,
    Environment,
    environments_folder,
    find_environment,
    list_made,
    own_requirement,
    own_version,
    remove_made,
    variables_for,
)
from atomgraft.core.errors import BadInputError, StorageError
from atomgraft.core.frameworks import framework_named
from atomgraft.core.provenance import now
from atomgraft.core.storage import (
    locked,
    make_private_folder,
    write_atomically,
)

Report = Callable[[str], None]
"""Is told one line of what happens."""

Run = Callable[[Sequence[str], Report], int]
"""Runs a command, reports each line of its output, returns the exit status."""

DISK_FULL = (os.strerror(errno.ENOSPC), os.strerror(errno.EDQUOT))
"""How programs say that there is no space left."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Step:
    """One command on the way to an environment.

    Parameters
    ----------
    command
        Program and arguments; no shell reads them.
    failure
        What to say where it fails, without a full stop.
    needed, remedy
        As for every error.
    """

    command: Sequence[str]
    failure: str
    needed: str
    remedy: str


def run_aloud(command: Sequence[str], report: Report) -> int:
    """Run a command with its output reported line by line; return its exit status.

    Parameters
    ----------
    command
        Program and arguments; no shell reads them.
    report
        Is told each line of standard output and standard error.

    Examples
    --------
    >>> run_aloud(["echo", "one line"], print)
    one line
    0
    """
    with subprocess.Popen(
        list(command),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        env=variables_for(Path(command[0])),
    ) as process:
        for line in process.stdout or ():
            report(line.rstrip())
    return process.returncode


def _silent(line: str) -> None:
    """Report nothing."""


def add_environment(
    framework: str,
    *,
    fresh: bool = False,
    run: Run = run_aloud,
    report: Report = _silent,
    overhear: Report = _silent,
) -> Environment:
    """Make an environment for a framework.

    One that is there and can be used is returned as it is. One that is to be
    replaced stays until the new one is finished.

    Parameters
    ----------
    framework
        One of :data:`atomgraft.core.frameworks.FRAMEWORKS`.
    fresh
        Make it anew in any case.
    run
        Runs a command and hands on each line of its output.
    report
        Is told what is being done, a sentence at a time.
    overhear
        Is told every line that the commands print.

    Raises
    ------
    BadInputError
        There is no such framework, or it cannot be installed; nothing has changed.
    StorageError
        The disk is full, or the folder cannot be written; nothing has changed.
    """
    framework_named(framework)
    do = functools.partial(_succeed, run=run, overhear=overhear)
    root = environments_folder()
    make_private_folder(root)
    with locked(root, remedy=IN_USE):
        kept = find_environment(framework)
        if kept is not None and kept.defect is None and not fresh:
            return kept
        home = root / framework
        former = kept
        remove_made(home, former, kept=kept)
        make_private_folder(home)
        try:
            kept = made = _make(framework, home, do, report)
        finally:  # the former one where that failed, the new one where it did not
            remove_made(home, former, kept=kept)
    return made


def _make(
    framework: str, home: Path, do: Callable[[Step], None], report: Report
) -> Environment:
    """Fill a new folder beside the former environment, then point to it.

    An environment cannot be renamed, its programs hold its path; a pointer can.
    """
    folder = home / f"env-{secrets.token_hex(4)}"
    list_made(home, folder)
    make_private_folder(folder)
    environment = Environment(
        framework=framework,
        folder=str(folder),
        arguments=own_requirement(framework),
        version=own_version(),
        python_version=platform.python_version(),
        made=now(),
    )
    report(f"Making an environment in {folder} ...")
    do(_environment_step(environment))
    limits = folder / "constraints.txt"
    write_atomically(limits, "".join(f"{one}\n" for one in _same_versions()))
    report(f"Installing {environment.arguments[-1]} (minutes: torch is large) ...")
    do(_installation_step(environment, limits))
    report("Trying it out ...")
    do(_trial_step(environment))
    document = json.dumps(dataclasses.asdict(environment), indent=1)
    write_atomically(home / STAMP, document)
    return environment


def _environment_step(environment: Environment) -> Step:
    return Step(
        command=[sys.executable, "-m", "venv", environment.folder],
        failure="A virtual environment could not be made",
        needed="A Python with its modules 'venv' and 'ensurepip' is needed.",
        remedy="On Debian or Ubuntu: apt install python3-venv",
    )


def _installation_step(environment: Environment, limits: Path) -> Step:
    pip = [str(environment.python), "-m", "pip", "install"]
    options = ["--disable-pip-version-check", "--no-input", "--constraint", str(limits)]
    framework = environment.framework
    return Step(
        command=[*pip, *options, *environment.arguments],
        failure=f"pip could not install atomgraft with {framework}",
        needed="A package index that offers it, and a way to it, are needed.",
        remedy=f"Check the network and pip's settings; then: atomgraft env add "
        f"{framework}",
    )


def _trial_step(environment: Environment) -> Step:
    framework = environment.framework
    module = framework_named(framework).module
    return Step(
        command=[str(environment.python), "-P", "-c", f"import atomgraft, {module}"],
        failure=f"pip has installed {framework}, and it cannot be imported",
        needed="An environment is kept only if it works.",
        remedy=f"See what pip chooses: pip install '{environment.arguments[-1]}'",
    )


def _same_versions() -> list[str]:
    """Return pip's constraints: a comparison of models is not to be one of torch."""
    try:
        version = importlib.metadata.version("torch")
    except importlib.metadata.PackageNotFoundError:
        return []
    return [f"torch=={version.partition('+')[0]}"]


def _succeed(step: Step, *, run: Run, overhear: Report) -> None:
    """Run a step that must succeed.

    Raises
    ------
    BadInputError
        It failed.
    StorageError
        It failed because the disk is full.
    """
    lines: list[str] = []

    def listen(line: str) -> None:
        if line.strip():
            lines.append(line.strip())
            overhear(line)

    if run(step.command, listen) == 0:
        return
    came = f"{step.failure}: {_reason(lines).rstrip('.')}."
    if any(full in line for line in lines for full in DISK_FULL):
        raise StorageError(
            came,
            "Some gigabytes are needed: each environment holds a torch of its own.",
            f"Free some space, or set {LOCATION} to a folder on another disk; what "
            "was there before is unchanged.",
        )
    raise BadInputError(came, step.needed, step.remedy)


def _reason(lines: Sequence[str]) -> str:
    """Return the last line that calls itself an error, else the last one."""
    errors = [line for line in lines if line.startswith(("ERROR", "Error"))]
    return (errors or list(lines) or ["it said nothing"])[-1]
