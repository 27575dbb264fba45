"""Displaced supercells of phonopy and phono3py."""

import gzip
import lzma
from pathlib import Path

import numpy as np
import pytest
import yaml

from atomgraft.data.labels import count_labels, energy_of, forces_of
from atomgraft.data.readers import read_structures

SUPERCELL = {
    "lattice": [[4, 0, 0], [1, 4, 0], [0, 0, 4]],
    "points": [
        {"symbol": "Na", "coordinates": [0, 0, 0]},
        {"symbol": "Cl", "coordinates": [0.5, 0.5, 0.5]},
    ],
}


def test_all_atoms_at_once(tmp_path: Path) -> None:
    displacements = np.random.default_rng(0).normal(size=(3, 2, 3)) * 0.01
    forces = -10 * displacements
    document = {
        "supercell": SUPERCELL,
        "dataset": {
            "displacements": displacements.tolist(),
            "forces": forces.tolist(),
            "supercell_energies": [-1.0, -2.0, -3.0],
        },
    }
    (tmp_path / "phonopy.yaml").write_text(yaml.safe_dump(document))
    found = read_structures([tmp_path / "phonopy.yaml"])
    assert [energy_of(atoms) for atoms in found] == [-1.0, -2.0, -3.0]
    for i, atoms in enumerate(found):
        ideal = np.array([[0, 0, 0], [2.5, 2, 2]])
        np.testing.assert_allclose(atoms.positions, ideal + displacements[i])
        np.testing.assert_allclose(forces_of(atoms), forces[i])
        assert atoms.pbc.all()
        assert atoms.info["config_type"] == "phonopy"
        assert atoms.info["displacement_rms"] == pytest.approx(
            float(np.sqrt(np.mean(displacements[i] ** 2)))
        )


@pytest.mark.parametrize("suffix", ["", ".gz", ".xz"])
@pytest.mark.parametrize("key", ["displacements", "dataset"])
def test_one_atom_at_a_time(key: str, suffix: str, tmp_path: Path) -> None:
    document = {
        "supercell": SUPERCELL,
        key: [
            {
                "atom": 2,
                "displacement": [0.03, 0, 0],
                "forces": [[0.1, 0, 0], [-0.1, 0, 0]],
                "supercell_energy": -4.0,
            }
        ],
    }
    pack = {"": bytes, ".gz": gzip.compress, ".xz": lzma.compress}[suffix]
    path = tmp_path / f"phonopy.yaml{suffix}"
    path.write_bytes(pack(yaml.safe_dump(document).encode()))
    [atoms] = read_structures([path])
    np.testing.assert_allclose(atoms.positions, [[0, 0, 0], [2.53, 2, 2]])
    np.testing.assert_allclose(forces_of(atoms), [[0.1, 0, 0], [-0.1, 0, 0]])
    assert energy_of(atoms) == -4.0


@pytest.mark.parametrize(
    ("name", "n_structures", "n_atoms", "n_energies"),
    [
        ("phonopy_mlpsscha_params_KCl-120.yaml.xz", 120, 64, 120),
        ("phono3py_params_NaCl.yaml.xz", 100, 64, 100),
        ("phono3py_params_NaCl.yaml.xz#phonon_dataset", 2, 512, 2),
        ("phono3py_params_MgO-222rd-444rd.yaml.xz", 100, 64, 100),
        ("phono3py_params-Si111-rd.yaml.xz", 1000, 8, 0),
        ("phonondb/mp-1265-Mg4O4.yaml.xz", 2, 64, 0),
        ("ladders/mp-2998-BaO3Ti-sg221.yaml.xz", 4, 135, 0),
    ],
)
def test_public_files(
    name: str, n_structures: int, n_atoms: int, n_energies: int, shared_data: Path
) -> None:
    found = read_structures([f"{shared_data / 'phonons' / name}"])
    count = count_labels(found)
    assert count.n_structures == count.n_forces == n_structures
    assert count.n_atoms == n_structures * n_atoms
    assert count.n_energies == n_energies
    for atoms in found:  # converged forces of whole crystals add up to zero
        forces = forces_of(atoms)
        assert forces is not None
        net = float(np.linalg.norm(forces.sum(axis=0)))
        assert net < 0.02 * len(atoms)


def test_displaced_atoms_are_pulled_back(shared_data: Path) -> None:
    """Energy falls against the displacement: the sign and the order are right."""
    path = shared_data / "phonons" / "phono3py_params_NaCl.yaml.xz"
    found = read_structures([f"{path}@:5"])
    mean = np.mean([atoms.positions for atoms in found], axis=0)
    for atoms in found:
        forces = forces_of(atoms)
        assert forces is not None
        assert float((forces * (atoms.positions - mean)).sum()) < 0
