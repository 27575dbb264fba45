"""One function for every file of labelled structures."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from ase import Atoms

from atomgraft.core.errors import BadInputError
from atomgraft.data.ase_files import read_database, read_output
from atomgraft.data.canonical import LABEL_KEYS, canonical
from atomgraft.data.extxyz import read_extxyz
from atomgraft.data.label_keys import LabelKeys
from atomgraft.data.phonopy_frames import read_phonopy
from atomgraft.data.sources import Source, parse_source
from atomgraft.data.streams import format_suffix

READABLE = (
    ".extxyz and .xyz (also .gz, .xz), phonopy .yaml (also .xz, .gz), ASE .db, .json"
    " and .traj, VASP OUTCAR and vasprun.xml, Quantum ESPRESSO .pwo and .out"
)


def read_structures(
    paths: Sequence[Path | str],
    *,
    stress_unit: str | None = None,
    energy_key: str | None = None,
    forces_key: str | None = None,
    stress_key: str | None = None,
) -> list[Atoms]:
    """Read labelled structures, in order, with labels under the canonical keys.

    Frames are counted from 0. ``REF_*`` keys win over plain ones. A stress is
    taken to be in eV/Å³, tensile-positive, unless `stress_unit` says otherwise; a
    key named virial is taken to be minus the volume times the stress, eV. Energies
    of VASP and Quantum ESPRESSO are those that ASE calls ``energy``.

    Parameters
    ----------
    paths
        Files; ``file@0:10`` chooses frames, ``file.yaml#phonon_dataset`` the
        second set of a phono3py file.
    stress_unit
        ``eV/A^3``, ``GPa``, ``kbar``, the same with a minus sign in front where
        compression is positive, or ``virial``.
    energy_key
        Name of the energy, eV, where it is none of the known ones.
    forces_key
        Name of the forces, eV/Å, where it is none of the known ones.
    stress_key
        Name of the stress, where it is none of the known ones.

    Returns
    -------
    list[Atoms]
        Without calculators and constraints; ``info["source"]`` names file and frame.

    Raises
    ------
    BadInputError
        A file, a frame or a label cannot be used as it is.

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
    keys = LabelKeys(
        energy=energy_key, forces=forces_key, stress=stress_key, stress_unit=stress_unit
    )
    if not paths:
        raise BadInputError(
            "No file was given.", "At least one is needed.", "Name a file."
        )
    sources = [parse_source(path) for path in paths]
    structures = [atoms for source in sources for atoms in _read(source, keys)]
    _check_given_keys(structures, keys)
    return structures


def _read(source: Source, keys: LabelKeys) -> list[Atoms]:
    if keys.stress_unit is not None and output_format(source.path) is not None:
        raise BadInputError(
            f"{source.path} was to be read with the stress unit {keys.stress_unit}.",
            "The output of a program states its own unit.",
            "Leave the unit out; read files that need one by themselves.",
        )
    structures = [
        canonical(frame, source.frame(i), keys) for i, frame in _frames(source)
    ]
    if not structures:
        chosen = f"@{source.selection}" if source.selection else ""
        raise BadInputError(
            f"{source.path}{chosen} holds no structures.",
            "At least one frame is needed.",
            "Choose frames that are there; the first is 0.",
        )
    return structures


def _frames(source: Source) -> Iterator[tuple[int, Atoms]]:
    """Yield raw frames with their numbers, the format told from the file's name."""
    suffix = format_suffix(source.path)
    if suffix in {".yaml", ".yml"}:
        return read_phonopy(source)
    if source.dataset is not None:
        raise BadInputError(
            f"{source.path} was asked for its part {source.dataset!r}.",
            "Only phonopy files have named parts.",
            "Leave the part behind # out.",
        )
    if suffix in {".extxyz", ".xyz"}:
        return read_extxyz(source)
    if suffix in {".db", ".json"}:
        return read_database(source)
    if (output := output_format(source.path)) is not None:
        return read_output(source, output)
    if suffix == ".traj":
        return read_output(source, "traj")
    raise BadInputError(
        f"{source.path} has a name that tells no known format.",
        f"Readable: {READABLE}.",
        "Rename the file, or convert it: ase convert FILE train.extxyz.",
    )


def output_format(path: Path) -> str | None:
    """Return ASE's name for the output of a program, which states its own units.

    Examples
    --------
    >>> output_format(Path("relax/OUTCAR.gz"))
    'vasp-out'
    """
    if "outcar" in path.name.lower():
        return "vasp-out"
    suffixes = {".xml": "vasp-xml", ".pwo": "espresso-out", ".out": "espresso-out"}
    return suffixes.get(format_suffix(path))


def _check_given_keys(structures: Sequence[Atoms], keys: LabelKeys) -> None:
    """Refuse a key that the user named and that no frame has."""
    for quantity, key in keys.given().items():
        if not any(quantity in atoms.info[LABEL_KEYS] for atoms in structures):
            there = {name for atoms in structures for name in atoms.info}
            there |= {name for atoms in structures for name in atoms.arrays}
            there -= {LABEL_KEYS, "source", "numbers", "positions"}
            raise BadInputError(
                f"No frame has the key {key!r} that was named for the {quantity}.",
                f"Keys that are there: {', '.join(sorted(there)) or 'none'}.",
                "Name one of them.",
            )
    has_stress = any("stress" in atoms.info[LABEL_KEYS] for atoms in structures)
    if keys.stress_unit is not None and not has_stress:
        raise BadInputError(
            f"A stress unit was given ({keys.stress_unit}), and no frame has a stress.",
            "A unit needs a label to belong to.",
            "Leave the unit out, or name the key of the stress.",
        )
