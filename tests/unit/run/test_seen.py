"""Is what structures span told as it is?"""

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk

from atomgraft.run.seen import seen_in


def silicon(strain=None, **info) -> Atoms:
    atoms = bulk("Si", cubic=True, a=5.43)
    if strain is not None:
        atoms.set_cell(atoms.cell.array @ np.diag(strain), scale_atoms=True)
    atoms.info |= info
    return atoms


def test_ranges_are_those_of_the_structures() -> None:
    hot = silicon((1.02, 1.02, 1.02), temperature=900, config_type="hot")
    seen = seen_in([silicon(temperature=300, config_type="cold"), hot, silicon()])
    assert seen.formulas == {"Si": 3}
    assert seen.kinds == {"cold": 1, "hot": 1}
    assert seen.temperatures == (300.0, 900.0)
    assert seen.sizes == (8.0, 8.0)
    volume = 5.43**3 / 8
    assert seen.volumes == pytest.approx((volume, volume * 1.02**3))


def test_a_strain_is_apart_from_volume_and_from_other_cells() -> None:
    wide = silicon((1.05, 1.05, 1.05))
    assert seen_in([silicon(), silicon(), wide]).strain == pytest.approx(0, abs=1e-12)
    long = silicon((1.02, 1 / 1.02, 1.0))
    assert seen_in([silicon(), silicon(), long]).strain == pytest.approx(0.02)
    another = silicon((3.0, 1.0, 1 / 3.0))
    assert seen_in([silicon(), silicon(), another]).strain == pytest.approx(0, abs=1e-9)


def test_a_molecule_has_no_volume() -> None:
    seen = seen_in([Atoms("H2", positions=[[0, 0, 0], [0, 0, 0.7]])])
    assert seen.volumes is None
    assert seen.strain is None
    assert seen.spreads == {}


def test_spreads_are_standard_deviations_in_units_of_reports() -> None:
    rng = np.random.default_rng(0)
    structures = []
    for n, symbol in ((4, "Si"), (4, "Ge")):
        for _ in range(n):
            atoms = bulk(symbol, cubic=True)
            atoms.info["REF_energy"] = 8 * (-100.0 * (symbol == "Ge") + rng.normal())
            atoms.arrays["REF_forces"] = rng.normal(size=(8, 3))
            structures.append(atoms)
    seen = seen_in(structures)
    forces = np.array([one.arrays["REF_forces"] for one in structures])
    assert seen.spreads["forces"] == pytest.approx(1000 * forces.std())
    assert 100 < seen.spreads["energy"] < 3000
    assert "stress" not in seen.spreads
