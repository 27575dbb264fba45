"""Does a student learn from a teacher what the teacher has learned from motion?"""

import dataclasses

import numpy as np
import pytest
import torch

pytest.importorskip("sklearn", reason="needs the extra transport")

from atomgraft.core.errors import BadInputError
from atomgraft.transport.features.ions import IonTable
from atomgraft.transport.features.table import FeatureTable
from atomgraft.transport.predictors import choice, networks, stored, teachers
from atomgraft.transport.predictors.choice import Examples
from atomgraft.transport.predictors.methods import METHODS, taught_by
from atomgraft.transport.predictors.teaching import Student, shuffled

TIGHT = 1e-8
SINGLE = 1e-4
"""Of single precision after hundreds of steps."""

N_TEST = 300
STARTS = ("transfer", "structure", "shuffled", "label", "scratch")


def bags(n, seed, n_ions=4, n_features=12, *, helps=True, noise=0.3):
    """Return ions and targets that motion explains, and structure does with noise.

    The target is a bent function of hidden numbers, which are linear in structure.
    Motion tells the hidden numbers of each ion; or nothing.
    """
    rng = np.random.default_rng(seed)
    rows = rng.normal(size=(n * n_ions, n_features))
    hidden = rows @ rng.normal(size=(n_features, 3)) / 3
    parts = hidden.reshape(n, n_ions, 3)
    targets = 2 * np.tanh(parts[..., 0]).mean(axis=1) + parts[..., 1].mean(axis=1)
    targets = targets + noise * rng.normal(size=n)
    motion = hidden + 0.1 * rng.normal(size=hidden.shape)
    if not helps:
        motion = rng.normal(size=hidden.shape)
    table = IonTable(
        rows=rows,
        columns=tuple(f"x{i}" for i in range(n_features)),
        owner=np.repeat(np.arange(n), n_ions),
        share=np.full(n * n_ions, 1 / n_ions),
        temperature=np.full(n, np.nan),
        motion=motion,
    )
    return table, targets


def errors(start, n, seeds, **how) -> float:
    """Return the mean error on other materials."""
    found = []
    for seed in seeds:
        ions, targets = bags(n + N_TEST, seed, **how)
        train, test = np.arange(n), np.arange(n, n + N_TEST)
        student = Student(start=start, seed=seed).fit(ions.take(train), targets[train])
        told = student.predict(ions.take(test).without_motion())
        found.append(np.abs(told - targets[test]).mean())
    return float(np.mean(found))


def test_the_closed_form_is_that_of_an_independent_solver():
    rng = np.random.default_rng(0)
    x, h = rng.normal(size=(50, 6)), rng.normal(size=(50, 3))
    weight = rng.random(50)
    penalty = 0.1
    rho = penalty * np.diag(x.T @ (weight[:, None] * x)).mean()
    # ridge regression is least squares with a row for each penalised coefficient
    root = np.sqrt(weight)[:, None]
    rows = np.vstack([root * x, np.sqrt(rho) * np.eye(6)])
    wanted = np.linalg.lstsq(rows, np.vstack([root * h, np.zeros((6, 3))]), rcond=None)
    given = (torch.from_numpy(one) for one in (x, h, weight))
    found = networks.transferred(*given, penalty).numpy()
    np.testing.assert_allclose(found, wanted[0], atol=TIGHT)


def test_the_student_equals_a_teacher_whose_motion_is_linear_in_structure():
    rng = np.random.default_rng(0)
    x = torch.from_numpy(rng.normal(size=(60, 6)))
    motion = x @ torch.from_numpy(rng.normal(size=(6, 4)))
    w_x, w_p = (torch.from_numpy(rng.normal(size=(n, 8))) for n in (6, 4))
    h = x @ w_x + motion @ w_p
    ones = torch.ones(60, dtype=torch.float64)
    w = networks.transferred(x, h, ones, 1e-12)
    torch.testing.assert_close(x @ w, h, atol=1e-6, rtol=0)
    unrelated = h + torch.from_numpy(rng.normal(size=(60, 8)))
    w = networks.transferred(x, unrelated, ones, 1e-12)
    assert (x @ w - unrelated).abs().max() > 0.5


def test_a_penalty_is_chosen_by_what_is_left_out():
    rng = np.random.default_rng(0)
    x = torch.from_numpy(rng.normal(size=(40, 30)))
    ones, fold = torch.ones(40, dtype=torch.float64), torch.arange(40) % 5
    noise = torch.from_numpy(rng.normal(size=(40, 2)))
    exact = x @ torch.from_numpy(rng.normal(size=(30, 2)))
    penalties = (1e-6, 1e-2, 10.0)
    assert networks.chosen_penalty(x, noise, ones, fold, penalties) == 10.0
    assert networks.chosen_penalty(x, exact, ones, fold, penalties) == 1e-6


@pytest.mark.slow
def test_motion_helps_where_it_tells_what_structure_hides():
    found = {one: errors(one, 80, range(3)) for one in ("transfer", "shuffled")}
    assert found["transfer"] < 0.93 * found["shuffled"]
    scratch = errors("scratch", 80, range(3))
    assert found["transfer"] < 0.93 * scratch


@pytest.mark.slow
def test_motion_that_tells_nothing_does_not_help():
    true, mixed = (
        errors(one, 80, range(3), helps=False) for one in ("transfer", "shuffled")
    )
    assert true > 0.93 * mixed


def test_the_same_call_gives_the_same_numbers():
    ions, targets = bags(24, 0)
    first, again, other = (
        Student(start="transfer", seed=seed).fit(ions, targets).predict(ions)
        for seed in (0, 0, 1)
    )
    np.testing.assert_array_equal(first, again)
    assert np.abs(first - other).max() > SINGLE


def test_order_of_ions_and_of_materials_does_not_matter():
    ions, targets = bags(20, 0)
    student = Student(start="scratch").fit(ions, targets)
    mixed = ions.take(np.arange(20)[::-1])
    np.testing.assert_allclose(
        student.predict(mixed)[::-1], student.predict(ions), atol=SINGLE
    )
    one = ions.take(np.array([3]))
    turned = dataclasses.replace(one, rows=one.rows[::-1], share=one.share[::-1])
    np.testing.assert_allclose(
        student.predict(turned), student.predict(one), atol=SINGLE
    )


def test_no_prediction_depends_on_motion():
    known = examples(24, 0)
    fitted = choice.learned(METHODS["taught"], known, scale="plain", seed=0)
    ions = known.table.ions
    assert ions is not None
    other = dataclasses.replace(ions, motion=ions.motion + 100.0)
    table = dataclasses.replace(known.table, ions=other)
    told = fitted.predict(known.table)
    np.testing.assert_array_equal(told, fitted.predict(table))
    # while the teacher sees it
    seen = fitted.model.predict_seeing(ions)
    assert np.abs(seen - fitted.model.predict_seeing(other)).max() > SINGLE


def test_only_materials_with_motion_teach():
    ions, targets = bags(30, 0)
    motion = ions.motion.copy()
    motion[ions.owner >= 10] = np.nan
    some = dataclasses.replace(ions, motion=motion)
    student = Student(start="transfer").fit(some, targets)
    assert np.isfinite(student.predict(ions)).all()
    none = some.without_motion()
    with pytest.raises(BadInputError, match="known motion"):
        Student(start="transfer").fit(none, targets)
    assert np.isfinite(Student(start="scratch").fit(none, targets).predict(none)).all()


def test_shuffled_motion_is_that_of_others_at_the_same_temperature():
    ions, _ = bags(20, 0)
    hot = np.arange(20) % 2 == 0
    temperature = np.where(hot, 1000.0, 600.0)
    ions = dataclasses.replace(ions, temperature=temperature)
    ions.motion[:, 0] = temperature[ions.owner]
    ions.motion[:, 1] = ions.owner
    found = shuffled(ions, 0)
    np.testing.assert_array_equal(found.motion[:, 0], ions.motion[:, 0])
    assert (found.motion[:, 1] != ions.owner).all()
    np.testing.assert_array_equal(found.rows, ions.rows)


def test_materials_without_ions_get_the_middle():
    ions, targets = bags(20, 0)
    bare = dataclasses.replace(
        ions.take(np.arange(19)), temperature=np.full(20, np.nan)
    )
    student = Student(start="scratch").fit(bare, targets)
    assert student.predict(bare)[19] == student.centre_


def examples(n, seed) -> Examples:
    ions, targets = bags(n, seed)
    rows = np.array([ions.rows[ions.owner == k].mean(axis=0) for k in range(n)])
    return Examples(
        table=FeatureTable(
            rows=rows,
            columns=ions.columns,
            blocks={"sites": slice(0, rows.shape[1])},
            ions=ions,
        ),
        targets=targets,
        groups=np.arange(n) // 2,
        weights=np.ones(n),
        is_limit=np.zeros(n, dtype=bool),
    )


ABOUT = {
    "target": "msd",
    "unit": "",
    "mobile": ("Li",),
    "elements": ("Li", "O"),
    "half_widths": (0.1, 0.2),
    "headline": "",
}


@pytest.mark.parametrize("name", ["taught", "kim2026", "from scratch"])
def test_a_stored_network_predicts_the_same_without_training(
    tmp_path, name, monkeypatch
):
    known = examples(24, 0)
    fitted = choice.learned(METHODS[name], known, scale="plain", seed=0)
    stored.save_predictor(tmp_path, fitted, known, seed=0, about=ABOUT)
    monkeypatch.setattr(Student, "fit", None)
    found = stored.load_predictor(tmp_path)
    new = examples(10, 1).table
    np.testing.assert_allclose(found.predict(new), fitted.predict(new), atol=TIGHT)
    assert not list(tmp_path.glob("*.pkl"))
    assert not found.knows_temperature


def test_a_network_without_its_weights_is_refused(tmp_path):
    known = examples(24, 0)
    fitted = choice.learned(METHODS["from scratch"], known, scale="plain", seed=0)
    stored.save_predictor(tmp_path, fitted, known, seed=0, about=ABOUT)
    from safetensors.numpy import load_file, save_file

    arrays = load_file(tmp_path / stored.EXAMPLES)
    del arrays["network.weights.w"]
    save_file(arrays, tmp_path / stored.EXAMPLES)
    with pytest.raises(BadInputError, match="lacks weights"):
        stored.load_predictor(tmp_path)


def test_a_teacher_is_kept_for_other_materials(tmp_path):
    known = examples(40, 0)
    fitted = choice.learned(METHODS["taught"], known, scale="plain", seed=0)
    teachers.save_teacher(tmp_path, fitted.model.as_teacher(), "")
    teacher = teachers.load_teacher(tmp_path, "")
    np.testing.assert_array_equal(teacher.encoder, fitted.model.as_teacher().encoder)
    other = examples(12, 0)
    student = choice.learned(taught_by(teacher), other, scale="plain", seed=0)
    assert np.isfinite(student.predict(other.table)).all()
    narrow = dataclasses.replace(other.table.ions, columns=("x0",))
    with pytest.raises(BadInputError, match="features of an ion"):
        Student(start="teacher", teacher=teacher).fit(narrow, other.targets)
    with pytest.raises(BadInputError, match="no teacher was given"):
        Student(start="teacher").fit(other.table.ions, other.targets)


def test_a_teacher_that_cannot_be_used_is_refused(tmp_path):
    with pytest.raises(BadInputError, match="holds no"):
        teachers.load_teacher(tmp_path, "")
    known = examples(24, 0)
    fitted = choice.learned(METHODS["taught"], known, scale="plain", seed=0)
    teachers.save_teacher(tmp_path, fitted.model.as_teacher(), "abc")
    with pytest.raises(BadInputError, match="other features of ions"):
        teachers.load_teacher(tmp_path, "")
    (tmp_path / teachers.TEACHER).write_bytes(b"nothing")
    with pytest.raises(BadInputError, match="cannot be read"):
        teachers.load_teacher(tmp_path, "abc")


def test_limits_pull_down_and_never_up():
    known = examples(24, 0)
    is_limit = known.targets > np.median(known.targets)
    limited = dataclasses.replace(known, is_limit=is_limit)
    fitted = choice.learned(METHODS["from scratch"], limited, scale="plain", seed=0)
    assert np.isfinite(fitted.predict(limited.table)).all()
    plain = choice.learned(METHODS["from scratch"], known, scale="plain", seed=0)
    lower = fitted.predict(known.table)[is_limit].mean()
    assert lower < plain.predict(known.table)[is_limit].mean() + SINGLE


def test_methods_on_ions_need_ions():
    known = examples(8, 0)
    bare = dataclasses.replace(known, table=dataclasses.replace(known.table, ions=None))
    with pytest.raises(BadInputError, match="single ions"):
        choice.learned(METHODS["taught"], bare, scale="plain", seed=0)


@pytest.mark.parametrize(("is_published", "differs"), [(False, True), (True, False)])
def test_weights_of_materials_count_where_they_should(is_published, differs):
    # as published every row counts once
    ions, targets = bags(24, 0)
    heavy = np.where(np.arange(24) < 6, 20.0, 1.0)
    student = Student(start="transfer", is_published=is_published)
    plain = student.fit(ions, targets, np.ones(24)).predict(ions)
    weighted = student.fit(ions, targets, heavy).predict(ions)
    assert (np.abs(plain - weighted).max() > SINGLE) == differs


def test_what_was_chosen_is_told():
    known = examples(24, 0)
    taught, published, scratch = (
        choice.learned(METHODS[name], known, scale="plain", seed=0).chosen
        for name in ("taught", "kim2026", "from scratch")
    )
    assert {*taught} == {"steps", "noise", "lambda"}
    assert published == {"steps": 200, "lambda": 1e-5}
    assert {*scratch} == {"steps", "noise"}
