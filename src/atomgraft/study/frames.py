"""Structures given as objects: kept as files in the folder they are for."""

import contextlib
import hashlib
from collections.abc import Generator, Iterable
from pathlib import Path
from typing import Unpack

from ase import Atoms

from atomgraft.core.errors import BadInputError
from atomgraft.core.outputs import INPUTS, held
from atomgraft.core.storage import make_folder, remove_empty, write_atomically
from atomgraft.data.canonical import canonical
from atomgraft.data.exact_files import raw_text
from atomgraft.data.label_keys import LabelKeys, LabelOptions

N_HASH = 12
"""Characters of a file's SHA-256 in its name: the same structures, the same file."""

Given = str | Path | Atoms | Iterable[str | Path] | Iterable[Atoms]
"""Files, or structures."""


class Frames:
    """Gives structures file names, and writes them once all is known to be usable.

    Parameters
    ----------
    folder
        The folder of what is made from them.
    labels
        How their labels are called, as in :class:`LabelKeys`.
    """

    def __init__(self, folder: Path, **labels: Unpack[LabelOptions]) -> None:
        self.folder, self.keys = folder, LabelKeys(**labels)
        self.texts: dict[Path, str] = {}
        self.arguments: dict[Path, str] = {}

    def named(
        self, given: Given, argument: str, *, stem: str | None = None
    ) -> tuple[str, ...]:
        """Return the files that an argument means.

        Parameters
        ----------
        given
            One file or several, one structure or several.
        argument
            Its name, for messages.
        stem
            Of the file that structures are written to; none is the argument's name.

        Raises
        ------
        BadInputError
            It is neither, or a label or geometry is broken.
        """
        alone = isinstance(given, str | Path | Atoms)
        parts = [given] if alone else list(_iterated(given, argument))
        if not parts:
            raise BadInputError(
                f"{argument} is an empty list.",
                "At least one structure or file is needed.",
                f"Check what {argument} holds.",
            )
        if all(isinstance(one, str | Path) for one in parts):
            return tuple(map(str, parts))
        structures: list[Atoms] = []
        for i, one in enumerate(parts):
            if not isinstance(one, Atoms):
                raise _wrong(one, f"{argument}[{i}]", argument)
            canonical(one, f"{argument}[{i}]", self.keys)
            structures.append(one)
        text = raw_text(structures)
        digest = hashlib.sha256(text.encode()).hexdigest()[:N_HASH]
        path = self.folder / INPUTS / f"{stem or argument}.{digest}.extxyz"
        self.texts[path], self.arguments[path] = text, argument
        return (str(path),)

    def crystal(self, atoms: Atoms, argument: str) -> str:
        """Return the file of one structure, without labels and named after it.

        Parameters
        ----------
        atoms
            Geometry and magnetic moments are kept.
        argument
            As in `named`.

        Raises
        ------
        BadInputError
            The geometry is broken.
        """
        bare = Atoms(atoms.numbers, atoms.positions, cell=atoms.cell, pbc=atoms.pbc)
        if atoms.has("initial_magmoms"):
            bare.set_initial_magnetic_moments(atoms.get_initial_magnetic_moments())
        [path] = self.named(bare, argument, stem=formula_of(atoms))
        return path

    @contextlib.contextmanager
    def written(self, verb: str | None) -> Generator[None]:
        """Write the structures into their folder; what is refused then does not stay.

        A refusal names arguments in place of the files that stand for them.

        Parameters
        ----------
        verb
            Whose folder it is; none where another verb made it.

        Raises
        ------
        BadInputError
            The folder holds what is not ours.
        StorageError
            It cannot be written.
        """
        if not self.texts:
            yield
            return
        new = [path for path in self.texts if not path.exists()]
        with held(self.folder, verb):
            make_folder(self.folder / INPUTS)
            for path, text in self.texts.items():
                write_atomically(path, text)
        try:
            yield
        except BadInputError as error:
            error.reword(self._as_arguments)
            with held(self.folder, verb) as place:
                for path in new:
                    place.remove(f"{INPUTS}/{path.name}")
            remove_empty(self.folder / INPUTS)
            raise

    def _as_arguments(self, text: str) -> str:
        for path, argument in self.arguments.items():
            text = text.replace(str(path), argument)
        return text


def formula_of(atoms: Atoms) -> str:
    """Return a name for a structure."""
    return atoms.get_chemical_formula(empirical=True)


def _iterated(given: object, argument: str) -> Iterable[object]:
    if not isinstance(given, Iterable) or isinstance(given, dict | bytes):
        raise _wrong(given, argument, argument)
    return given


def _wrong(given: object, place: str, argument: str) -> BadInputError:
    return BadInputError(
        f"{place} is of type {type(given).__name__}.",
        "Files, or structures (ase.Atoms), are needed, not both in one list.",
        f"Give {argument}='file.extxyz' or {argument}=[atoms, ...].",
    )
