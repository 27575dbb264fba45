"""The example results, made once."""

import pytest

from atomgraft.run.record import RunResult
from tests.example_result import make_failed, make_result, make_unproved


@pytest.fixture(scope="session")
def full_result() -> RunResult:
    return make_result()


@pytest.fixture(scope="session")
def unproved_result() -> RunResult:
    return make_unproved()


@pytest.fixture(scope="session")
def failed_result() -> RunResult:
    return make_failed()
