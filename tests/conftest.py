"""Fixtures for all tests."""

import os
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[1]


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Folder of public data sets; tests that need it skip where it is absent."""
    folder = Path(
        os.environ.get("ATOMGRAFT_DATA", REPOSITORY.parent / "shared" / "data")
    )
    if not folder.is_dir():
        pytest.skip(f"no public data at {folder}; set ATOMGRAFT_DATA")
    return folder
