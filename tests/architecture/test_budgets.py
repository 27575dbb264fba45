"""Is the code still in pieces that a stranger reads in five minutes?"""

import ast
import statistics

import pytest

from tests.architecture.source import (
    LIBRARY,
    TESTS,
    functions,
    lines_of_code,
    lines_of_examples,
    modules,
    public,
)

LONG_BODY = 50
P90_BODY = 30
SHARE_OF_LONG = 0.05
LONGEST_MODULE = 600
MEDIAN_MODULE = 250
TESTS_PER_LINE = 0.8
"""The budgets of the house style: what the most readable packages of the field keep."""

BANNED_NAMES = {"utils", "util", "helpers", "helper", "common", "misc", "tools"}
"""Names that say nothing about what is inside."""


@pytest.fixture(scope="module")
def bodies() -> dict[str, int]:
    return {
        name: n
        for module in modules()
        for name, n in functions(module.tree, module.name)
    }


def test_nine_in_ten_functions_are_short(bodies):
    assert statistics.quantiles(bodies.values(), n=10)[-1] <= P90_BODY


def test_long_functions_are_rare(bodies):
    long = {name: n for name, n in bodies.items() if n > LONG_BODY}
    assert len(long) <= SHARE_OF_LONG * len(bodies), long


def test_no_module_is_too_long():
    sizes = {one.name: len(one.text.splitlines()) for one in modules()}
    assert {name: n for name, n in sizes.items() if n > LONGEST_MODULE} == {}
    assert statistics.median(sizes.values()) <= MEDIAN_MODULE


def test_modules_say_their_idea_first():
    silent = [one.name for one in modules() if not ast.get_docstring(one.tree)]
    assert silent == []


def test_everything_public_is_documented():
    bare = [
        name
        for one in modules()
        if not any(part.startswith("_") for part in one.name.split(".")[:-1])
        for name, node in public(one.tree, one.name)
        if ast.get_docstring(node) is None
    ]
    assert bare == []


def test_no_module_is_a_drawer():
    named = [
        part
        for path in LIBRARY.rglob("*")
        for part in path.relative_to(LIBRARY).with_suffix("").parts
        if part in BANNED_NAMES
    ]
    assert named == []


def test_tests_keep_up_with_the_library():
    library = [one.text for one in modules()]
    n_code = sum(map(lines_of_code, library))
    n_tests = sum(lines_of_code(one.text) for one in modules(TESTS))
    n_tests += sum(map(lines_of_examples, library))
    assert n_tests >= TESTS_PER_LINE * n_code, f"{n_tests} lines test {n_code}"


def test_the_ruler_measures():
    """Negative control: what is too long, bare or mere words is seen as such."""
    body = "\n".join(f"    x = {i}" for i in range(60))
    long = ast.parse(f'def f():\n    """Say."""\n{body}\n')
    assert dict(functions(long, "m")) == {"m.f:1": 60}
    assert lines_of_code(ast.unparse(long)) == 61
    bare = ast.parse("class A:\n    def b(self): ...\n    def _c(self): ...\n")
    assert [name for name, _ in public(bare, "m")] == ["m.A", "m.A.b"]
