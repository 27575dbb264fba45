"""Contracts come back from disk as they were, and their differences are named."""

import pytest

from atomgraft.core.errors import BadInputError
from atomgraft.core.specs import TOLERANCE
from atomgraft.run.contract import (
    CONTRACT_VERSION,
    differences,
    read_contract,
    write_contract,
)
from tests.example_contract import make_contract, make_terms


def test_a_contract_comes_back(tmp_path):
    contract = make_contract()
    write_contract(tmp_path / "plan.json", contract)
    again = read_contract(tmp_path / "plan.json")
    assert again == contract
    assert differences(contract.terms, again.terms) == ()


def changed(**update):
    return make_terms().model_copy(update=update)


def test_every_difference_is_named():
    terms = make_terms()
    data = (terms.data[0].model_copy(update={"fingerprint": "0" * 64}), terms.data[1])
    found = differences(terms, changed(data=data, n_steps=100))
    assert len(found) == 2
    assert found[0].startswith('data.0.fingerprint was "')
    assert found[1] == "n_steps was 200 and is 100"


@pytest.mark.parametrize(
    ("update", "place"),
    [
        ({"rehearsal": None}, "rehearsal was {"),
        ({"elements_kept": ("Si",)}, "elements_kept was ["),
        ({"spec": {"recipe": "lora"}}, "spec.learning_rate was 0.005 and is absent"),
        ({"data": ()}, "data was ["),
    ],
)
def test_what_is_gone_is_a_difference(update, place):
    assert any(
        one.startswith(place) for one in differences(make_terms(), changed(**update))
    )


@pytest.mark.parametrize(("factor", "n"), [(TOLERANCE / 10, 0), (10 * TOLERANCE, 1)])
def test_rounding_is_no_difference_and_more_is(factor, n):
    reference = make_terms().reference
    symbol, shift = next(iter(reference.shifts.items()))
    shifts = reference.shifts | {symbol: shift * (1 + factor)}
    other = changed(reference=reference.model_copy(update={"shifts": shifts}))
    assert len(differences(make_terms(), other)) == n


def test_where_it_runs_is_free():
    spec = make_terms().spec | {"device": "cuda"}
    assert differences(make_terms(), changed(spec=spec)) == ()


@pytest.mark.parametrize(
    "text",
    ["", "[]", "{}", "\x00", make_contract().model_dump_json()[:-20]],
)
def test_what_is_no_contract_is_refused(tmp_path, text):
    path = tmp_path / "plan.json"
    path.write_text(text)
    with pytest.raises(BadInputError, match="is not a readable contract"):
        read_contract(path)


def test_a_later_version_is_refused(tmp_path):
    path = tmp_path / "plan.json"
    later = f'"contract_version":{CONTRACT_VERSION + 1}'
    text = make_contract().model_dump_json()
    path.write_text(text.replace(f'"contract_version":{CONTRACT_VERSION}', later))
    with pytest.raises(BadInputError, match="is not a readable contract"):
        read_contract(path)


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(BadInputError, match="There is no file"):
        read_contract(tmp_path / "gone.json")
