"""File, frames and part named by an argument (``file.extxyz@0:10``)."""

import dataclasses
import os
import re
from importlib.resources import as_file, files
from pathlib import Path
from typing import NamedTuple

from atomgraft.core.errors import BadInputError
from atomgraft.core.reading import check_file
from atomgraft.core.registry import unknown
from atomgraft.core.storage import is_file, is_folder

HEAD_BYTES = 64 * 1024
"""Read from the beginning of a file: programs print their name there."""


class FileKind(NamedTuple):
    """A kind of file.

    Parameters
    ----------
    name
        How people call it.
    ase_format
        Under which ASE reads energies and forces from it; none if it does not.
    remedy
        What to type to get extended XYZ of it; empty where it is read.
    """

    name: str
    ase_format: str | None = None
    remedy: str = ""


def _by_dpdata(kind: str, file: str = "FILE") -> str:
    return (
        'Convert it with dpdata: python -c "import ase.io, dpdata; ase.io.write('
        f"'train.extxyz', dpdata.LabeledSystem('{file}', fmt='{kind}')"
        ".to('ase/structure'))\""
    )


_CONVERT = (
    "Write its structures with energies and forces to extended XYZ, for example with "
    "ase.io.write('train.extxyz', frames)."
)

_TEXTS = (
    ("Program PWSCF", FileKind("Quantum ESPRESSO output", "espresso-out")),
    ("CP2K|", FileKind("CP2K output", None, _by_dpdata("cp2k/output"))),
    ("FHI-aims", FileKind("FHI-aims output", "aims-output")),
    ("* O   R   C   A *", FileKind("ORCA output", "orca-output")),
    ("Entering Gaussian System", FileKind("Gaussian output", "gaussian-out")),
    ("Northwest Computational Chemistry", FileKind("NWChem output", "nwchem-out")),
    ("CASTEP", FileKind("CASTEP output", "castep-castep")),
    ("|__ |  _|___|_____|", FileKind("GPAW output", "gpaw-out")),
    (".Version", FileKind("ABINIT output", "abinit-out")),
    ("# The current total energy in Eh", FileKind("ORCA engrad", None, _CONVERT)),
    ("Welcome to SIESTA", FileKind("SIESTA output", None, _by_dpdata("siesta/output"))),
    ("ITEM: TIMESTEP", FileKind("LAMMPS dump", None, _CONVERT)),
    ("BEGIN_CFG", FileKind("MTP configurations", None, _CONVERT)),
    ("<modeling>", FileKind("VASP vasprun.xml", "vasp-xml")),
    ("INCAR:", FileKind("VASP OUTCAR", "vasp-out")),
    (" vasp.", FileKind("VASP OUTCAR", "vasp-out")),
)
"""What a text holds near its beginning, and what it then is."""

_BYTES = (
    (b"\x89HDF\r\n\x1a\n", FileKind("HDF5", None, _CONVERT)),
    (b"PK\x03\x04", FileKind("zip archive (.npz, .pt, .pth)", None, _CONVERT)),
    (b"\x93NUMPY", FileKind("NumPy array", None, _CONVERT)),
)

_AS_ASE_DATABASE = (
    "Write its rows to extended XYZ: fairchem's AseDBDataset gives them with "
    "get_atoms(i)."
)

_NAMES = {
    ".h5": FileKind("HDF5 file", None, _CONVERT),
    ".hdf5": FileKind("HDF5 file", None, _CONVERT),
    ".aselmdb": FileKind("ASE-LMDB database of fairchem", None, _AS_ASE_DATABASE),
    ".lmdb": FileKind("LMDB database", None, _AS_ASE_DATABASE),
    ".engrad": FileKind(
        "ORCA engrad file", None, "Give the ORCA output itself (.out), which is read."
    ),
    ".npz": FileKind("NumPy archive", None, _CONVERT),
    ".npy": FileKind("NumPy array", None, _CONVERT),
    ".cfg": FileKind("MTP configurations", None, _CONVERT),
    ".pt": FileKind("torch file", None, _CONVERT),
    ".pth": FileKind("torch file", None, _CONVERT),
}

_DEEPMD = FileKind("DeePMD-kit data set", None, _by_dpdata("deepmd/npy", "FOLDER"))


def kind_of_text(head: bytes) -> FileKind | None:
    """Return what a file is by its first bytes; none if it says nothing.

    Parameters
    ----------
    head
        The beginning of the file, decompressed.

    Examples
    --------
    >>> kind_of_text(b" CP2K| version string: CP2K version 2025.1").name
    'CP2K output'
    """
    for magic, kind in _BYTES:
        if head.startswith(magic):
            return kind
    text = head.decode("latin-1")
    return next((kind for mark, kind in _TEXTS if mark in text), None)


def kind_of_file(path: Path) -> FileKind | None:
    """Return what a file is by its content, else by its name; none if unknown.

    Parameters
    ----------
    path
        Of a plain file.
    """
    with path.open("rb") as stream:
        head = stream.read(HEAD_BYTES)
    return kind_of_text(head) or _NAMES.get(path.suffix.lower())


def kind_of_folder(path: Path) -> FileKind | None:
    """Return what a folder is by the files in it; none if unknown.

    Parameters
    ----------
    path
        Of a folder.
    """
    is_deepmd = any(path.glob("type.raw")) or any(path.glob("set.*"))
    return _DEEPMD if is_deepmd or any(path.glob("*/type.raw")) else None


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
        raise unknown("shipped set", name, SETS)
    with as_file(files("atomgraft.data") / "shipped" / f"{name}.extxyz") as path:
        return path


_SLICE = re.compile(r"^(-?\d*)(:(-?\d*))?(:(-?\d*))?$")

MAX_DIGITS = 18
"""Of a frame's number; more is no number of a frame."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Source:
    """A file and the part of it that was asked for.

    Parameters
    ----------
    path
        The file.
    frames
        Frames wanted, counted from zero.
    selection
        The same as it was typed; empty for all.
    dataset
        Named part of a phonopy file (``phonon_dataset``), or none.
    """

    path: Path
    frames: slice
    selection: str = ""
    dataset: str | None = None

    def frame(self, i: int) -> str:
        """Return the name of a frame for messages; the first is 0."""
        place = f"{self.path}#{self.dataset}" if self.dataset else str(self.path)
        return f"{place}, frame {i}"


def parse_source(text: Path | str) -> Source:
    """Split a file name from the frames and the dataset behind it.

    ``shipped:si-train`` stands for a set inside the package.

    Parameters
    ----------
    text
        ``file``, ``file@start:stop:step``, ``file@i`` or ``file#dataset``; a file
        that has exactly this name is taken as it is.

    Raises
    ------
    BadInputError
        There is no such file, or the frames are not a slice.

    Examples
    --------
    >>> parse_source(__file__ + "@:20").frames
    slice(None, 20, None)
    """
    whole = Path(text)
    if is_file(whole):
        return Source(path=whole, frames=slice(None))
    name, at, selection = str(text).rpartition("@")
    if not at:
        name, selection = str(text), ""
    frames = parse_frames(selection, str(text)) if at else slice(None)
    if name.startswith(PREFIX):
        path = shipped_path(name.removeprefix(PREFIX))
        return Source(path=path, frames=frames, selection=selection)
    if not is_file(Path(name)) and "#" in name:
        name, _, dataset = name.rpartition("#")
    else:
        dataset = None
    path = Path(name)
    if not is_file(path):
        raise _no_file(path)
    return Source(path=path, frames=frames, selection=selection, dataset=dataset)


def _no_file(path: Path) -> BadInputError:
    kind = kind_of_folder(path) if is_folder(path) else None
    if kind is not None:
        return BadInputError(
            f"{path} looks like: {kind.name}, which is not read.",
            "Expected a file with labelled structures.",
            kind.remedy.replace("FOLDER", str(path)),
        )
    if os.path.lexists(path) and not is_folder(path):
        check_file(path)  # says what it is instead
    what = "a folder" if is_folder(path) else "not there"
    return BadInputError(
        f"{path} is {what}.",
        "Expected a file with structures.",
        "Check the path; frames are chosen by FILE@START:STOP.",
    )


def parse_frames(selection: str, whole: str) -> slice:
    """Return the slice that a text such as ``0:10``, ``::2`` or ``5`` means.

    Parameters
    ----------
    selection
        The text behind ``@``.
    whole
        All that was typed, for the message.

    Raises
    ------
    BadInputError
        It is no slice, or its step is not positive.

    Examples
    --------
    >>> parse_frames("-1", "")
    slice(-1, None, None)
    """
    match = _SLICE.match(selection)
    parts = selection.split(":") if match and selection else []
    if not parts or "-" in parts or parts[2:3] == ["0"]:
        raise _bad_selection(selection, whole)
    if any(len(part) > MAX_DIGITS for part in parts):
        raise _bad_selection(selection[:60], whole[:200])
    numbers = [int(part) if part else None for part in parts]
    if len(numbers) == 1:
        i = numbers[0]
        assert i is not None  # an empty selection was refused above
        return slice(i, None if i == -1 else i + 1)
    if len(numbers) == 3 and numbers[2] is not None and numbers[2] < 1:
        raise _bad_selection(selection, whole)
    return slice(*numbers)


def _bad_selection(selection: str, whole: str) -> BadInputError:
    return BadInputError(
        f"'{selection}' behind '@' in {whole} does not name frames.",
        "Expected a slice with a positive step, or one number; the first frame is 0.",
        "For example: file.extxyz@0:10, file.extxyz@::2 or file.extxyz@5.",
    )
