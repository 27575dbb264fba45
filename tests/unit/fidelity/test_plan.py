"""Cells of a study: which models, which structures, and when they are other cells."""

import dataclasses
import itertools

import pytest

from atomgraft.core.errors import BadInputError
from atomgraft.core.trust import NO_TRUST
from atomgraft.data.labels import energy_of, structures_fingerprint
from atomgraft.data.readers import read_structures
from atomgraft.fidelity.levels import same_geometries
from atomgraft.fidelity.plan import Maker, planned_models, sizes_of, stages
from atomgraft.fidelity.spec import parse_fidelity_spec
from atomgraft.fidelity.work import plan_fidelity
from atomgraft.study.cells import NOT_RUN, Outcome
from tests.fidelities import POOL, SPEC, labelled, level_files, written

EVERY = ["fine-tuning", "multi-head", "all-heads", "delta"]


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    return level_files(tmp_path_factory.mktemp("plan"))


def spec_of(files, **changes):
    sources = {"sources": {"cheap": files, "other": files}}
    return parse_fidelity_spec(
        SPEC | sources | {"strategies": EVERY} | changes, "a test"
    )


@pytest.fixture(scope="module")
def plan(files):
    return plan_fidelity(spec_of(files, keep=["all", "energy"], seeds=[0, 1]))


def maker_of(plan, folder, **changes):
    given = {"spec": plan.spec, "levels": plan.levels, "folder": folder}
    return Maker(**given | changes, trust=NO_TRUST)


@pytest.fixture(scope="module")
def maker(plan, tmp_path_factory):
    return maker_of(plan, tmp_path_factory.mktemp("out"))


def named(plan, name):
    [found] = [one for one in plan.models if one.name(plan.spec.base) == name]
    return found


def contents(structures):
    return {structures_fingerprint([one]) for one in structures}


# --- which models there are


def test_every_model_is_there_once(plan):
    names = [one.name(plan.spec.base) for one in plan.models]
    assert len(set(names)) == len(names)
    counts = {
        strategy: sum(one.strategy == strategy for one in plan.models)
        for strategy in ("alone", "source", *EVERY)
    }
    n_seeds, n_sources, n_kept, n_source, n = 2, 2, 2, 2, 2
    assert counts == {
        "alone": n_seeds * n,
        "source": n_seeds * n_sources * n_kept * n_source,
        "fine-tuning": n_seeds * n_sources * n_kept * n_source * n,
        "multi-head": n_seeds * n_sources * n_kept * n_source * n,
        "all-heads": n_seeds * n_kept * n_source * n,
        "delta": n_seeds * n_sources * n,
    }


def test_one_whole_seed_comes_before_the_next(plan):
    seeds = [one.seed for one in plan.models]
    assert seeds == sorted(seeds)


def test_a_model_starts_from_one_that_comes_before_it(plan):
    for i, one in enumerate(plan.models):
        if one.strategy == "fine-tuning":
            assert one.start in plan.models[:i]
            told = (one.sources, one.n_source, one.kept, one.seed, one.base)
            start = one.start
            assert start.strategy == "source"
            assert told == (
                start.sources, start.n_source, start.kept, start.seed, start.base
            )  # fmt: skip
        else:
            assert one.start is None


def test_without_fine_tuning_sources_are_not_trained_alone(files):
    spec = spec_of(files, strategies=["multi-head"])
    models = planned_models(spec, (4,), (2,))
    assert {one.strategy for one in models} == {"alone", "multi-head"}


def test_names_of_sources_that_would_share_a_folder_are_refused(files):
    """``x-energy`` with all labels, and ``x`` with energies alone, have one name."""
    sources = {"x": files, "x-energy": files}
    with pytest.raises(BadInputError, match="x-energy"):
        plan_fidelity(spec_of(files, sources=sources, keep=["all", "energy"]))
    assert plan_fidelity(spec_of(files, sources=sources))


def test_auto_doubles_up_to_the_smallest_source(files, plan, tmp_path):
    spec = spec_of(files, source_sizes="auto", sizes="auto")
    small = dataclasses.replace(
        plan.levels.sources["cheap"], pool=plan.levels.sources["cheap"].pool[:9]
    )
    levels = dataclasses.replace(
        plan.levels, sources={**plan.levels.sources, "other": small}
    )
    source_sizes, sizes = sizes_of(spec, levels)
    assert (source_sizes[-1], sizes[-1]) == (9, 13)
    for found in (source_sizes, sizes):
        steps = [b / a for a, b in itertools.pairwise(found)]
        assert all(1.5 < step <= 2.5 for step in steps)


@pytest.mark.parametrize("key", ["sizes", "source_sizes"])
def test_more_than_there_is_is_refused(key, files):
    with pytest.raises(BadInputError, match="900"):
        plan_fidelity(spec_of(files, **{key: [900]}))


# --- training sets


def test_smaller_sets_are_parts_of_larger_ones(plan, maker):
    for source in (None, "cheap", "other"):
        pool = maker.levels.target if source is None else maker.levels.sources[source]
        whole = maker.drawn(source, len(pool.pool), 0)
        assert sorted(whole) == list(range(len(pool.pool)))
        for n in range(1, len(whole)):
            assert maker.drawn(source, n, 0) == whole[:n]


def test_seeds_draw_other_sets(maker):
    assert maker.drawn(None, 13, 0) != maker.drawn(None, 13, 1)
    assert maker.drawn("cheap", 13, 0) != maker.drawn("other", 13, 0)


def test_all_models_of_the_target_share_their_sets(plan, maker):
    names = {
        maker.target_file(one)
        for one in plan.models
        if one.n_target == 4 and one.seed == 0 and one.strategy != "delta"
    }
    assert names == {"target-n4-s0.extxyz"}


def test_no_file_of_a_source_has_a_test_geometry(plan, maker):
    maker.write_data(plan.models)
    folder = maker.folder / "data"
    test = read_structures([folder / "test.extxyz"])
    assert len(test) == 6
    training = [
        path for path in folder.glob("*.extxyz") if not path.name.startswith("test")
    ]
    assert len(training) == 2 * 2 * 2 * 2 + 2 * 2 + 2 * 2 * 2
    for path in training:
        assert same_geometries(test, read_structures([path])) == {}, path.name
    own = read_structures([folder / "test-source-cheap.extxyz"])
    assert len(same_geometries(test, own)) == 6


def test_labels_that_are_not_kept_are_in_no_file(plan, maker):
    maker.write_data(plan.models)
    for path in (maker.folder / "data").glob("source-*-energy-*.extxyz"):
        for atoms in read_structures([path]):
            assert "REF_energy" in atoms.info
            assert "REF_forces" not in atoms.arrays
    for path in (maker.folder / "data").glob("source-*-all-*.extxyz"):
        assert all("REF_forces" in one.arrays for one in read_structures([path]))


@pytest.mark.parametrize("which", ["target_set", "test_set"])
def test_differences_and_the_source_add_up(which, plan, maker):
    delta = named(plan, "delta-cheap-n4-s0")
    alone = named(plan, "alone-n4-s0")
    differences, dear = (getattr(maker, which)(one) for one in (delta, alone))
    cheap = labelled(dear)
    assert len(differences) == len(dear) > 3
    for one, other, whole in zip(differences, cheap, dear, strict=True):
        assert energy_of(one) + energy_of(other) == pytest.approx(energy_of(whole))


@pytest.mark.parametrize("missing", ["pool", "test set"])
def test_differences_need_every_label_of_the_source(missing, tmp_path):
    kept = POOL if missing == "test set" else "shipped:si-test@:6"
    frames = read_structures([kept, "shipped:si-train@1::8"])
    file = written(tmp_path / "cheap.extxyz", labelled(frames))
    spec = spec_of(file, strategies=["delta"])
    with pytest.raises(BadInputError, match=f"0 of . structures of the {missing}"):
        plan_fidelity(spec)


# --- runs


def test_what_a_model_trains_on(plan, maker, tmp_path):
    def run(name):
        one = named(plan, name)
        found = maker.run_of(one, "base", tmp_path)
        files = [path.rpartition("/")[2] for path in found.train]
        heads = {
            name: head.train[0].rpartition("/")[2] for name, head in found.heads.items()
        }
        return found.training.steps, files, heads

    source = "source-cheap-all-N8-s0.extxyz"
    target = "target-n4-s0.extxyz"
    assert run("source-cheap-N8-s0") == (4, [source], {})
    assert run("fine-tuning-cheap-full-N8-n4-s0") == (3, [target], {})
    assert run("alone-n4-s0") == (7, [target], {})
    assert run("multi-head-cheap-N8-n4-s0") == (7, [target], {"cheap": source})
    heads = {"cheap": source, "other": source.replace("cheap", "other")}
    assert run("all-heads-cheap+other-N8-n4-s0") == (7, [target], heads)
    assert run("delta-cheap-n4-s0") == (7, ["delta-cheap-n4-s0.extxyz"], {})


def test_fine_tuning_starts_from_the_run_of_the_source(plan, maker):
    one = named(plan, "fine-tuning-cheap-full-N8-n4-s0")
    base = maker.cell(one).payload["run"]["base"]
    assert base.endswith("/cells/source-cheap-N8-s0/run")
    other = maker.cell(named(plan, "alone-n4-s0")).payload["run"]["base"]
    assert other == "pair:sw-si"


def test_it_waits_for_the_source_and_runs_without_those_that_failed(plan, maker):
    first, second = stages(maker, plan.models)
    cells = first({})
    assert not any(one.name.startswith("fine-tuning") for one in cells)
    failed = "source-cheap-N8-s0"
    outcomes = {
        one.name: Outcome(status="failed", reason="No.")
        if one.name == failed
        else NOT_RUN
        if one.name == "source-cheap-N4-s0"
        else Outcome(status="done", document={})
        for one in cells
    }
    names = {one.name for one in second(outcomes)}
    starts = {
        one.start.name(plan.spec.base)
        for one in plan.models
        if one.start and one.name(plan.spec.base) in names
    }
    all_starts = {one.start.name(plan.spec.base) for one in plan.models if one.start}
    assert all_starts - starts == {failed, "source-cheap-N4-s0"}


# --- identities


def identities(plan, folder, **changes):
    maker = maker_of(plan, folder, **changes)
    return {one.name(plan.spec.base): maker.identity(one) for one in plan.models}


def changed(before, after):
    return {name.partition("-")[0] for name in before if before[name] != after[name]}


def with_steps(plan, **steps):
    own = {
        key: getattr(plan.spec, key).model_copy(update={"steps": n})
        for key, n in steps.items()
    }
    return {"spec": plan.spec.model_copy(update=own)}


def test_the_folder_is_not_part_of_an_identity(plan, tmp_path):
    before = identities(plan, tmp_path / "a")
    assert identities(plan, tmp_path / "b" / "c") == before
    device = {"spec": plan.spec.model_copy(update={"device": "cpu"})}
    assert identities(plan, tmp_path, **device) == before
    assert len(set(before.values())) == len(before)


def test_settings_are_part_of_it(plan, tmp_path):
    before = identities(plan, tmp_path)
    tuned = identities(plan, tmp_path, **with_steps(plan, training=9))
    assert changed(before, tuned) == {"alone", "fine", "multi", "all", "delta"}
    sourced = identities(plan, tmp_path, **with_steps(plan, source_training=9))
    assert changed(before, sourced) == {
        "alone",
        "source",
        "fine",
        "multi",
        "all",
        "delta",
    }


def test_the_model_it_starts_from_is_part_of_it(plan, tmp_path):
    """A changed label of a source changes what is fine-tuned from it."""
    before = identities(plan, tmp_path)
    source = plan.levels.sources["cheap"]
    pool = [one.copy() for one in source.pool]
    for one in pool:
        one.info["REF_energy"] += 0.1
    levels = dataclasses.replace(
        plan.levels,
        sources={
            **plan.levels.sources,
            "cheap": dataclasses.replace(source, pool=tuple(pool)),
        },
    )
    after = identities(plan, tmp_path, levels=levels)
    touched = {name for name in before if before[name] != after[name]}
    assert touched == {
        name for name in before if "cheap" in name and not name.startswith("delta")
    }


def test_labels_of_the_test_set_are_part_of_it(plan, tmp_path):
    before = identities(plan, tmp_path)
    test = [one.copy() for one in plan.levels.target.test]
    test[0].info["REF_energy"] += 0.1
    target = dataclasses.replace(plan.levels.target, test=tuple(test))
    levels = dataclasses.replace(plan.levels, target=target)
    after = identities(plan, tmp_path, levels=levels)
    assert changed(before, after) == {"alone", "fine", "multi", "all", "delta"}
