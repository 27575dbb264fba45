"""The library's source as the budgets see it: modules, functions, lines of code."""

import ast
import dataclasses
import functools
from collections.abc import Iterator
from pathlib import Path

REPOSITORY = Path(__file__).parents[2]
LIBRARY = REPOSITORY / "src" / "atomgraft"
TESTS = REPOSITORY / "tests"

Function = ast.FunctionDef | ast.AsyncFunctionDef
Documented = Function | ast.ClassDef


@dataclasses.dataclass(frozen=True)
class Module:
    """One file."""

    path: Path

    @property
    def name(self) -> str:
        return ".".join(self.path.relative_to(LIBRARY.parent).with_suffix("").parts)

    @functools.cached_property
    def text(self) -> str:
        return self.path.read_text()

    @functools.cached_property
    def tree(self) -> ast.Module:
        return ast.parse(self.text)


@functools.cache
def modules(folder: Path = LIBRARY) -> list[Module]:
    return [Module(path) for path in sorted(folder.rglob("*.py"))]


def functions(tree: ast.AST, owner: str) -> Iterator[tuple[str, int]]:
    """Yield the name and the number of lines of the body, its docstring left out."""
    for node in ast.walk(tree):
        if isinstance(node, Function):
            body = node.body[1:] if ast.get_docstring(node) is not None else node.body
            n_lines = (body[-1].end_lineno or 0) - body[0].lineno + 1 if body else 0
            yield f"{owner}.{node.name}:{node.lineno}", n_lines


def public(node: ast.AST, owner: str) -> Iterator[tuple[str, Documented]]:
    """Yield public classes, functions and methods; what is inside a function is not."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, Documented) and not child.name.startswith("_"):
            name = f"{owner}.{child.name}"
            yield name, child
            if isinstance(child, ast.ClassDef):
                yield from public(child, name)


def lines_of_code(text: str) -> int:
    """Count lines with code: no blank lines, no comments, no docstrings."""
    words = {
        line
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.Expr) and _is_text(node.value)
        for line in range(node.lineno, (node.end_lineno or node.lineno) + 1)
    }
    code = {
        i
        for i, line in enumerate(text.splitlines(), 1)
        if line.strip() and not line.lstrip().startswith("#")
    }
    return len(code - words)


def _is_text(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, str)


def lines_of_examples(text: str) -> int:
    """Count the lines of docstring examples, which run as tests."""
    starts = (">>>", "...")
    return sum(line.strip().startswith(starts) for line in text.splitlines())
