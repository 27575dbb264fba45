"""Fixtures of tests that call whole verbs."""

import contextlib

import pytest


@pytest.fixture(scope="module")
def client():
    from atomgraft.study import clusters

    with clusters.opened(clusters.ClusterPlan(), n_workers=1) as found:
        yield found


@pytest.fixture(scope="module")
def few_trees():
    """Grow few trees in the control that every distillation has."""
    pytest.importorskip("sklearn", reason="needs the extra transport")
    from atomgraft.transport.predictors import methods

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(methods, "N_TREES", 5)
        yield


@pytest.fixture
def one_cluster(client, monkeypatch):
    """Run cells in one worker for all tests: its start takes longer than most cells.

    Commands in processes of their own start workers of their own.
    """
    from atomgraft.study import clusters

    found = contextlib.nullcontext(client)
    monkeypatch.setattr(clusters, "opened", lambda *_, **__: found)
