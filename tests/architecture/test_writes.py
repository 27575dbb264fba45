"""Does one module alone write and remove files? It asks whose they are."""

import ast

from tests.architecture.source import modules

REMOVING = {"unlink", "rmdir", "rmtree", "removedirs"}

WRITING = {"write_text", "write_bytes", "savetxt"}

ALLOWED = {
    "atomgraft.core.storage",  # writes, and removes what its callers have checked
    "atomgraft.core.reading",  # unpacks into a temporary folder of its own
    "atomgraft.label.engines.leash",  # removes what a worker that is gone left
    "atomgraft.models.memory",  # resets a counter of the kernel
}


def touches(tree: ast.AST) -> list[str]:
    """Return the calls that write or remove a file by its path."""
    return [
        ast.unparse(node)
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and _touches(node)
    ]


def _touches(call: ast.Call) -> bool:
    name = ast.unparse(call.func).rpartition(".")[2]
    if name in REMOVING | WRITING:
        return True
    modes = (*call.args, *(key.value for key in call.keywords))
    texts = {one.value for one in modes if isinstance(one, ast.Constant)}
    return name == "open" and any(
        isinstance(one, str) and one[:1] in {"w", "a", "x"} and len(one) <= 3
        for one in texts
    )


def test_one_module_writes_and_removes():
    found = {one.name: touches(one.tree) for one in modules()}
    assert found["atomgraft.core.storage"], "the ruler measures nothing"
    others = {name: calls for name, calls in found.items() if calls}
    assert {name: others[name] for name in others.keys() - ALLOWED} == {}


IGNORING = {"ignore_errors", "ignore_cleanup_errors", "missing_ok"}


def ignores(tree: ast.AST) -> list[str]:
    """Return the calls that would not say if they could not remove something."""
    return [
        ast.unparse(node)
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and IGNORING & {str(key.arg) for key in node.keywords}
    ]


def test_nothing_is_removed_with_errors_ignored():
    found = {one.name: ignores(one.tree) for one in modules()}
    assert {name: calls for name, calls in found.items() if calls} == {}


def test_an_ignored_error_is_seen():
    """Negative control."""
    assert ignores(ast.parse("shutil.rmtree(a, ignore_errors=True)"))


def test_a_write_and_a_removal_are_seen():
    """Negative control."""
    text = "path.open('w'); open(a, mode='ab'); shutil.rmtree(b); c.unlink(); d.open()"
    assert len(touches(ast.parse(text))) == 4
