"""Run the cells of a notebook and keep what they show, without a Jupyter server.

    python scripts/run_notebook.py examples/notebook.ipynb

Runs in a folder that is thrown away; the last expression of a cell is shown as Jupyter
would: by ``_repr_html_`` where there is one.
"""

import ast
import json
import os
import sys
import tempfile
from pathlib import Path
from typing import Any


def shown(value: object) -> dict[str, list[str]]:
    """Return a value as an output of a cell holds it."""
    found = {"text/plain": repr(value).splitlines(keepends=True)}
    if hasattr(value, "_repr_html_"):
        found["text/html"] = value._repr_html_().splitlines(keepends=True)
    return found


def outputs(source: str, count: int, space: dict[str, Any]) -> list[dict[str, Any]]:
    """Run a cell; return what its last expression shows."""
    tree = ast.parse(source)
    is_shown = isinstance(tree.body[-1], ast.Expr)
    last = tree.body.pop() if is_shown else None
    exec(compile(tree, "cell", "exec"), space)
    if not isinstance(last, ast.Expr):
        return []
    value = eval(compile(ast.Expression(last.value), "cell", "eval"), space)
    if value is None:
        return []
    result = {"output_type": "execute_result", "execution_count": count}
    return [{**result, "metadata": {}, "data": shown(value)}]


def main(path: Path) -> None:
    """Run all cells in order, and write the notebook again."""
    notebook = json.loads(path.read_text())
    cells = [one for one in notebook["cells"] if one["cell_type"] == "code"]
    space: dict[str, Any] = {"__name__": "notebook"}
    home = Path.cwd()
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        for count, cell in enumerate(cells, start=1):
            cell["execution_count"] = count
            cell["outputs"] = outputs("".join(cell["source"]), count, space)
        os.chdir(home)
    path.write_text(json.dumps(notebook, indent=1, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
