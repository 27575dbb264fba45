"""A finished run for the pages that read one."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.docs.pages import REPOSITORY, blocks


@pytest.fixture(scope="session")
def run_example() -> Callable[[Path], None]:
    """Return what runs the example of the first page in the current folder."""

    def run(folder: Path) -> None:
        page = REPOSITORY / "docs" / "getting-started.md"
        exec(next(blocks(page, "python")).code, {"__name__": "page"})
        assert folder.is_dir()

    return run
