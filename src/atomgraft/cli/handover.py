"""The same command again, in the environment that is kept for a framework."""

import os
import sys
from pathlib import Path

from atomgraft.core.environments import kept_environment, variables_for
from atomgraft.core.errors import MissingExtraError
from atomgraft.core.frameworks import framework_named

SENT_FOR = "ATOMGRAFT_SENT_FOR"
"""Variable that tells a process for which framework it was sent where it is."""


def hand_over(error: MissingExtraError, sent_for: str | None) -> None:
    """Become the same command where the missing framework is; else return.

    Nothing has been written when a framework is found missing, so the command
    starts once more from its first word.

    Parameters
    ----------
    error
        What stopped the command here.
    sent_for
        The framework for which this process was sent here already, if it was: it
        is not sent on.

    Raises
    ------
    MissingExtraError
        The kept environment cannot be used, or it lacks what it is kept for.
    """
    framework = error.framework
    if framework is None:
        return
    title = framework_named(framework).title
    if sent_for is not None:
        raise MissingExtraError(
            f"This needs {title}, which is not in {sys.prefix}, where the command "
            f"was sent for {framework_named(sent_for).title}.",
            "One command runs in one environment, which must hold what it is kept for.",
            f"Make it anew: atomgraft env add {sent_for} --fresh",
        ) from error
    environment = kept_environment(framework)
    if environment is None:
        return
    print(
        f"{title} is not installed here; going on in {environment.folder}.",
        file=sys.stderr,
        flush=True,
    )
    _become(environment.python, framework)


def _become(python: Path, framework: str) -> None:
    """Replace this process; -P keeps the current folder's files from being imported."""
    variables = variables_for(python) | {SENT_FOR: framework}
    command = [str(python), "-P", "-m", "atomgraft", *sys.argv[1:]]
    sys.stdout.flush()
    os.execve(python, command, variables)
