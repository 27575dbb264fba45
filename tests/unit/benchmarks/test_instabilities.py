"""The verdict on a ladder, and the sums over materials."""

import importlib.util
from pathlib import Path

import pytest

FILE = Path(__file__).parents[3] / "benchmarks" / "phonons" / "instabilities.py"


@pytest.fixture(scope="module")
def benchmark():
    spec = importlib.util.spec_from_file_location("instabilities", FILE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def row(energies, ways, dft=None):
    """Return a row with crystals by space group; all but the first are stable."""
    numbers = {group: i for i, group in enumerate(energies)}
    return {
        "dft_minimum": dft,
        "crystals": [
            {
                "number": i,
                "space_group": group,
                "space_group_number": {"R3m": 160}.get(group, 1),
                "energy": energy / 1000,
                "energy_change": energy,
                "is_converged": True,
                "is_stable": i > 0,
                "lowest_frequency": 0.0 if i else -6.0,
                "soft": [] if i else ["mode"],
            }
            for i, (group, energy) in enumerate(energies.items())
        ],
        "steps": [
            {"parent": numbers[one], "daughter": numbers[other]} for one, other in ways
        ],
    }


ORDERED = {"Pm-3m": 0.0, "P4mm": -10.0, "Amm2": -12.0, "R3m": -13.0}


def test_a_ladder_in_order_is_one(benchmark):
    found = benchmark.ladder_verdict(
        row(ORDERED, [("Pm-3m", "P4mm"), ("P4mm", "Amm2"), ("Amm2", "R3m")])
    )
    assert found["all_rungs_reached"]
    assert found["energies_in_order"]
    assert found["ways"] == ["Amm2 -> R3m", "P4mm -> Amm2", "Pm-3m -> P4mm"]


@pytest.mark.parametrize("change", [{"Amm2": -13.5}, {"P4mm": 1.0}])
def test_a_ladder_out_of_order_is_none(benchmark, change):
    found = benchmark.ladder_verdict(row(ORDERED | change, []))
    assert found["all_rungs_reached"]
    assert not found["energies_in_order"]


def test_a_ladder_with_a_rung_missing_is_none(benchmark):
    some = {key: value for key, value in ORDERED.items() if key != "Amm2"}
    found = benchmark.ladder_verdict(row(some, []))
    assert not found["all_rungs_reached"]
    assert not found["energies_in_order"]


def test_the_known_phase_is_that_of_the_lowest_crystal(benchmark):
    right, wrong = row(ORDERED, []), row(ORDERED | {"Amm2": -14.0}, [])
    assert benchmark.agreement("BaTiO3", benchmark.summary(right)) == "yes"
    assert benchmark.agreement("BaTiO3", benchmark.summary(wrong)) == "no (R3m)"
    assert benchmark.agreement("unheard-of", benchmark.summary(right)) == "–"


def test_sums_count_stable_daughters(benchmark):
    some = {"a": row(ORDERED, [], -2.0), "b": row({"P1": 0.0}, [], -1.0)}
    text = " ".join(benchmark.total_lines(some, 20))
    assert "2 of 20 materials" in text
    assert "Daughters found: 3, of which 3 have no imaginary mode" in text
