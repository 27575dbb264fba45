"""Is JSON read as json reads it, and whatever no file of ours holds refused?"""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from atomgraft.core.errors import BadInputError
from atomgraft.core.json_files import parse_json, read_json

TEXT = st.text(st.characters(codec="utf-8"))
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**62), 2**62)
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXT,
    lambda inner: st.lists(inner) | st.dictionaries(TEXT, inner),
    max_leaves=30,
)


@given(st.dictionaries(TEXT, VALUES))
def test_what_json_writes_comes_back(document):
    assert parse_json(json.dumps(document)) == document


def test_brackets_in_text_are_no_levels():
    document = {"command": "[" * 1000, "more": '\\"{{' * 100}
    assert parse_json(json.dumps(document)) == document


WHOLE = '{"seed": 1, "steps": 2}'


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (WHOLE[:-1], "no JSON"),
        (WHOLE * 2, "trailing characters"),
        ("{", "no JSON"),
        ("[1]", "holds a list"),
        ("null", "holds a NoneType"),
        ('"text"', "holds a str"),
        ('{"a": NaN}', "no finite number"),
        ('{"a": -Infinity}', "no finite number"),
        ('{"a": 1e999}', "no finite number"),
        ('{"a": 99999999999999999999}', "63 bits"),
        ('{"a": [{"b": -9223372036854775809}]}', "63 bits"),
        ('{"a": ' + "9" * 5000 + "}", "no JSON"),
        ("[" * 100_000, "recursion limit"),
        ('{"a":' * 300 + "1" + "}" * 300, "recursion limit"),
        ('{"a": "\\ud800"}', "no JSON"),
    ],
)
def test_everything_else_is_refused(tmp_path, text, reason):
    path = tmp_path / "result.json"
    path.write_text(text)
    with pytest.raises(BadInputError, match=reason) as caught:
        read_json(path, title="result", remedy="Run it again.")
    assert str(path) in str(caught.value)
    assert str(caught.value).endswith("Run it again.")


def test_what_only_looks_extreme_is_read():
    """Negative control of the look at large numbers."""
    document = {"sum": "1e999 NaN 99999999999999999999", "a": [1e300, -(2**63) + 1]}
    assert parse_json(json.dumps(document)) == document


def test_a_log_may_hold_what_is_not_finite():
    assert parse_json('{"loss": Infinity}', finite=False) == {"loss": float("inf")}
    with pytest.raises(ValueError, match="63 bits"):
        parse_json('{"step": 99999999999999999999}', finite=False)
