"""Each finding is found where it is, and not where it is not."""

from pathlib import Path

import numpy as np
import pytest
from ase import Atoms

from atomgraft.core.errors import BadInputError
from atomgraft.core.units import EV_PER_A3_IN_GPA, EV_PER_A3_IN_KBAR
from atomgraft.data.checks.findings import Finding, refuse_errors
from atomgraft.data.checks.predicted import MAX_ATOMS, BaseKnowledge, compare_with_base
from atomgraft.data.checks.suite import check_structures
from atomgraft.data.readers import read_structures
from tests.unit.data.checks.crystals import BASE, crystals, predict


def find(findings: tuple[Finding, ...], code: str) -> Finding:
    [found] = [finding for finding in findings if finding.code == code]
    assert found.message
    assert found.remedy
    return found


def codes(findings: tuple[Finding, ...]) -> set[str]:
    return {finding.code for finding in findings}


def frame(i: int) -> str:
    return f"cu.extxyz, frame {i}"


def test_clean_data_has_no_findings() -> None:
    """The control of every test below."""
    everything = crystals(20)
    found = check_structures(everything[:14], test=everything[14:], base=BASE)
    assert found == ()
    refuse_errors(found)


def test_missing_labels() -> None:
    data = crystals()
    del data[3].arrays["REF_forces"]
    for atoms in data:
        del atoms.info["REF_stress"]
    found = check_structures(data)
    assert codes(found) == {"missing-forces", "no-stress"}
    assert find(found, "missing-forces").frames == (frame(3),)


def test_no_labels_at_all() -> None:
    found = check_structures([Atoms("Cu")])
    assert find(found, "no-labels").severity == "error"
    with pytest.raises(BadInputError):
        refuse_errors(found)


def test_lone_atoms_need_no_forces() -> None:
    atom = Atoms("Cu", info={"config_type": "IsolatedAtom", "REF_energy": -1.0})
    found = check_structures([*crystals(), atom], base=BASE)
    assert codes(found) == {"isolated-atoms"}
    assert "1 are marked" in find(found, "isolated-atoms").message


@pytest.mark.parametrize(
    ("key", "quantity"),
    [("dft_energy", "energy"), ("Forces", "forces"), ("Virial", "stress")],
)
def test_unread_labels(key: str, quantity: str) -> None:
    data = crystals()
    for atoms in data:
        value = {
            "energy": -1.0,
            "forces": atoms.arrays["REF_forces"],
            "stress": np.eye(3),
        }[quantity]
        place = atoms.arrays if quantity == "forces" else atoms.info
        place[key] = value
    assert find(check_structures(data), "unread-label").severity == "note"
    for atoms in data:
        (atoms.arrays if quantity == "forces" else atoms.info).pop(f"REF_{quantity}")
    finding = find(check_structures(data), "unread-label")
    assert finding.severity == "warning"
    assert key in finding.message
    assert f"--{quantity}-key {key}" in finding.remedy


def test_other_keys_are_not_labels() -> None:
    data = crystals()
    for atoms in data:
        atoms.info["energy_cutoff_note"] = "520 eV"
        atoms.info["temperature"] = 300.0
        atoms.arrays["magmoms"] = np.zeros(len(atoms))
    assert check_structures(data) == ()


def test_conflicting_and_mixed_keys() -> None:
    data = crystals()
    data[2].info["label_conflicts"] = {"energy": "REF_energy was read, energy differs"}
    data[4].info["label_keys"]["forces"] = "forces"
    found = check_structures(data)
    assert find(found, "conflicting-labels").frames == (frame(2),)
    assert find(found, "mixed-keys").frames == (frame(4),)


def test_virial_and_free_energy_are_noted() -> None:
    data = crystals()
    for atoms in data:
        atoms.info["label_keys"]["stress"] = "virial"
        atoms.info["free_energy"] = atoms.info["REF_energy"] - 0.01 * len(atoms)
    found = check_structures(data)
    assert codes(found) == {"virial-converted", "free-energy-differs"}
    assert find(found, "free-energy-differs").number == pytest.approx(10.0)


def test_zeroed_forces_of_constrained_atoms() -> None:
    data = crystals()
    data[1].info["constrained_atoms"] = [0, 5]
    assert check_structures(data) == ()
    data[1].arrays["REF_forces"][[0, 5]] = 0
    finding = find(check_structures(data), "constrained-forces")
    assert finding.severity == "error"
    assert finding.number == 2
    assert finding.frames == (frame(1),)


def test_forces_that_are_always_zero() -> None:
    data = crystals()
    for atoms in data:
        atoms.arrays["REF_forces"][:4] = 0
    assert find(check_structures(data), "zero-forces").number == 4


def test_unknown_elements() -> None:
    data = crystals()
    data[0].symbols[0] = "U"
    finding = find(check_structures(data, base=BASE), "unknown-element")
    assert finding.severity == "error"
    assert " U," in finding.message
    assert finding.frames == (frame(0),)


def test_close_atoms_and_shared_sites() -> None:
    data = crystals()
    data[5].positions[1] = data[5].positions[0] + [1.0, 0, 0]
    finding = find(check_structures(data), "close-atoms")
    assert finding.number == pytest.approx(1.0)
    assert finding.frames == (frame(5),)
    data[5].positions[1] = data[5].positions[0]
    finding = find(check_structures(data), "same-site")
    assert finding.severity == "error"
    assert finding.number == pytest.approx(0.0)


def test_close_atoms_in_a_molecule_and_across_the_boundary() -> None:
    molecule = Atoms("H2", [[0, 0, 0], [0, 0, 0.3]], info={"REF_energy": -1.0})
    assert find(check_structures([molecule]), "close-atoms").number == 0.3
    cell = Atoms(
        "Cu2", [[0, 0, 0.1], [0, 0, 9.2]], cell=[10] * 3, pbc=True,
        info={"REF_energy": -1.0},
    )  # fmt: skip
    assert find(check_structures([cell]), "close-atoms").number == pytest.approx(0.9)


def test_force_outlier() -> None:
    data = crystals()
    data[7].arrays["REF_forces"] *= 1000
    finding = find(check_structures(data), "force-outlier")
    assert finding.frames == (frame(7),)
    assert finding.unit == "eV/Å"


def test_net_force() -> None:
    data = crystals()
    data[7].arrays["REF_forces"] += 0.05
    assert find(check_structures(data), "net-force").frames == (frame(7),)


def test_residual_outlier() -> None:
    data = crystals()
    data[7].arrays["REF_forces"] = data[7].arrays["REF_forces"][::-1].copy()
    data[7].info["REF_energy"] += 0.001
    finding = find(check_structures(data, base=BASE), "residual-outlier")
    assert finding.frames == (frame(7),)


STRESS_SCALES = {
    "a stress in GPa": lambda volume: EV_PER_A3_IN_GPA,
    "a stress in kbar": lambda volume: EV_PER_A3_IN_KBAR,
    "a stress in -kbar": lambda volume: -EV_PER_A3_IN_KBAR,
    "a stress in -eV/A^3": lambda volume: -1.0,
    "a virial": lambda volume: -volume,
    "plus volume times stress": lambda volume: volume,
    "a stress in kbar under a virial's name": lambda v: -EV_PER_A3_IN_KBAR / v,
    "converted from GPa": lambda volume: 1 / EV_PER_A3_IN_GPA,
}


@pytest.mark.parametrize("name", STRESS_SCALES)
def test_stress_scale(name: str) -> None:
    rng = np.random.default_rng(1)
    data = crystals()
    for atoms in data:
        noise = 1 + 0.1 * rng.normal(size=6)
        scale = STRESS_SCALES[name](atoms.get_volume())
        atoms.info["REF_stress"] = atoms.info["REF_stress"] * scale * noise
        if "virial's name" in name:
            atoms.info["label_keys"]["stress"] = "virial"
    finding = find(check_structures(data, base=BASE), "stress-scale")
    assert finding.severity == "error"
    assert name in finding.message.partition(":")[0]


@pytest.mark.parametrize("factor", [0.7, 1.4])
def test_a_base_that_is_off_is_no_wrong_scale(factor: float) -> None:
    data = crystals()
    for atoms in data:
        atoms.info["REF_stress"] = atoms.info["REF_stress"] * factor
        atoms.arrays["REF_forces"] *= factor
    assert check_structures(data, base=BASE) == ()


def test_stress_that_cannot_be_tested() -> None:
    data = crystals()

    def silent(structures: list[Atoms]) -> list[object]:
        words = predict(structures)
        for one in words:
            one.stress = one.stress * 1e-6
        return words

    base = BaseKnowledge(name="lj", elements=BASE.elements, predict=silent)
    assert codes(check_structures(data, base=base)) == {"stress-untested"}


def test_a_model_that_has_learned_nothing_is_not_asked():
    """Its elements count all the same; a model that has learned speaks up."""
    data = crystals()
    for atoms in data:
        atoms.arrays["REF_forces"] *= -1.0
    fresh = BaseKnowledge(name="new", elements=BASE.elements, predict=None)
    assert codes(check_structures(data, base=fresh)) == codes(check_structures(data))
    assert codes(check_structures(data, base=BASE)) > codes(check_structures(data))
    narrow = BaseKnowledge(name="new", elements=frozenset({1}), predict=None)
    assert codes(check_structures(data, base=narrow)) > codes(check_structures(data))


@pytest.mark.parametrize(
    ("name", "scale"),
    [
        ("gradients in eV/Å", -1.0),
        ("forces in hartree/bohr", 0.52917721 / 27.211386),
        ("forces in rydberg/bohr", 0.52917721 / 13.605693),
        ("forces in kcal/mol/Å", 23.0605),
        ("forces in meV/Å", 1000.0),
    ],
)
def test_force_scale(name: str, scale: float) -> None:
    data = crystals()
    for atoms in data:
        atoms.arrays["REF_forces"] *= scale
    finding = find(check_structures(data, base=BASE), "forces-scale")
    assert finding.severity == "error"
    assert name in finding.message.partition(":")[0]


def test_labels_of_something_else() -> None:
    rng = np.random.default_rng(3)
    data = crystals()
    for atoms in data:
        noise = rng.normal(size=(len(atoms), 3))
        atoms.arrays["REF_forces"] = noise - noise.mean(axis=0)
    assert find(check_structures(data, base=BASE), "forces-disagrees").number > 0.6


def test_energies_on_another_reference() -> None:
    data = crystals()
    for atoms in data:
        atoms.info["REF_energy"] += 3.5 * len(atoms)
    found = check_structures(data, base=BASE)
    finding = find(found, "energy-reference")
    assert finding.number == pytest.approx(3.5)
    assert "Cu +3.5" in finding.message
    assert codes(found) == {"energy-reference"}


def test_references_that_cannot_be_told_apart() -> None:
    data = crystals()
    for atoms in data:
        atoms.symbols[:16] = "Na"
        atoms.info["REF_energy"] += 2.0 * len(atoms)
        del atoms.arrays["REF_forces"], atoms.info["REF_stress"]
    found = check_structures(data, base=BASE)
    assert find(found, "reference-undetermined").number == 1
    assert "Na +2.0" in find(found, "energy-reference").message


def test_energies_that_no_shift_explains() -> None:
    rng = np.random.default_rng(4)
    data = crystals()
    for atoms in data:
        atoms.info["REF_energy"] += float(rng.normal()) * len(atoms)
    assert find(check_structures(data, base=BASE), "energies-disagree").number > 100


def test_duplicates_within_a_set() -> None:
    data = crystals()
    again = data[2].copy()
    again.translate([0.3, 0, 0])
    again.wrap()
    again.info["source"] = frame(99)
    assert find(check_structures([*data, again]), "duplicates").frames == (frame(99),)
    again.positions[0, 0] += 0.01
    assert check_structures([*data, again]) == ()


def test_duplicates_across_a_split() -> None:
    data = crystals()
    finding = find(check_structures(data, test=[data[3].copy()]), "split-leak")
    assert finding.severity == "error"
    assert finding.frames == (frame(3),)


def test_a_small_displacement_of_one_atom_is_no_duplicate() -> None:
    """A finite-displacement set differs by 0.01 Å in one atom of many."""
    perfect = crystals(1, amplitude=0.0, strain=0.0)[0]
    moved = perfect.copy()
    moved.positions[0, 0] += 0.01
    assert "duplicates" not in codes(check_structures([perfect, moved]))


def trajectory(n: int, stride: int) -> list[Atoms]:
    """Return frames of coupled slow oscillations around the sites."""
    rng = np.random.default_rng(5)
    start = crystals(1, amplitude=0.0, strain=0.0)[0]
    frequencies = rng.uniform(0.05, 0.3, size=(len(start), 3))
    phases = rng.uniform(0, 2 * np.pi, size=(len(start), 3))
    frames = []
    for i in range(n):
        atoms = start.copy()
        atoms.positions += 0.1 * np.sin(frequencies * stride * i + phases)
        atoms.info["source"] = frame(i)
        frames.append(atoms)
    return frames


def test_neighbours_in_a_trajectory_on_both_sides_of_a_split() -> None:
    frames = trajectory(40, stride=1)
    finding = find(check_structures(frames[::2], test=frames[1::2]), "trajectory-leak")
    assert len(finding.frames) == 20
    assert finding.number > 0.9


def test_independent_frames_of_any_amplitude_are_no_trajectory() -> None:
    cold, hot = crystals(30, amplitude=0.02), crystals(30, amplitude=0.2, seed=1)
    found = check_structures(
        [*cold[:20], *hot[:20]], validation=hot[20:], test=cold[20:]
    )
    assert "trajectory-leak" not in codes(found)


def test_the_hot_half_of_the_public_set(shared_data: Path) -> None:
    path = shared_data / "phonons" / "phonopy_mlpsscha_params_KCl-120.yaml.xz"
    data = read_structures([path])
    finding = find(check_structures(data), "hot-frames")
    hot = [atoms for atoms in data if atoms.info["source"] in finding.frames]
    cold = [atoms for atoms in data if atoms.info["source"] not in finding.frames]
    assert 50 <= len(hot) <= 70
    assert min(atoms.info["displacement_rms"] for atoms in hot) > 0.3
    assert max(np.abs(atoms.arrays["REF_forces"]).max() for atoms in cold) < 15


@pytest.mark.parametrize("name", ["NaCl", "MgO-222rd-444rd"])
def test_calm_public_sets_have_no_warnings(name: str, shared_data: Path) -> None:
    data = read_structures(
        [shared_data / "phonons" / f"phono3py_params_{name}.yaml.xz"]
    )
    found = check_structures(data[:50], test=data[50:])
    assert codes(found) == {"no-stress"}


def test_the_base_is_asked_about_a_bounded_number() -> None:
    asked: list[int] = []

    def count(structures: list[Atoms]) -> list[object]:
        asked.append(len(structures))
        return predict(structures)

    base = BaseKnowledge(name="lj", elements=BASE.elements, predict=count)
    assert len(compare_with_base(crystals(), base, 5 * 32).structures) == 5
    assert check_structures(crystals(80), base=base) == ()
    assert asked == [5, MAX_ATOMS // 32]
