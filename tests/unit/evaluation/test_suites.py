"""All models on the same questions: what is asked of whom, and what is refused."""

import pytest
from ase.build import bulk

from atomgraft.core.errors import AtomgraftError, BadInputError
from atomgraft.data.labels import set_labels
from atomgraft.evaluation.forgetting import shipped_crystals, visible
from atomgraft.evaluation.suite import Contestants, Subject, SuiteOptions
from atomgraft.evaluation.suites import ForgettingSuite, assess
from atomgraft.models.prediction import predict_structures
from tests.unit.evaluation.builders import find
from tests.unit.evaluation.toys import Toy, skewed


@pytest.fixture(scope="module")
def structures():
    """Labels that a model twice as strong as the base fits exactly."""
    frames = [skewed(bulk("Si", cubic=True)) for _ in range(5)]
    for seed, atoms in enumerate(frames):
        atoms.rattle(0.05, seed=seed)
    for atoms, one in zip(
        frames, predict_structures(Toy().stronger(2), frames), strict=True
    ):
        set_labels(atoms, energy=one.energy, forces=one.forces, stress=one.stress)
    return frames


def judged(models, structures, **changes):
    asked = {
        "crystals": shipped_crystals()[:4],
        "reference_shifts": {},
        "training_elements": {14},
        "seed": 0,
    }
    return assess(models, structures, **(asked | changes))


def test_base_adapted_and_scratch_stand_side_by_side(structures):
    models = {"base": Toy(), "adapted": Toy().stronger(2), "scratch": Toy().stronger(9)}
    found = judged(models, structures)
    for suite in ("labels", "forgetting", "consistency"):
        assert {row.model for row in found.scores if row.suite == suite} == set(models)
    assert {row.model for row in found.parity} == set(models)
    mae = {name: find(found.scores, "forces", "mae", model=name) for name in models}
    assert mae["adapted"].value < 1e-9
    assert mae["base"].value > 10
    assert mae["scratch"].value == pytest.approx(7 * mae["base"].value)
    change = find(found.scores, "forces", "mae_change", model="adapted")
    assert change.value == pytest.approx(-mae["base"].value)
    assert change.interval[1] < 0


def test_a_moved_model_drifts_and_the_base_does_not(structures):
    models = {"base": Toy(), "adapted": Toy().stronger(2)}
    scores = judged(models, structures).scores
    assert find(scores, "forces", "drift", model="base").value == 0
    assert find(scores, "forces", "drift", model="adapted").value > 10
    assert find(scores, "forces", "drift", "far", model="adapted").n == 3


def test_drift_starts_before_an_element_map():
    """A map that makes the base twice as strong is counted; none is not."""
    original, base = Toy(), Toy().stronger(2)
    subject = Subject(files=(), structures=[], elements={32}, base=base)
    suite = ForgettingSuite(subject, SuiteOptions(), shipped_crystals()[:4])

    def drifts(original):
        scores = suite.ask(
            Contestants(
                models={"base": base, "adapted": Toy().stronger(3)},
                reference_shifts={},
                seed=0,
                original=original,
            )
        ).scores
        return [
            find(scores, "forces", "drift", model=name).value
            for name in ("base", "adapted")
        ]

    from_original, from_base = drifts(original), drifts(None)
    assert from_base[0] == 0
    assert from_original[0] == pytest.approx(from_base[1])
    assert from_original[1] == pytest.approx(2 * from_base[1])


def test_the_same_seed_gives_the_same_numbers(structures):
    models = {"base": Toy(), "adapted": Toy().stronger(1.5)}
    assert judged(models, structures) == judged(models, structures)
    assert judged(models, structures) != judged(models, structures, seed=1)


def test_a_narrow_model_is_asked_for_crystals_it_knows(structures):
    models = {"base": Toy(), "scratch": Toy(elements={14})}
    crystals = shipped_crystals()
    scores = judged(models, structures, crystals=crystals).scores
    n_known = len(visible(crystals, {14}))
    assert find(scores, "forces", "drift", model="scratch").n == n_known == 1
    assert find(scores, "forces", "drift", model="base").n == len(crystals)


def test_nothing_held_out_leaves_drift_and_consistency():
    found = judged({"base": Toy(), "adapted": Toy()}, [])
    assert {row.suite for row in found.scores} == {"forgetting", "consistency"}
    assert found.parity == ()


def test_structures_are_counted_for_every_model(structures):
    heard = []
    judged(
        {"base": Toy(), "adapted": Toy()},
        structures,
        progress=lambda *news: heard.append(news),
    )
    counts: dict[str, list[tuple[int, int]]] = {}
    for what, done, total in heard:
        counts.setdefault(what, []).append((done, total))
    for name in ("base", "adapted"):
        labels = [(i, len(structures)) for i in range(len(structures) + 1)]
        assert counts[f"{name}: held-out labels"] == labels
        assert counts[f"{name}: crystals it may have forgotten"][-1][0] > 0
    assert counts["base: consistency"] == [(0, 2)]
    assert counts["adapted: consistency"] == [(1, 2)]


def test_a_base_is_needed(structures):
    with pytest.raises(BadInputError, match="The base is needed"):
        judged({"adapted": Toy()}, structures)


def test_an_unknown_element_is_named(structures):
    models = {"base": Toy(), "adapted": Toy(elements={6})}
    with pytest.raises(BadInputError, match=r"contain Si.*'adapted' does not"):
        judged(models, structures)


def test_a_model_that_predicts_nan_is_refused(structures):
    models = {"base": Toy(), "adapted": Toy(broken="poisoned")}
    with pytest.raises(AtomgraftError, match=r"'adapted'.*not finite.*structure 0"):
        judged(models, structures)
