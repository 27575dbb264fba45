"""Does every load say whether code may run? Importing MACE changes torch's default."""

import ast

from tests.architecture.source import modules


def loads(tree: ast.AST) -> list[ast.Call]:
    return [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "torch.load"
    ]


def is_stated(call: ast.Call) -> bool:
    return any(keyword.arg == "weights_only" for keyword in call.keywords)


def test_every_load_states_it():
    found = {one.name: loads(one.tree) for one in modules()}
    assert sum(map(len, found.values())) >= 2
    silent = [name for name, calls in found.items() if not all(map(is_stated, calls))]
    assert silent == []


def test_a_silent_load_is_seen():
    """Negative control."""
    [call] = loads(ast.parse("x = torch.load(path, map_location='cpu')"))
    assert not is_stated(call)
    assert is_stated(loads(ast.parse("torch.load(path, weights_only=True)"))[0])
