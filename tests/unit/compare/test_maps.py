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
