"""The benchmark of choices compares like with like."""

import sys
from pathlib import Path

import numpy as np
import pytest
from ase.build import bulk

FOLDER = Path(__file__).parents[3] / "benchmarks" / "phonons"


@pytest.fixture
def selection(monkeypatch):
    """Return the script as a module; it is no part of the package."""
    monkeypatch.syspath_prepend(str(FOLDER))
    import selection

    yield selection
    sys.modules.pop("selection", None)


@pytest.fixture
def frames(selection):
    made = []
    for kind in selection.KINDS:
        for i in range(selection.N_EACH):
            atoms = bulk("Si", cubic=True)
            atoms.info.update(config_type=kind, place=i)
            made.append(atoms)
    return made


def places(frames):
    return [(one.info["config_type"], one.info["place"]) for one in frames]


@pytest.mark.parametrize("choice", ["rattle", "modes", "random of all"])
def test_a_larger_choice_holds_the_smaller_ones(selection, frames, choice):
    five, ten, twenty = (
        places(selection.chosen_frames(frames, choice, n, 1)) for n in (5, 10, 20)
    )
    assert ten[:5] == five
    assert twenty[:10] == ten
    assert len(set(twenty)) == 20


def test_the_seed_draws_other_structures_of_the_same_kind(selection, frames):
    one, other = (
        places(selection.chosen_frames(frames, "strain", 5, seed)) for seed in (1, 2)
    )
    assert one != other
    assert {kind for kind, _ in one + other} == {"strain"}


def test_the_judge_of_dft_finds_no_fault_with_dft(selection):
    """And frequencies of silicon where they are known to be, near 15 THz."""
    judge = selection.Judge("Si")
    again = judge._frequencies(judge.known)
    assert np.array_equal(again, judge.frequencies)
    assert 14.5 < judge.frequencies.max() < 15.8
    assert judge.frequencies.shape == (1000, 6)
    softened = judge._frequencies(0.64 * judge.known)
    assert np.allclose(softened, 0.8 * judge.frequencies, atol=1e-6)


def test_a_model_that_is_merely_soft_is_mended_by_one_number(selection, monkeypatch):
    judge = selection.Judge("Si")
    monkeypatch.setattr(judge, "_forces", lambda _model: 0.6 * judge.known)
    assert judge.scaled_base(None) < 1e-6


def row(choice, count, seed, error):
    scores = {"frequency_mae": error, "test_forces": 20.0, "slope": 1.0}
    return {
        "material": "Si",
        "choice": choice,
        "count": count,
        "seed": seed,
        "scores": scores,
    }


def test_the_table_holds_means_ranges_and_gaps(selection):
    scores = row("", 0, 0, 1.75)["scores"]
    base = {"material": "Si", "scores": scores, "scaled_frequency_mae": 0.84}
    rows = [base, row("rattle", 5, 1, 0.2), row("rattle", 5, 2, 0.4)]
    lines = selection.table_lines(rows)
    assert "7net-0 as it is 1.75; seeds 1, 2: mean" in lines[0]
    assert "frequency MAE 0.84 THz." in lines[-2]
    assert "| 5 | 0.3 [0.2, 0.4] | – |" in next(
        one for one in lines if one.startswith("| 5 ")
    )
