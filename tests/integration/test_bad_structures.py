"""Files that cannot be used: each is refused in one paragraph, never with a crash."""

import gzip
import json
import lzma
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import ase.io
import numpy as np
import pytest
import yaml
from ase import Atoms
from ase.build import bulk
from ase.calculators.singlepoint import SinglePointCalculator

from atomgraft.core.errors import BadInputError
from atomgraft.data.readers import read_structures

GOOD = """2
Lattice="4 0 0 0 4 0 0 0 4" Properties=species:S:1:pos:R:3:forces:R:3 energy=-1.5 pbc="T T T"
Si 0 0 0 0.1 0 0
Si 2 2 2 -0.1 0 0
"""  # noqa: E501  # the comment line of the format


def edited(old: str, new: str) -> str:
    assert old in GOOD
    return GOOD.replace(old, new)


def with_entry(entry: str) -> str:
    return edited("energy=-1.5", f"energy=-1.5 {entry}")


EXTXYZ = {
    "atom lines missing": GOOD.rsplit("\n", 2)[0] + "\n",
    "cut off in a line": GOOD[:-12],
    "second frame cut off": GOOD + GOOD[:60],
    "no comment line": "2\n",
    "claims a billion atoms": edited("2\nLattice", "3000000000\nLattice"),
    "claims a number of 30 digits": edited("2\nLattice", "9" * 30 + "\nLattice"),
    "claims no atoms": "0\n\n",
    "claims minus two atoms": edited("2\nLattice", "-2\nLattice"),
    "claims half an atom": edited("2\nLattice", "2.5\nLattice"),
    "begins with words": "hello\n" + GOOD,
    "blank line between frames": GOOD + "\n" + GOOD,
    "one line too many": GOOD + "Si 1 1 1 0 0 0\n",
    "only blank lines": "\n\n\n",
    "NaN energy": edited("-1.5", "nan"),
    "infinite energy": edited("-1.5", "inf"),
    "energy is a word": edited("-1.5", "minus_one"),
    "energy is true": edited("-1.5", "T"),
    "energy per atom": edited("energy=-1.5", 'REF_energy="-1 -0.5"'),
    "energy of 1e300": edited("-1.5", "1e300"),
    "NaN forces": edited("0.1 0 0\n", "nan 0 0\n"),
    "infinite forces": edited("0.1 0 0\n", "inf 0 0\n"),
    "forces of 1e30": edited("0.1 0 0\n", "1e30 0 0\n"),
    "two force columns": edited("forces:R:3", "forces:R:2:tag:R:1"),
    "one force column": GOOD.replace("forces:R:3", "REF_forces:R:1:x:R:2"),
    "forces are words": edited("forces:R:3", "REF_forces:S:3"),
    "force column missing": edited("0.1 0 0\n", "0.1 0\n"),
    "column too many": edited("0.1 0 0\n", "0.1 0 0 7\n"),
    "forces not a number": edited("0.1 0 0\n", "0.1 0 x\n"),
    "NaN position": edited("Si 0 0 0", "Si nan 0 0"),
    "position of 1e9 Å": edited("Si 0 0 0", "Si 1e9 0 0"),
    "position of stars": edited("Si 0 0 0", "Si ******* 0 0"),
    "unknown element": edited("Si 0 0 0", "Qq 0 0 0"),
    "dummy atom": edited("Si 0 0 0", "X 0 0 0"),
    "periodic without cell": edited('Lattice="4 0 0 0 4 0 0 0 4" ', ""),
    "zero cell": edited("4 0 0 0 4 0 0 0 4", "0 0 0 0 0 0 0 0 0"),
    "singular cell": edited("4 0 0 0 4 0 0 0 4", "4 0 0 4 0 0 0 0 4"),
    "NaN cell": edited("4 0 0 0 4 0 0 0 4", "nan 0 0 0 4 0 0 0 4"),
    "cell of eight numbers": edited("4 0 0 0 4 0 0 0 4", "4 0 0 0 4 0 0 0"),
    "cell of words": edited("4 0 0 0 4 0 0 0 4", "a b c d e f g h i"),
    "Properties without columns": edited("forces:R:3", "forces:R"),
    "Properties of unknown type": edited("forces:R:3", "forces:Z:3"),
    "no positions": edited("pos:R:3", "place:R:3"),
    "stress of four": with_entry('REF_stress="1 2 3 4"'),
    "NaN stress": with_entry('REF_stress="nan 0 0 0 0 0"'),
    "asymmetric stress": with_entry('REF_stress="1 2 0 0 1 0 0 0 1"'),
    "virial of three": with_entry('REF_virial="1 2 3"'),
    "binary": "\0\1\2",
    "one endless line": "Si " * 500_000,
}


@pytest.mark.parametrize("name", EXTXYZ)
def test_extxyz_is_refused(name: str, tmp_path: Path) -> None:
    path = tmp_path / "train.extxyz"
    path.write_text(EXTXYZ[name])
    refused(path)


def test_the_good_frame_is_read(tmp_path: Path) -> None:
    """The control: what the others are edited from is fine."""
    path = tmp_path / "train.extxyz"
    path.write_text(GOOD)
    assert len(read_structures([path])) == 1


BYTES = {
    "empty.extxyz": b"",
    "empty.yaml": b"",
    "empty.db": b"",
    "OUTCAR": b"",
    "noise.extxyz": bytes(range(256)) * 50,
    "latin.extxyz": b"2\nname=\xe9\nSi 0 0 0\nSi 1 1 1\n",
    "cut.extxyz.gz": gzip.compress(GOOD.encode())[:-20],
    "cut.extxyz.xz": lzma.compress(GOOD.encode())[:-20],
    "plain.extxyz.gz": GOOD.encode(),
    "noise.db": b"no database, but long enough to be one" * 100,
    "magic.db": b"SQLite format 3\0" + bytes(range(256)) * 50,
    "noise.json": b'{"1": ',
    "list.json": b"[1, 2]",
    "other.json": json.dumps({"hello": 1}).encode(),
    "noise.OUTCAR": b"no output of VASP at all\n" * 20,
    "noise.xml": b"<modeling><calculation>",
    "other.xml": b"<html></html>",
    "noise.pwo": b"no output of pw.x at all\n" * 20,
    "noise.traj": bytes(range(256)) * 20,
    "model.pth": b"PK\3\4",
    "noname": GOOD.encode(),
    "POSCAR.cif": b"data_x",
}


@pytest.mark.parametrize("name", BYTES)
def test_bytes_are_refused(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_bytes(BYTES[name])
    refused(path)
    assert path.read_bytes() == BYTES[name]
    assert list(tmp_path.iterdir()) == [path]


def phonopy_document() -> dict[str, Any]:
    return {
        "phonopy": {"version": "2.0"},
        "supercell": {
            "lattice": [[4, 0, 0], [0, 4, 0], [0, 0, 4]],
            "points": [
                {"symbol": "Na", "coordinates": [0, 0, 0]},
                {"symbol": "Cl", "coordinates": [0.5, 0.5, 0.5]},
            ],
        },
        "dataset": {
            "displacements": [[[0.01, 0, 0], [0, 0, 0]]],
            "forces": [[[-0.1, 0, 0], [0.1, 0, 0]]],
        },
    }


def remove(key: str) -> Callable[[dict[str, Any]], object]:
    return lambda document: document.pop(key)


def in_dataset(**changes: object) -> Callable[[dict[str, Any]], object]:
    return lambda document: document["dataset"].update(changes)


def one_atom(**changes: object) -> Callable[[dict[str, Any]], object]:
    def change(document: dict[str, Any]) -> None:
        del document["dataset"]
        entry = {"atom": 1, "displacement": [0.01, 0, 0], "forces": [[0, 0, 0]] * 2}
        document["displacements"] = [{**entry, **changes}]

    return change


PHONOPY: dict[str, Callable[[dict[str, Any]], object]] = {
    "no supercell": remove("supercell"),
    "no dataset": remove("dataset"),
    "no lattice": lambda document: document["supercell"].pop("lattice"),
    "unknown symbol": lambda d: d["supercell"]["points"][0].update(symbol="Qq"),
    "flat lattice": lambda d: d["supercell"].update(lattice=[[4, 0, 0]] * 3),
    "dataset is a word": lambda document: document.update(dataset="forces"),
    "dataset is empty": lambda document: document.update(dataset={}),
    "no forces": in_dataset(forces=None),
    "no displacements": in_dataset(displacements=None),
    "forces of one atom": in_dataset(forces=[[[0, 0, 0]]]),
    "two force sets": in_dataset(forces=[[[0, 0, 0]] * 2] * 2),
    "ragged forces": in_dataset(forces=[[[0, 0, 0], [0, 0]]]),
    "forces of words": in_dataset(forces=[[["a", 0, 0]] * 2]),
    "NaN forces": in_dataset(forces=[[[float("nan"), 0, 0]] * 2]),
    "huge forces": in_dataset(forces=[[[1e30, 0, 0]] * 2]),
    "no frames": in_dataset(displacements=[], forces=[]),
    "too many energies": in_dataset(supercell_energies=[1.0, 2.0]),
    "energies of words": in_dataset(supercell_energies=["a"]),
    "atom out of range": one_atom(atom=3),
    "atom zero": one_atom(atom=0),
    "atom without forces": one_atom(forces=None),
    "flat displacement": one_atom(displacement=[0.01]),
    "rydbergs": lambda d: d.update(physical_unit={"force": "stone/yard"}),
    "other calculator": lambda document: document["phonopy"].update(calculator="quill"),
    "pairs": lambda d: (d.pop("dataset"), d.update(displacement_pairs=[])),
}


@pytest.mark.parametrize("name", PHONOPY)
def test_phonopy_file_is_refused(name: str, tmp_path: Path) -> None:
    document = phonopy_document()
    PHONOPY[name](document)
    path = tmp_path / "phonopy.yaml"
    path.write_text(yaml.safe_dump(document))
    refused(path)


@pytest.mark.parametrize(
    "text",
    ["a: [", "- 1\n- 2\n", "just words", "a: &a [*a]", "!!python/object:os.x {}"],
)
def test_other_yaml_is_refused(text: str, tmp_path: Path) -> None:
    path = tmp_path / "phonopy.yaml"
    path.write_text(text)
    refused(path)


def test_the_good_phonopy_file_is_read(tmp_path: Path) -> None:
    path = tmp_path / "phonopy.yaml"
    path.write_text(yaml.safe_dump(phonopy_document()))
    assert len(read_structures([path])) == 1
    refused(f"{path}#phonon_dataset")
    refused(f"{path}#other")


@pytest.mark.parametrize(
    "selection", ["@5:", "@", "@a", "@1:2:3:4", "@::0", "@::-1", "@-", "#dataset", "@9"]
)
def test_selection_is_refused(selection: str, tmp_path: Path) -> None:
    path = tmp_path / "train.extxyz"
    path.write_text(GOOD)
    refused(f"{path}{selection}")


def test_a_path_that_is_not_there_is_refused(tmp_path: Path) -> None:
    refused(tmp_path / "nothing.extxyz")
    refused(tmp_path)
    with pytest.raises(BadInputError, match="No file"):
        read_structures([])


@pytest.mark.parametrize(
    "options",
    [
        {"stress_unit": "psi"},
        {"stress_unit": "GPa"},
        {"energy_key": "dft_energy"},
        {"forces_key": "dft_forces"},
        {"stress_key": "dft_stress"},
    ],
)
def test_an_option_that_fits_no_label_is_refused(
    options: dict[str, str], tmp_path: Path
) -> None:
    path = tmp_path / "train.extxyz"
    path.write_text(GOOD)
    refused(path, **options)


def test_a_virial_in_another_unit_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "train.extxyz"
    path.write_text(with_entry('virial="1 0 0 0 1 0 0 0 1"'))
    refused(path, stress_unit="kbar")


def test_a_stress_without_a_volume_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "train.extxyz"
    path.write_text(
        with_entry('REF_stress="1 1 1 0 0 0"')
        .replace('Lattice="4 0 0 0 4 0 0 0 4" ', "")
        .replace("T T T", "F F F")
    )
    refused(path)


def test_a_database_with_broken_labels_is_refused(tmp_path: Path) -> None:
    atoms = bulk("Si")
    forces = np.full((len(atoms), 3), np.nan)
    atoms.calc = SinglePointCalculator(atoms, energy=1.0, forces=forces)
    path = tmp_path / "train.db"
    ase.io.write(path, atoms)
    refused(path)


def test_an_empty_database_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "train.db"
    ase.io.write(path, Atoms("H"))
    database = ase.db.connect(path)
    del database[1]
    refused(path)


def refused(path: Path | str, **options: str) -> None:
    """Check that a file is refused with all three parts of the paragraph."""
    with pytest.raises(BadInputError) as caught:
        read_structures([path], **options)
    error = caught.value
    assert type(error) is BadInputError
    parts = [error.came, error.needed, error.remedy]
    assert all(part.strip() and "\n" not in part for part in parts)
    assert re.split("[@#]", str(path))[0] in str(error) or options
    assert len(str(error)) < 1200
