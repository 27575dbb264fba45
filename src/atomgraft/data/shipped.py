"""The DFT sets inside the package: silicon and germanium, computed with GPAW."""

from importlib.resources import as_file, files
from pathlib import Path

from atomgraft.core.errors import BadInputError

PREFIX = "shipped:"

SETS = ("si-train", "si-test", "si-phonons", "ge-train", "ge-test", "ge-phonons")
"""Names: ``shipped:si-train`` stands for a file wherever files are read."""


def shipped_path(name: str) -> Path:
    """Return the file of a shipped set.

    ``train`` is rattled and strained, ``test`` comes from hot molecular dynamics,
    ``phonons`` is a supercell as it is and with one atom moved; see the data card
    beside the files.

    Parameters
    ----------
    name
        One of `SETS`.

    Raises
    ------
    BadInputError
        There is no such set.
    """
    if name not in SETS:
        raise BadInputError(
            f"There is no shipped set {name!r}.",
            f"Shipped: {', '.join(SETS)}.",
            "Write for example shipped:si-train",
        )
    with as_file(files("atomgraft.data") / "shipped" / f"{name}.extxyz") as path:
        return path
