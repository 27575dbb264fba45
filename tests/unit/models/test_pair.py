"""The pair adapter against ASE, closed forms and published numbers."""

import json
import struct

import numpy as np
import pytest
import torch
from ase import Atoms
from ase.build import bulk
from ase.calculators.lj import LennardJones
from hypothesis import given
from hypothesis import strategies as st
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from atomgraft.core.errors import BadInputError
from atomgraft.core.units import EV_PER_A3_IN_GPA
from atomgraft.models.classical import paired_edges
from atomgraft.models.pair import PRESETS, lennard_jones, load_pair, stillinger_weber
from atomgraft.models.prediction import predict_structures

ROUND_OFF = 1e-12
"""eV, eV/Å, eV/Å³: the same formula in float64."""

PUBLISHED_ENERGY = 5e-4
"""eV/atom: ε is published with four to six digits, 50 kcal/mol."""

PUBLISHED_ELASTICITY = 0.1
"""GPa: published with one decimal (Balamane, Phys. Rev. B 46, 2250 (1992))."""


def evaluate(potential, atoms):
    [prediction] = predict_structures(potential, [atoms])
    return prediction


def rattled_argon():
    atoms = bulk("Ar", "fcc", a=5.3, cubic=True)
    atoms.rattle(0.1, seed=1)
    shear = np.eye(3) + 0.02 * np.array([[1, 2, 0], [0, -1, 1], [0, 0, 0.5]])
    atoms.set_cell(atoms.cell.array @ shear, scale_atoms=True)
    return atoms


def test_lennard_jones_equals_ase():
    atoms = rattled_argon()
    found = evaluate(
        lennard_jones(["Ar"], epsilon=[0.01], sigma=[3.4], cutoff=8.5, onset=6.0), atoms
    )
    atoms.calc = LennardJones(epsilon=0.01, sigma=3.4, rc=8.5, ro=6.0, smooth=True)
    assert found.energy == pytest.approx(atoms.get_potential_energy(), abs=ROUND_OFF)
    np.testing.assert_allclose(found.forces, atoms.get_forces(), atol=ROUND_OFF)
    np.testing.assert_allclose(found.stress, atoms.get_stress(), atol=ROUND_OFF)


@given(r=st.floats(2.2, 4.0), epsilon=st.floats(0.1, 2.0), sigma=st.floats(1.5, 3.0))
def test_lennard_jones_dimer_in_closed_form(r, epsilon, sigma):
    potential = lennard_jones(
        ["H"], epsilon=[epsilon], sigma=[sigma], cutoff=6.0, onset=5.0
    )
    found = evaluate(potential, Atoms("H2", [[0, 0, 0], [r, 0, 0]]))
    power = (sigma / r) ** 6
    slope = -24 * epsilon / r * (2 * power**2 - power)
    assert found.energy == pytest.approx(4 * epsilon * (power**2 - power))
    assert found.forces[0, 0] == pytest.approx(slope, rel=1e-9, abs=1e-9)
    assert found.forces[1, 0] == pytest.approx(-slope, rel=1e-9, abs=1e-9)


def test_unlike_pairs_mix_by_lorentz_and_berthelot():
    potential = lennard_jones(
        ["Na", "Cl"], epsilon=[0.1, 0.4], sigma=[2.0, 3.0], cutoff=9.0
    )
    lowest = 2 ** (1 / 6) * 2.5
    found = evaluate(potential, Atoms("NaCl", [[0, 0, 0], [0, lowest, 0]]))
    assert found.energy == pytest.approx(-0.2)


def test_an_unsymmetric_parameter_keeps_forces_balanced():
    potential = PRESETS["pair:lj-nacl"]()
    with torch.no_grad():
        potential.module.get_parameter("interaction.epsilon")[0, 1] += 0.3
    found = evaluate(potential, Atoms("NaCl", [[0, 0, 0], [0, 2.5, 0]]))
    np.testing.assert_allclose(found.forces.sum(axis=0), 0, atol=ROUND_OFF)
    swapped = evaluate(potential, Atoms("ClNa", [[0, 0, 0], [0, 2.5, 0]]))
    assert swapped.energy == pytest.approx(found.energy)


@pytest.mark.parametrize(
    ("symbol", "a", "energy"), [("Si", 5.431, -4.3363), ("Ge", 5.6567, -3.86)]
)
def test_stillinger_weber_binds_diamond_as_published(symbol, a, energy):
    atoms = bulk(symbol, "diamond", a=a)
    found = evaluate(stillinger_weber([symbol]), atoms)
    assert found.energy / 2 == pytest.approx(energy, abs=PUBLISHED_ENERGY)
    np.testing.assert_allclose(found.stress * EV_PER_A3_IN_GPA, 0, atol=0.2)


def test_stillinger_weber_is_as_stiff_as_published():
    potential = stillinger_weber(["Si"])
    step = 1e-4
    stresses = []
    for strain in (step, -step):
        atoms = bulk("Si", "diamond", a=5.431)
        stretch = np.diag([1 + strain, 1, 1])
        atoms.set_cell(atoms.cell.array @ stretch, scale_atoms=True)
        stresses.append(evaluate(potential, atoms).stress)
    slope = (stresses[0] - stresses[1]) / (2 * step) * EV_PER_A3_IN_GPA
    np.testing.assert_allclose(
        slope, [151.4, 76.4, 76.4, 0, 0, 0], atol=PUBLISHED_ELASTICITY
    )


def test_stillinger_weber_trimer_in_closed_form():
    """Three atoms of three kinds of pair, written out with plain floats."""
    atoms = Atoms("SiGe2", [[0, 0, 0], [2.4, 0, 0], [0.3, 2.5, 0]])
    found = evaluate(stillinger_weber(["Si", "Ge"]), atoms)
    assert found.energy == pytest.approx(_trimer_energy(atoms), abs=ROUND_OFF)


def _trimer_energy(atoms):
    table = {"Si": (2.1683, 2.0951, 21.0), "Ge": (1.93, 2.181, 31.0)}
    parameters = [table[symbol] for symbol in atoms.symbols]

    def mixed(i, j):
        (e1, s1, l1), (e2, s2, l2) = parameters[i], parameters[j]
        return np.sqrt(e1 * e2), (s1 + s2) / 2, np.sqrt(l1 * l2)

    def tail(i, j, gamma):
        _, sigma, _ = mixed(i, j)
        x = atoms.get_distance(i, j) / sigma
        return np.exp(gamma / (x - 1.8)) if x < 1.8 else 0.0

    energy = 0.0
    for i, j in ((0, 1), (0, 2), (1, 2)):
        epsilon, sigma, _ = mixed(i, j)
        x = atoms.get_distance(i, j) / sigma
        well = 7.049556277 * epsilon * (0.6022245584 / x**4 - 1)
        energy += well * tail(i, j, 1.0)
    for j, i, k in ((1, 0, 2), (0, 1, 2), (0, 2, 1)):
        (e1, _, l1), (e2, _, l2) = mixed(i, j), mixed(i, k)
        cosine = np.cos(np.radians(atoms.get_angle(j, i, k)))
        strength = np.sqrt(l1 * e1 * l2 * e2)
        energy += strength * tail(i, j, 1.2) * tail(i, k, 1.2) * (cosine + 1 / 3) ** 2
    return energy


def test_a_pair_at_the_cutoff_has_finite_forces():
    """In single precision a distance below the cutoff may be rounded to it."""
    potential = PRESETS["pair:sw-si"]().clone(dtype=torch.float32)
    apart = [[0, 0, 0], [potential.cutoff - 1e-9, 0, 0], [0, 2.35, 0]]
    [found] = predict_structures(potential, [Atoms("Si3", positions=apart)])
    assert np.isfinite(np.asarray(found.forces)).all()


def test_a_trained_length_keeps_the_cutoff():
    """Neighbour lists are made once: a law that grew past them would jump."""
    potential = stillinger_weber(["Si"])
    with torch.no_grad():
        potential.module.get_parameter("interaction.sigma").mul_(1.2)
    r = potential.cutoff * (1 - 1e-3)
    found = evaluate(potential, Atoms("Si2", [[0, 0, 0], [r, 0, 0]]))
    assert found.energy == pytest.approx(0.0, abs=ROUND_OFF)
    inside = evaluate(potential, Atoms("Si2", [[0, 0, 0], [2.6, 0, 0]]))
    assert abs(inside.energy) > 0.1


@given(st.lists(st.integers(0, 4), max_size=12))
def test_paired_edges_are_all_pairs_of_one_centre(centre):
    left, right = paired_edges(torch.tensor(centre, dtype=torch.int64), 5)
    found = {frozenset(two) for two in zip(left.tolist(), right.tolist(), strict=True)}
    n = len(centre)
    expected = {
        frozenset((i, j)) for i in range(n) for j in range(i) if centre[i] == centre[j]
    }
    assert found == expected
    assert len(left) == len(expected)


@pytest.mark.parametrize("name", list(PRESETS))
def test_export_and_load_keep_everything(name, tmp_path):
    potential = PRESETS[name]()
    with torch.no_grad():
        for value in potential.module.parameters():
            value.mul_(1.1)
    again = load_pair(potential.export(tmp_path / "model"))
    assert again.weights_hash() == potential.weights_hash()
    assert (again.card, again.elements, again.cutoff, again.roles) == (
        potential.card,
        potential.elements,
        potential.cutoff,
        potential.roles,
    )
    first = next(iter(potential.symbols))
    atoms = Atoms(first * 3, [[0, 0, 0], [2.5, 0, 0], [0, 2.6, 0.3]])
    assert evaluate(again, atoms).energy == evaluate(potential, atoms).energy


def test_load_keeps_the_precision(tmp_path):
    potential = PRESETS["pair:sw-si"]().clone(dtype=torch.float32)
    assert load_pair(potential.export(tmp_path / "model")).dtype == torch.float32


def _edited(path, **changes):
    """Rewrite the card inside a safetensors header."""
    data = path.read_bytes()
    (length,) = struct.unpack("<Q", data[:8])
    header = json.loads(data[8 : 8 + length])
    card = json.loads(header["__metadata__"]["atomgraft.pair"]) | changes
    header["__metadata__"]["atomgraft.pair"] = json.dumps(card)
    text = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + data[8 + length :])


@pytest.mark.parametrize(
    "changes",
    [
        {"kind": "eval"},
        {"elements": ["Ar", "Kr"]},
        {"elements": ["Xx"]},
        {"elements": []},
        {"cutoff": -1},
        {"onset": 20.0},
        {"onset": None},
        {"surprise": 1},
    ],
)
def test_an_edited_card_is_refused(changes, tmp_path):
    path = PRESETS["pair:lj-ar"]().export(tmp_path / "model")
    load_pair(path)
    _edited(path, **changes)
    with pytest.raises(BadInputError, match="cannot be read"):
        load_pair(path)


@pytest.mark.parametrize("content", [b"", b"\xff" * 8, b"not a model at all"])
def test_other_files_are_refused(content, tmp_path):
    path = tmp_path / "model.safetensors"
    path.write_bytes(content)
    with pytest.raises(BadInputError, match="cannot be read"):
        load_pair(path)
    with pytest.raises(BadInputError, match="cannot be read"):
        load_pair(tmp_path / "missing.safetensors")


def test_what_torch_says_of_missing_weights_becomes_one_sentence(tmp_path):
    path = PRESETS["pair:lj-ar"]().export(tmp_path / "model")
    with safe_open(path, framework="pt") as stream:
        metadata = stream.metadata()
    weights = load_file(path)
    del weights["interaction.sigma"]
    save_file(weights, path, metadata=metadata)
    with pytest.raises(BadInputError) as told:
        load_pair(path)
    assert told.value.came.endswith(' "sigma".')


def test_weights_that_are_not_finite_are_refused(tmp_path):
    potential = PRESETS["pair:lj-ar"]()
    with torch.no_grad():
        potential.module.get_parameter("readout").fill_(torch.nan)
    with pytest.raises(BadInputError, match="not finite"):
        load_pair(potential.export(tmp_path / "model"))


@pytest.mark.parametrize(
    "make",
    [
        lambda: lennard_jones(
            ["Ar"], epsilon=[1.0], sigma=[1.0], cutoff=2.0, onset=3.0
        ),
        lambda: lennard_jones(["Ar"], epsilon=[1.0, 2.0], sigma=[1.0], cutoff=2.0),
        lambda: lennard_jones(["Ar"], epsilon=[-1.0], sigma=[1.0], cutoff=2.0),
        lambda: lennard_jones(["Xx"], epsilon=[1.0], sigma=[1.0], cutoff=2.0),
        lambda: lennard_jones([], epsilon=[], sigma=[], cutoff=2.0),
        lambda: lennard_jones(
            ["Ar"] * 2, epsilon=[1.0, 1.0], sigma=[1.0, 1.0], cutoff=2.0
        ),
        lambda: lennard_jones(["X"], epsilon=[1.0], sigma=[1.0], cutoff=2.0),
        lambda: stillinger_weber(["Ar"]),
        lambda: PRESETS["pair:sw-sj"],
        lambda: PRESETS["pair:sw-si"]().with_shifted_references({14: 1.0, 32: 1.0}),
    ],
)
def test_bad_parameters_are_refused(make):
    with pytest.raises(BadInputError):
        make()


def test_an_unknown_element_is_refused_by_the_module():
    with pytest.raises(BadInputError, match="32"):
        evaluate(PRESETS["pair:sw-si"](), Atoms("SiGe", [[0, 0, 0], [2.4, 0, 0]]))


def test_reference_energies_are_frozen_and_the_rest_moves():
    parameters = dict(PRESETS["pair:sw-si"]().module.named_parameters())
    frozen = {name for name, value in parameters.items() if not value.requires_grad}
    assert frozen == {"reference_energies"}


@pytest.mark.parametrize("name", list(PRESETS))
def test_drawn_weights_give_finite_numbers(name):
    potential = PRESETS[name]()
    potential.draw_weights(torch.Generator().manual_seed(0))
    symbol = potential.symbols[0]
    atoms = bulk(symbol, "fcc", a=4.5, cubic=True)
    atoms.rattle(0.1, seed=0)
    found = evaluate(potential, atoms)
    assert np.isfinite(found.energy)
    assert np.isfinite(found.forces).all()
