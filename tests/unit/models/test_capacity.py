"""How many atoms one call may hold: bounded, monotone, and told where it is a guess."""

import pytest
import torch
from ase.build import bulk

from atomgraft.core.errors import BadInputError
from atomgraft.models import memory
from atomgraft.models.graph import find_neighbours
from atomgraft.models.memory import FALLBACK, MOST_ON_CPU, SHARE, batch_capacity
from tests.vibrations import silicon_law

GIB = 1024**3


@pytest.fixture
def crystal():
    return bulk("Si", cubic=True)


@pytest.fixture
def measured(monkeypatch):
    """Say what a call takes and what is free."""

    def said(taken, free):
        monkeypatch.setattr(memory, "_bytes_of_call", lambda *_: taken)
        monkeypatch.setattr(memory, "_free_bytes", lambda _: free)

    return said


def test_it_lies_between_one_structure_and_the_most(crystal):
    found = batch_capacity(silicon_law(), crystal)
    assert len(crystal) <= found <= MOST_ON_CPU


def test_a_structure_larger_than_the_most_goes_alone():
    large = bulk("Si", cubic=True) * (5, 5, 5)
    assert batch_capacity(silicon_law(), large) == len(large) > MOST_ON_CPU


def test_a_share_of_the_free_memory_is_taken(crystal, measured):
    measured(GIB, 80 * GIB)
    assert batch_capacity(silicon_law(), crystal) == SHARE * 80 * len(crystal)


def test_more_memory_is_never_less_room(crystal, measured):
    found = []
    for free in (0, 1, 8, 20, 40, 80, 1000):
        measured(GIB, free * GIB)
        found.append(batch_capacity(silicon_law(), crystal))
    assert found == sorted(found)
    assert found[0] == len(crystal)
    assert found[-1] == MOST_ON_CPU


def test_a_hungrier_model_gets_less_room(crystal, measured):
    found = []
    for taken in (1, 2, 4, 64):
        measured(taken * GIB, 100 * GIB)
        found.append(batch_capacity(silicon_law(), crystal))
    assert found == sorted(found, reverse=True)
    assert found[0] > found[-1]  # the negative control


def test_a_call_that_takes_nothing_measurable_is_guessed(crystal, measured):
    measured(0, GIB)
    assert batch_capacity(silicon_law(), crystal) == FALLBACK


@pytest.mark.parametrize("absent", ["STATUS", "RESET"])
def test_where_the_kernel_does_not_say_it_is_guessed(
    absent, crystal, monkeypatch, tmp_path
):
    monkeypatch.setattr(memory, absent, tmp_path / "nothing" / "here")
    assert batch_capacity(silicon_law(), crystal) == FALLBACK
    large = crystal * (4, 4, 4)
    assert batch_capacity(silicon_law(), large) == len(large)


def test_free_memory_is_found_without_the_kernels_file(monkeypatch, tmp_path):
    monkeypatch.setattr(memory, "INFO", tmp_path / "absent")
    found = memory._free_bytes(torch.device("cpu"))
    assert found is None or found > 0


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("VmHWM:\t 123 kB\n", 123),
        ("VmPeak: 9 kB\nVmHWM: 7 kB\n", 7),
        ("VmHWM:\n", None),
        ("VmHWM: many kB\n", None),
        ("", None),
    ],
)
def test_the_kernels_numbers_are_read(text, expected, tmp_path):
    path = tmp_path / "status"
    path.write_text(text)
    assert memory._kernel_kib(path, "VmHWM") == expected


def test_a_structure_that_does_not_fit_is_refused_before_it_is_tried(
    crystal, measured, monkeypatch
):
    """The cluster takes 1 GiB; the structure has at least its share of atoms more."""
    tried = []
    large = crystal * (6, 6, 6)
    measured(GIB, 4 * GIB)
    monkeypatch.setattr(
        memory, "_bytes_of_call", lambda _, one: tried.append(len(one)) or GIB
    )
    with pytest.raises(BadInputError, match=r"on 1728 atoms takes about .* GiB"):
        batch_capacity(silicon_law(), large)
    assert max(tried) <= memory.PART
    measured(GIB, 400 * GIB)
    assert batch_capacity(silicon_law(), large) == len(large)


def test_an_estimate_is_near_what_a_large_call_takes(crystal, monkeypatch):
    """The memory of a call is that of its pairs, whatever the model."""
    monkeypatch.setattr(
        memory,
        "_bytes_of_call",
        lambda law, one: find_neighbours(one, law.cutoff).edges.shape[1],
    )
    large = crystal * (6, 6, 6)
    exact = 4 * len(large)  # every atom of diamond has four neighbours
    for free, fits in ((exact + 1, True), (exact - 1, False)):
        monkeypatch.setattr(memory, "_free_bytes", lambda _, free=free: free)
        if fits:
            memory.require_room(silicon_law(), large)
        else:
            with pytest.raises(BadInputError):
                memory.require_room(silicon_law(), large)


def test_a_small_structure_is_not_measured_twice(crystal, measured):
    measured(GIB, 0)
    memory.require_room(silicon_law(), crystal)
