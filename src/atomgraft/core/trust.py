"""Permission of the user to run code of a model file with a given content.

Trust is given to what a command line names, by path and SHA-256, and to nothing that
such a file or folder points to in turn.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path

from atomgraft.core.errors import BadInputError
from atomgraft.core.provenance import file_fingerprint
from atomgraft.core.storage import is_file

Trust = Mapping[str, str]
"""SHA-256 by absolute path; an empty text by published name. Plain values, so that it
travels to worker processes as it is."""

NO_TRUST: Trust = {}
"""No file may run code."""


def trust_in(names: Iterable[str]) -> Trust:
    """Return trust in exactly these files, as they are now, and published names.

    Parameters
    ----------
    names
        Paths of files, or names that a framework knows; folders are left out.

    Examples
    --------
    >>> trust_in(["mace-mp-0b3"])
    {'mace-mp-0b3': ''}
    """
    trust: dict[str, str] = {}
    for name in names:
        path = Path(name)
        if is_file(path):
            trust[str(path.resolve())] = file_fingerprint(path)
        elif not path.exists():
            trust[name.lower()] = ""
    return trust


def is_trusted(name: str, trust: Trust) -> bool:
    """Tell whether a model may run code when it is loaded.

    Parameters
    ----------
    name
        A path or a published name.
    trust
        What the user has named.

    Raises
    ------
    BadInputError
        The file is not the one any more that was named.

    Examples
    --------
    >>> is_trusted("mace-mp-0b3", NO_TRUST)
    False
    """
    path = Path(name)
    if not is_file(path):
        return name.lower() in trust
    expected = trust.get(str(path.resolve()))
    if expected is None:
        return False
    found = file_fingerprint(path)
    if found != expected:
        raise BadInputError(
            f"{path} has changed since it was trusted: its SHA-256 was "
            f"{expected[:16]}... and is {found[:16]}...",
            "--trust covers one content of a file.",
            "Run the command again if you know who changed it.",
        )
    return True
