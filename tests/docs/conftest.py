"""A finished run for the pages that read one."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.docs.pages import REPOSITORY, blocks


@pytest.fixture(scope="session")
def run_example() -> Callable[[Path], None]:
    """Return a function that runs the last example of the notebook page."""

    def run(folder: Path) -> None:
        page = REPOSITORY / "docs" / "how-to" / "notebook.md"
        *_, last = blocks(page, "python")
        exec(last.code, {"__name__": "page"})
        assert folder.is_dir()

    return run
