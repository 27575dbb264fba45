"""Does YAML mean what yaml's own safe loader says, without what can hurt?"""

import contextlib
import math
import sys

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from atomgraft.core.errors import BadInputError
from atomgraft.core.yaml_files import parse_yaml, read_yaml

TEXT = st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Zl", "Zp")))
"""Ends of lines other than the usual are folded by yaml's own writer."""
PLAIN = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**62), 2**62)
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXT,
    lambda inner: st.lists(inner) | st.dictionaries(TEXT, inner),
    max_leaves=30,
)


@given(PLAIN, st.booleans())
def test_what_yaml_writes_comes_back(document, flow):
    text = yaml.safe_dump(document, default_flow_style=flow, allow_unicode=True)
    assert parse_yaml(text, "here") == document


@pytest.mark.parametrize(
    "text",
    [
        *("1", "-1", "+12_000", "0", "017", "0x1F", "0b101", "1.", ".5", "-1.5e+3"),
        *("yes", "No", "ON", "~", "null", "1e3", "1.5e3", "08", "0o7", "a b"),
        *("!!str 1", "!!float 1", "!!int '3'", "1.2.3", "+", "0x", "1_."),
        "{a: &x {b: 1}, c: *x}",
        "{a: &x {b: 1, d: 2}, c: {<<: *x, b: 3}}",
        "[&x {b: 1}, &y {b: 2, c: 3}, {<<: [*x, *y], d: 4}]",
        "a: |\n  text\n  more\nb: >\n  folded\n  text\n",
        "? a\n: 1\n",
    ],
)
def test_values_are_those_of_the_safe_loader(text):
    ours, theirs = parse_yaml(text, "here"), yaml.safe_load(text)
    assert ours == theirs
    assert type(ours) is type(theirs)


@pytest.mark.parametrize("text", ["2024-05-01", "2024-13-45", "12:30", "01:00:00"])
def test_dates_and_times_stay_text(text):
    assert parse_yaml(text, "here") == text


@contextlib.contextmanager
def calls():
    """Give a list of calls and returns: their number is time on every machine."""
    seen = []
    sys.setprofile(lambda _, event, __: seen.append(event))
    try:
        yield seen
    finally:
        sys.setprofile(None)


BOMB = "".join(
    f"a{i}: &a{i} [{', '.join([f'*a{i - 1}' if i else 'x'] * 9)}]\n" for i in range(9)
)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("a: !!int ''", "is no int"),
        ("a: !!bool foo", "is no bool"),
        ("a: !!float x", "is no float"),
        ("a: !!binary aGk=", "the tag"),
        ("a: !!timestamp 2024-05-01", "the tag"),
        ("a: !!set {b}", "the tag"),
        ("a: !!python/object/apply:os.getcwd []", "the tag"),
        ("!!python/name:os.system ''", "the tag"),
        ("a: !mine 1", "the tag"),
        ("seed: " + "9" * 5000, "63 bits"),
        ("seed: 9223372036854775808", "63 bits"),
        ("seed: 0x" + "f" * 5000, "63 bits"),
        ("x: .inf", "no finite number"),
        ("x: -.INF", "no finite number"),
        ("x: .NaN", "no finite number"),
        ("x: 1.0e+999", "no finite number"),
        ("[" * 10_000, r"nesting depth|levels"),
        ("[" * 100 + "]" * 100, "levels"),
        ("- " * 200 + "a", "levels"),
        ("{a: " * 100 + "1" + "}" * 100, "levels"),
        (BOMB, "references add over"),
        ("a: &a [*a]", "refers to nothing"),
        ("a: *b", "refers to nothing"),
        ("a: 1\na: 2", "comes twice"),
        ("1: a", "quote it"),
        ("No: -1.5", "quote it"),
        ("[a]: 1", "a list or mapping is used as a key"),
        ("{a: 1, <<: 3}", "no mapping"),
        ("a: 1\n---\nb: 2", "a second document"),
        ("", "holds no YAML document"),
        ("# nothing\n", "holds no YAML document"),
        ("a: [1,", "not readable YAML"),
        ("a: 'b", "not readable YAML"),
        ("\tbad", "not readable YAML"),
        ('a: "\\0"', "zero byte"),
        ('a: "\\ud800"', "not readable YAML"),
        ("a: \x01", "not readable YAML"),
    ],
)
def test_everything_else_is_refused_at_once(text, reason):
    with pytest.raises(BadInputError, match=reason) as caught, calls() as seen:
        parse_yaml(text, "run.yaml")
    assert len(seen) < 10_000 + 200 * len(text)
    assert str(caught.value).startswith("run.yaml")
    assert len(str(caught.value)) < 600


def test_a_message_names_the_line():
    with pytest.raises(BadInputError, match=r"line 3: .*comes twice"):
        parse_yaml("a: 1\nb: 2\na: 3\n", "run.yaml")


def test_numbers_of_a_large_file_are_floats_at_a_steady_pace(tmp_path):
    path = tmp_path / "forces.yaml"
    spent = {}
    for n in (100, 1_000):
        rows = "".join(f"- [ {i / 7:.12f}, {-i}.0, 1.5e-05 ]\n" for i in range(n))
        path.write_text(f"forces:\n{rows}")
        with calls() as seen:
            forces = read_yaml(path)["forces"]
        spent[n] = len(seen)
    assert spent[1_000] < 11 * spent[100]
    assert len(forces) == 1_000
    assert math.isclose(forces[-1][0], 999 / 7, abs_tol=1e-12)
    assert {type(one) for row in forces for one in row} == {float}
