"""A contract in words holds every number that a user agrees to."""

from atomgraft.run.contract import contract_rows, terms_rows
from tests.example_contract import make_contract, make_terms


def found(rows) -> dict[str, str]:
    return {name: text for name, text in rows if name}


def test_a_line_for_each_thing_that_is_agreed():
    rows = found(terms_rows(make_terms()))
    assert list(rows) == [
        "base", "licence", "train", "validation", "elements", "what moves",
        "pulls back", "starts from", "references", "rehearsal", "training",
    ]  # fmt: skip


def test_the_numbers_are_those_of_the_contract():
    contract = make_contract()
    terms, rows = contract.terms, found(contract_rows(contract))
    assert terms.base.weights_hash[:12] in rows["base"]
    assert terms.base.licence in rows["licence"]
    assert f"{len(terms.elements_kept)} kept" in rows["elements"]
    for symbol in terms.reference.shifts:
        assert symbol in rows["references"]
    assert "32 crystal, 16 strained, 16 substituted" in rows["rehearsal"]
    assert "200 steps of 9 structures" in rows["training"]
    assert rows["cost"] == "about 3 min 35 s (2 min 52 s to 4 min 40 s)"
    assert rows["from scratch"].startswith("about 6 min 40 s")
    assert rows["memory"] == "2.20 GB at its peak"
    assert rows["pulls back"] == "l2sp, strength 1"
    assert rows["starts from"] == "the base"
    assert "231 kB" in rows["graft"]


def test_what_is_absent_is_said_to_be():
    terms = make_terms()
    some = terms.base.elements[3:]
    starts = {"weights": "fresh", "readout": "ridge"}
    spec = terms.spec | {"axes": {"pulls": None, "starts": starts}}
    update = {"rehearsal": None, "elements_kept": some, "spec": spec}
    bare = terms.model_copy(update=update)
    rows = found(terms_rows(bare))
    assert rows["rehearsal"] == "nothing"
    assert rows["pulls back"] == "nothing"
    assert rows["starts from"] == "fresh weights, its readout solved in closed form"
    lost = ", ".join(terms.base.elements[:3])
    assert rows["elements"].endswith(f"lost: {lost}")


def test_few_elements_are_named():
    terms = make_terms().model_copy(update={"elements_kept": ("Si", "Ge", "Xx")})
    text = found(terms_rows(terms))["elements"]
    assert text.startswith("3 kept")
    assert "Xx" in text
