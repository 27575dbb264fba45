"""Reading files of labelled structures of all formats."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Unpack

import numpy as np
from ase import Atoms

from atomgraft.core.errors import BadInputError
from atomgraft.core.reading import empty, format_suffix, is_compressed, read_lines
from atomgraft.data.ase_files import read_database, read_extxyz, read_output
from atomgraft.data.canonical import LABEL_KEYS, RESERVED, UNREAD_LABELS, canonical
from atomgraft.data.force_files import with_forces_beside
from atomgraft.data.label_keys import ENERGY_KEYS, FORCES_KEYS, LabelKeys, LabelOptions
from atomgraft.data.partners import DISPLACEMENT, SYMMETRY_TOLERANCE
from atomgraft.data.phonopy_files import SETS, chosen_set, read_calculation
from atomgraft.data.sources import (
    HEAD_BYTES,
    FileKind,
    Source,
    kind_of_file,
    kind_of_text,
    parse_source,
)
from atomgraft.data.supercell_sets import unreadable

READABLE = (
    ".extxyz and .xyz (also .gz, .xz), phonopy .yaml (also .xz, .gz), ASE .db, .json"
    " and .traj, VASP OUTCAR and vasprun.xml, outputs (.out, .pwo, .log, .txt) of"
    " Quantum ESPRESSO, FHI-aims, ORCA, Gaussian, NWChem, CASTEP, GPAW and ABINIT"
)

OUTPUT_SUFFIXES = frozenset({".out", ".log", ".txt", ".castep", ".abo", ""})
"""Names that any program may give to its output; the content says which."""


def read_structures(
    paths: Sequence[Path | str], **labels: Unpack[LabelOptions]
) -> list[Atoms]:
    """Read labelled structures, in order, with labels under the canonical keys.

    Frames are counted from 0. ``REF_*`` keys win over plain ones. Labels are taken to
    be in eV, eV/Å and eV/Å³ (tensile-positive) unless options say otherwise; a key
    named virial is taken to be minus the volume times the stress, eV. Outputs of
    programs are converted as ASE does it.

    Parameters
    ----------
    paths
        Files; ``file@0:10`` chooses frames, ``file.yaml#phonon_dataset`` the
        second set of a phono3py file.
    labels
        Fields of :class:`atomgraft.data.label_keys.LabelKeys`: names, units and order
        where they are not the known ones.

    Returns
    -------
    list[Atoms]
        Without calculators and constraints; ``info["source"]`` names file and frame.

    Raises
    ------
    BadInputError
        A file, a frame or a label cannot be used; the message names it.

    Examples
    --------
    >>> from ase import Atoms
    >>> from ase.io import write
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     path = Path(folder) / "train.extxyz"
    ...     write(path, Atoms("H", info={"REF_energy": -1.0}))
    ...     [atoms] = read_structures([path])
    >>> atoms.info["REF_energy"]
    -1.0
    """
    keys = LabelKeys(**labels)
    if not paths:
        raise BadInputError(
            "No file was given.", "Expected at least one.", "Name a file."
        )
    sources = [parse_source(path) for path in paths]
    structures = [atoms for source in sources for atoms in _read(source, keys)]
    _check_given_keys(structures, keys)
    return structures


def _read(source: Source, keys: LabelKeys) -> list[Atoms]:
    states_units = output_format(source.path) is not None or _is_yaml(source.path)
    if states_units and (given := keys.units()):
        option, unit = next(iter(given.items()))
        raise BadInputError(
            f"{source.path} was to be read with {option} {unit}.",
            "The output of a program states its own units.",
            "Leave the option out; read files that need it in a separate command.",
        )
    structures = [
        canonical(frame, source.frame(i), keys) for i, frame in _frames(source)
    ]
    if not structures:
        raise _no_structures(source)
    return structures


def _no_structures(source: Source) -> BadInputError:
    """Return the error for a file without frames, or without those chosen."""
    if source.selection:
        return BadInputError(
            f"{source.path}@{source.selection} holds no structures.",
            "Expected at least one frame.",
            "Choose existing frames; the first is 0.",
        )
    output = output_format(source.path)
    read = f" was read as {output} and" if output else ""
    return BadInputError(
        f"{source.path}{read} holds no structures.",
        "Expected at least one finished step or frame.",
        "Check the end of the file: the calculation may have stopped before its "
        "first step, or the file may come from another program.",
    )


def _frames(source: Source) -> Iterator[tuple[int, Atoms]]:
    """Yield raw frames with their numbers, the format told from the file's name."""
    suffix = format_suffix(source.path)
    if _is_yaml(source.path):
        return read_phonopy(source)
    if source.dataset is not None:
        raise BadInputError(
            f"{source.path} was asked for its part {source.dataset!r}.",
            "Only phonopy files have named parts.",
            "Leave out the part after #.",
        )
    if suffix in {".extxyz", ".xyz"}:
        return read_extxyz(source)
    if suffix in {".db", ".json"}:
        return read_database(source)
    if suffix == ".traj":
        return read_output(source, "traj")
    if (output := output_format(source.path)) is not None:
        return read_output(source, output)
    raise _unknown(source.path)


def _is_yaml(path: Path) -> bool:
    return format_suffix(path) in {".yaml", ".yml"}


def _unknown(path: Path) -> BadInputError:
    """Return the error for a file that is not read, with what it looks like."""
    kind = None if is_compressed(path) else kind_of_file(path)
    if path.stat().st_size == 0:
        return empty(path)
    if kind is None:
        return BadInputError(
            f"{path} has no known format, by its name and content.",
            f"Readable: {READABLE}.",
            "Rename the file, or convert it: ase convert FILE train.extxyz",
        )
    remedy = kind.remedy.replace("FILE", str(path))
    return BadInputError(
        f"{path} looks like: {kind.name}, which is not read.",
        f"Readable: {READABLE}.",
        remedy,
    )


def output_format(path: Path) -> str | None:
    """Return ASE's name for the output of a program, which states its own units.

    The content decides, where it says which program wrote it; then the name.

    Parameters
    ----------
    path
        Of a file, plain or compressed.

    Raises
    ------
    BadInputError
        The content is that of another program than the name says, and is not read.
    """
    suffix = format_suffix(path)
    named = {".xml": "vasp-xml", ".pwo": "espresso-out"}.get(suffix)
    if "outcar" in path.name.lower():
        named = "vasp-out"
    if named is None and suffix not in OUTPUT_SUFFIXES:
        return None
    kind = _kind(path)
    if kind is not None and kind.ase_format is None:
        raise _unknown(path)
    if kind is not None:
        return kind.ase_format
    return named


def _kind(path: Path) -> FileKind | None:
    if not is_compressed(path):
        return kind_of_file(path)
    head, n_bytes = [], 0
    for line in read_lines(path, max_bytes=None):
        head.append(line)
        n_bytes += len(line)
        if n_bytes > HEAD_BYTES:
            break
    return kind_of_text("".join(head).encode("latin-1", "replace"))


def _check_given_keys(structures: Sequence[Atoms], keys: LabelKeys) -> None:
    """Refuse a key that the user named and that no frame has."""
    for quantity, key in keys.given().items():
        if not any(quantity in atoms.info[LABEL_KEYS] for atoms in structures):
            there = {name for atoms in structures for name in atoms.info}
            there |= {name for atoms in structures for name in atoms.arrays}
            there -= RESERVED | {"numbers", "positions"}
            there |= {
                name
                for atoms in structures
                for name in atoms.info.get(UNREAD_LABELS, ())
            }
            raise BadInputError(
                f"No frame has the key {key!r} that was given for the {quantity}.",
                f"Keys that are there: {', '.join(sorted(there)) or 'none'}.",
                "Name one of them.",
            )
    for option, unit in keys.units().items():
        quantity = option.removeprefix("--").partition("-")[0]
        if not any(quantity in atoms.info[LABEL_KEYS] for atoms in structures):
            raise BadInputError(
                f"{option} {unit} was given, and no frame has a label for its"
                f" {quantity}.",
                "A unit is used only with a label.",
                f"Leave it out, or give the key with --{quantity}-key.",
            )


DISPLACEMENT_RMS = "displacement_rms"
"""Root mean square over all Cartesian components of the displacement, Å."""


def read_phonopy(source: Source) -> Iterator[tuple[int, Atoms]]:
    """Yield number and content of the displaced supercells that have forces.

    Each gets ``config_type`` ``phonopy``, its displacement as an array, and in
    ``info`` the size of it and the tolerance of the symmetry search.

    Parameters
    ----------
    source
        ``dataset`` names the set; none is ``dataset``.

    Raises
    ------
    BadInputError
        The file is no phonopy file, has no forces, or its parts do not fit.
    """
    calculation = read_calculation(source)
    displaced = with_forces_beside(
        chosen_set(calculation, source.dataset or SETS[0], source),
        calculation.units,
        source,
        is_phono3py=calculation.is_phono3py,
    )
    if displaced.forces is None:
        raise unreadable(source, f"has no forces in its {displaced.name}")
    for i in np.flatnonzero(displaced.is_evaluated)[source.frames]:
        displacement = displaced.displacements[i]
        atoms = displaced.ideal.copy()
        atoms.positions += displacement
        atoms.arrays[DISPLACEMENT] = displacement.copy()
        atoms.arrays[FORCES_KEYS[0]] = displaced.forces[i]
        if displaced.energies is not None:
            atoms.info[ENERGY_KEYS[0]] = float(displaced.energies[i])
        atoms.info["config_type"] = "phonopy"
        if calculation.symmetry_tolerance is not None:
            atoms.info[SYMMETRY_TOLERANCE] = calculation.symmetry_tolerance
        atoms.info[DISPLACEMENT_RMS] = float(np.sqrt(np.mean(displacement**2)))
        yield int(i), atoms
