"""Does every sentence end once, and is every place in it filled in?"""

import ast
import re

import pytest

from tests.architecture.source import modules

DOUBLED = re.compile(
    r"[,;:]\.(?=[\s\"']|$)"  # "basis,." at the end of a sentence
    r"|(?<![./\d])\.\.(?![./\]\d])"  # "it is..", and no {001..006}
    r"|,,|;;|[?!]\.|\.;|\. \."
)
"""Two marks in a row that no sentence has; an ellipsis and a file ending are none."""

NO_SENTENCE = {"..", ", ...", "it ends in .gz, .xz"}


def doubled(text: str) -> bool:
    """Tell whether a text has two closing marks in a row."""
    return DOUBLED.search(text) is not None and text.strip() not in NO_SENTENCE


def messages(tree: ast.AST) -> list[tuple[int, str]]:
    """Return line and text of every string; what is filled in later is an X."""
    found: list[tuple[int, str]] = []
    inside: set[int] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            inside |= {id(one) for one in ast.walk(node) if one is not node}
            parts = [
                str(one.value) if isinstance(one, ast.Constant) else "X"
                for one in node.values
            ]
            found.append((node.lineno, "".join(parts)))
    return found + [
        (node.lineno, node.value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
        if id(node) not in inside
    ]


def test_no_sentence_ends_twice():
    wrong = [
        f"{one.name}:{line}: {text}"
        for one in modules()
        for line, text in messages(one.tree)
        if doubled(text)
    ]
    assert wrong == []


@pytest.mark.parametrize(
    ("text", "is_wrong"),
    [
        ("a Bessel basis,.", True),
        ("It is so..", True),
        ("Is it so?.", True),
        ("one,, two", True),
        ("tuple[int, ...]", False),
        ("It ends in .gz, .xz or .bz2.", False),
        ("Set it with md.atoms=64.", False),
    ],
)
def test_the_check_tells_marks_from_names(text, is_wrong):
    assert doubled(text) == is_wrong


PLACE = re.compile(r"\{[a-z_.]+\}")


def test_no_place_in_an_error_is_left_open():
    """A part of an error without the f before its quotation mark."""
    wrong = [
        f"{one.name}:{part.lineno}: {part.value}"
        for one in modules()
        for call in ast.walk(one.tree)
        if isinstance(call, ast.Call)
        and isinstance(call.func, ast.Name)
        and call.func.id.endswith("Error")
        for part in ast.walk(call)
        if isinstance(part, ast.Constant) and PLACE.search(str(part.value))
    ]
    assert wrong == []
