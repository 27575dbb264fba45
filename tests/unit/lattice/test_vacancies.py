"""Vacancies: refused before the first relaxation where memory would not do."""

import pytest
from ase.build import bulk

from atomgraft.core.errors import BadInputError
from atomgraft.lattice import vacancies
from atomgraft.lattice.vacancies import vacancy_energies
from atomgraft.models import memory
from atomgraft.models.pair import stillinger_weber


def test_images_too_far_apart_for_memory_are_refused(monkeypatch):
    monkeypatch.setattr(memory, "_free_bytes", lambda _: 8e9)
    monkeypatch.setattr(vacancies, "relax", None)  # nothing is relaxed
    silicon = bulk("Si", a=5.431, cubic=True)
    with pytest.raises(BadInputError, match=r"in 8000 atoms .*bulk.vacancy_length"):
        vacancy_energies(stillinger_weber(["Si"]), silicon, length=54.0, seed=0)


@pytest.mark.parametrize(
    ("length", "said"),
    [
        (1e5, "bulk.vacancy_length"),
        (float("inf"), "Expected a positive number"),
        (float("nan"), "Expected a positive number"),
        (-1.0, "Expected a positive number"),
    ],
)
def test_no_supercell_is_made_of_a_length_that_is_none(length, said):
    silicon = bulk("Si", a=5.431, cubic=True)
    with pytest.raises(BadInputError, match=said):
        vacancy_energies(stillinger_weber(["Si"]), silicon, length=length, seed=0)
