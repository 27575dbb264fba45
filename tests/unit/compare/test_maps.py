"""What a comparison says of elements that a base does not support."""

import pytest

from atomgraft.compare.plan import examine_base
from atomgraft.compare.spec import parse_compare_spec
from atomgraft.compare.structures import read_pool
from atomgraft.core.errors import BadInputError
from atomgraft.core.trust import NO_TRUST


@pytest.mark.parametrize(
    ("maps", "base", "told"),
    [
        ([], "pair:sw-si", "start them from similar ones: --map auto:Ge"),
        (["none"], "pair:sw-si", "Leave --map none out, and use --map auto:Ge"),
        (
            ["none", "Si:Ge"],
            "pair:sw-si",
            "--map none compares this base as it is. Data without errors are needed."
            " Leave --map none out, and use --map Si:Ge",
        ),
        (
            ["Ar:Ge", "none"],
            "pair:lj-ar",
            "Map these elements as well: --map Ar:Ge,auto:Si",
        ),
    ],
)
def test_a_map_is_a_way_out(maps, base, told):
    train = ["shipped:ge-train@:4"]
    if base == "pair:lj-ar":
        train.append("shipped:si-train@:2")
    spec = parse_compare_spec(
        {
            "base": base,
            "train": train,
            "test": "shipped:ge-test@:2",
            "recipes": ["full"],
            "maps": maps,
        },
        "test",
    )
    with pytest.raises(BadInputError) as refused:
        examine_base(spec, base, read_pool(spec), trust=NO_TRUST)
    assert str(refused.value).endswith(told)


def scaled(*recipes, maps=("Si:Ge@fit",)):
    document = {
        "base": "pair:sw-si",
        "train": "shipped:ge-train@:4",
        "test": "shipped:ge-test@:2",
        "recipes": recipes,
        "maps": maps,
    }
    return parse_compare_spec(document, "test")


def test_a_scale_that_no_recipe_uses_is_refused():
    with pytest.raises(BadInputError, match="no recipe uses the scale of Si:Ge@fit"):
        scaled("scratch")


def test_recipes_that_use_no_scale_are_named():
    [said] = [
        one for one in read_pool(scaled("full", "scratch")).notices if "Ge" in one
    ]
    assert said == (
        "scratch starts from fresh weights: it has room for the elements of Si:Ge@fit, "
        "and does not use the scale."
    )


@pytest.mark.parametrize(
    ("recipes", "maps"), [(["full"], ["Si:Ge@fit"]), (["scratch"], ["Si:Ge"])]
)
def test_nothing_is_said_where_all_of_a_map_is_used(recipes, maps):
    assert not any(
        "fresh" in one for one in read_pool(scaled(*recipes, maps=maps)).notices
    )
