"""What a study of levels may be asked, and what is refused."""

import pytest
import yaml

from atomgraft.core.errors import BadInputError
from atomgraft.fidelity.spec import (
    GRID,
    ONE_OR_MORE,
    FidelitySpec,
    SourceSpec,
    fidelity_spec_text,
    parse_fidelity_spec,
    read_fidelity_spec,
)
from atomgraft.run.spec import RESERVED_HEADS

LEAST = {
    "base": "pair:sw-si",
    "train": "pool.xyz",
    "test": "test.xyz",
    "sources": {"xtb": "xtb.xyz"},
}


def spec(**changes):
    return parse_fidelity_spec(LEAST | changes, "a test")


def test_the_least_is_enough():
    found = spec()
    assert found.strategies == ("fine-tuning", "multi-head")
    assert (found.source_sizes, found.sizes) == ("auto", "auto")
    assert (found.seeds, found.keep) == ((0, 1, 2), ("all",))
    assert [one.name for one in found.recipes] == ["full"]
    assert found.first("7net-0").recipe == "full"
    assert found.first("mace:tiny:H,C").recipe == "scratch"
    assert spec(pretraining="lora").first("mace:tiny:H,C").recipe == "lora"


def test_a_spec_survives_its_file(tmp_path):
    source = {"train": ["a.xyz", "b.xyz"], "energy_unit": "Ha", "seconds": 0.5}
    lora = {"name": "lora-8", "recipe": "lora", "settings": {"learning_rate": 0.01}}
    found = spec(
        sources={"hf": source, "xtb": "xtb.xyz"},
        recipes=["full", lora],
        strategies=["delta", "all-heads"],
        keep=["all", "energy"],
        sizes=[4, 8],
    )
    path = tmp_path / "fidelity.yaml"
    path.write_text(fidelity_spec_text(found))
    assert read_fidelity_spec(path) == found


@pytest.mark.parametrize("source", ["a.xyz", ["a.xyz"], {"train": "a.xyz"}])
def test_a_source_is_written_in_three_ways(source):
    assert spec(sources={"xtb": source}).sources["xtb"] == SourceSpec(train=("a.xyz",))


@pytest.mark.parametrize("key", sorted(ONE_OR_MORE))
def test_one_value_is_a_list_of_one(key):
    values = {
        "source_sizes": 4, "sizes": 4, "seeds": 4, "keep": "forces",
        "strategies": "delta", "recipes": "lora",
    }  # fmt: skip
    value = values.get(key, "something")
    assert getattr(spec(**{key: value}), key) == getattr(spec(**{key: [value]}), key)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"sources": {}}, "sources"),
        ({"sources": {"xtb": []}}, "train"),
        ({"sources": {"xtb": {"train": "a", "colour": "red"}}}, "colour"),
        ({"sources": {"a/b": "x"}}, "letters, digits"),
        ({"sources": {"-a": "x"}}, "letters, digits"),
        ({"sources": {"": "x"}}, "letters, digits"),
        ({"sources": {"alone": "x"}}, "cannot be called 'alone'"),
        ({"sources": {"xtb": "x", "XTB": "y"}}, "more than their case"),
        ({"strategies": ["magic"]}, "fine-tuning"),
        ({"strategies": ["delta", "delta"]}, "twice"),
        ({"strategies": []}, "strategies"),
        ({"strategies": "all-heads"}, "two sources"),
        ({"keep": ["stress"]}, "energy"),
        ({"keep": []}, "keep"),
        ({"sizes": [0]}, "greater than or equal to 1"),
        ({"sizes": [4, 4]}, "twice"),
        ({"source_sizes": [4, 4]}, "twice"),
        ({"seeds": []}, "seeds"),
        ({"recipes": ["full", {"name": "FULL", "recipe": "lora"}]}, "one name"),
        ({"recipes": ["lorra"]}, "Did you mean 'lora'"),
        ({"recipes": ["scratch"]}, "fresh weights"),
        ({"pretraining": "lorra"}, "Did you mean 'lora'"),
        ({"training": {"patience": 3}}, "patience"),
        ({"source_training": {"patience": 3}}, "patience"),
        ({"seconds": 0}, "greater than 0"),
        ({"colour": "red"}, "'colour' is an unknown key"),
        ({"base": []}, "base"),
    ],
)
def test_what_cannot_be_asked(changes, said):
    with pytest.raises(BadInputError, match=said):
        spec(**changes)


@pytest.mark.parametrize("name", sorted(RESERVED_HEADS))
def test_names_of_heads_are_no_names_of_sources(name):
    with pytest.raises(BadInputError, match="cannot be called"):
        spec(sources={name: "x.xyz"})


def test_fresh_weights_are_allowed_where_nothing_is_fine_tuned():
    """The negative control of refusing them for fine-tuning."""
    assert spec(recipes=["scratch"], strategies=["multi-head"])


@pytest.mark.parametrize(
    ("document", "said"), [([], "holds list"), ({}, "'base' is missing")]
)
def test_what_is_no_spec(document, said):
    with pytest.raises(BadInputError, match=said):
        parse_fidelity_spec(document, "a test")


# --- runs


def test_models_trained_in_one_go_get_all_steps():
    found = spec(source_training={"steps": 7}, training={"steps": 5})
    assert found.together.steps == 12
    assert found.together == found.source_training.model_copy(update={"steps": 12})


def test_a_run_has_no_validation_and_the_budget_that_is_given():
    found = spec(training={"steps": 5})
    run = found.run_of(found.recipes[0], "there", ("a.xyz",), 3, plan=found.training)
    assert (run.seed, run.training.steps, run.validation_fraction) == (3, 5, 0.0)
    assert (run.base, run.head) == ("there", None)


def test_the_modality_is_that_of_the_base_and_of_no_other_start():
    found = spec(base="7net-mf-0", head="PBE")
    [own, other] = [
        found.run_of(
            found.recipes[0],
            base,
            ("a.xyz",),
            0,
            plan=found.training,
            is_tuning=is_tuning,
        )
        for base, is_tuning in (("/there/7net-mf-0", False), ("cells/source/run", True))
    ]
    assert (own.head, other.head) == ("PBE", None)


def test_heads_are_the_sources():
    found = spec(pretraining="full")
    run = found.run_of(
        found.first("pair:sw-si"),
        "pair:sw-si",
        ("a.xyz",),
        0,
        plan=found.together,
        heads={"xtb": "xtb.xyz"},
    )
    assert {name: one.train for name, one in run.heads.items()} == {"xtb": ("xtb.xyz",)}


def test_units_of_a_source_are_its_own():
    found = spec(
        energy_unit="Ha", sources={"xtb": {"train": "x.xyz", "forces_unit": "Ha/Bohr"}}
    )
    target, source = found.level(None), found.level("xtb")
    assert (target.energy_unit, target.forces_unit) == ("Ha", None)
    assert (source.energy_unit, source.forces_unit) == (None, "Ha/Bohr")
    assert (target.train, source.train) == (("pool.xyz",), ("x.xyz",))


# --- growth


@pytest.mark.parametrize(
    "changes",
    [
        {"sizes": [3]}, {"source_sizes": [3]}, {"keep": ["energy"]}, {"seeds": [7]},
        {"strategies": ["delta"]}, {"recipes": ["lora"]}, {"quantity": "energy"},
        {"device": "cpu"}, {"accept": ["duplicates"]}, {"seconds": 3.0},
        {"sources": {"xtb": {"train": "xtb.xyz", "seconds": 2.0}}},
    ],
)  # fmt: skip
def test_a_study_may_grow(changes):
    assert spec(**changes).frame() == spec().frame()


@pytest.mark.parametrize(
    "changes",
    [
        {"base": "pair:lj-ar"}, {"train": "b.xyz"}, {"test": "b.xyz"},
        {"training": {"steps": 9}}, {"source_training": {"steps": 9}},
        {"pretraining": "lora"}, {"kernels": "upstream"}, {"dtype": "float64"},
        {"energy_unit": "Ha"},
        {"sources": {"xtb": "other.xyz"}},
        {"sources": {"xtb": {"train": "xtb.xyz", "energy_unit": "Ha"}}},
    ],
)  # fmt: skip
def test_another_budget_or_other_data_are_another_study(changes):
    assert spec(**changes).frame() != spec().frame()


def test_every_key_belongs_to_the_frame_or_not():
    whole = spec(kernels="upstream")
    hidden = set(FidelitySpec.model_fields) - whole.frame().keys()
    assert hidden == (GRID - {"sources"}) | {"device", "accept", "quantity", "seconds"}


def test_the_written_spec_has_every_key():
    document = yaml.safe_load(fidelity_spec_text(spec(kernels="upstream")))
    assert set(document) == set(FidelitySpec.model_fields)
