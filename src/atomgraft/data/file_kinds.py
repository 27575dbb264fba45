"""Which program wrote a file, told from its content and not from its name."""

from pathlib import Path
from typing import NamedTuple

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
