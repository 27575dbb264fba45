"""Bulk properties of one crystal under every contestant."""

import dataclasses
import re
from collections.abc import Callable, Mapping

from ase import Atoms

from atomgraft.core.errors import AtomgraftError
from atomgraft.core.units import EV_PER_A2_IN_J_PER_M2, EV_PER_A3_IN_GPA
from atomgraft.evaluation.bulk.record import BulkRecord, Curve, Property, unit_of
from atomgraft.evaluation.bulk.setup import Crystal
from atomgraft.evaluation.bulk.spec import BulkOptions, Kind
from atomgraft.lattice.relaxation import relax
from atomgraft.lattice.static_properties import (
    LARGEST_STRAIN,
    N_VOLUMES,
    STRAINS,
    elasticity,
    equation_of_state,
    surface_energy,
)
from atomgraft.lattice.symmetry import EXACT_SYMPREC, conventional
from atomgraft.lattice.vacancies import vacancy_energies
from atomgraft.models.base import AbstractPotential
from atomgraft.page.wording import MODEL_NAMES
from atomgraft.records.scores import ModelName

Step = Callable[[str], None]
"""Called with what comes next."""

CUBIC = 195
"""The first space group of the cubic system."""

CONSTANTS: tuple[tuple[int, str], ...] = (
    (195, "11 12 44"),
    (168, "11 12 13 33 44"),
    (149, "11 12 13 14 33 44"),
    (143, "11 12 13 14 15 33 44"),
    (89, "11 12 13 33 44 66"),
    (75, "11 12 13 16 33 44 66"),
    (16, "11 12 13 22 23 33 44 55 66"),
    (1, " ".join(f"{i}{j}" for i in range(1, 7) for j in range(i, 7))),
)
"""Independent elastic constants from a space group on, in the standard orientation
(J. F. Nye, Physical Properties of Crystals, table 9)."""


@dataclasses.dataclass(kw_only=True)
class _Found:
    """What one model makes of a crystal; filled property by property."""

    values: dict[str, float] = dataclasses.field(default_factory=dict[str, float])
    curve: tuple[tuple[float, ...], tuple[float, ...]] | None = None
    smallest: float | None = None
    failures: list[str] = dataclasses.field(default_factory=list[str])


def bulk_record(
    crystal: Crystal,
    models: Mapping[ModelName, AbstractPotential],
    options: BulkOptions,
    reference: Mapping[str, float],
    seed: int,
    step: Step,
) -> BulkRecord:
    """Return the properties of one crystal under every model.

    A model under which a property cannot be computed loses that property alone.

    Parameters
    ----------
    crystal
        Not relaxed yet.
    models
        In float64.
    options
        Which properties.
    reference
        Values by property.
    seed
        Of small displacements.
    step
        Called before every property.
    """
    kinds = _kinds(crystal, options)
    found: dict[ModelName, _Found] = {
        name: _judged(name, potential, crystal, kinds, options, seed, step)
        for name, potential in models.items()
    }
    names = dict.fromkeys(one for each in found.values() for one in each.values)
    properties = tuple(
        Property(
            name=name,
            unit=unit_of(name) or "",
            values=_known(
                {model: one.values.get(name) for model, one in found.items()}
            ),
            reference=reference.get(name),
        )
        for name in names
    )
    failures = [text for one in found.values() for text in one.failures]
    if len(kinds) < len(options.properties):
        failures.append(no_vacancy(crystal, options))
    if missing := [name for name in reference if name not in names]:
        failures.append(
            f"Of {crystal.formula} the reference has values of {', '.join(missing)}, "
            "which were not computed."
        )
    return BulkRecord(
        name=crystal.name,
        formula=crystal.formula,
        space_group="{} ({})".format(*crystal.group),
        properties=properties,
        curves=tuple(
            Curve(model=model, volumes=one.curve[0], energies=one.curve[1])
            for model, one in found.items()
            if one.curve is not None
        ),
        smallest=_known({model: one.smallest for model, one in found.items()}),
        failures=tuple(failures),
        settings=_settings(options),
    )


def no_vacancy(crystal: Crystal, options: BulkOptions) -> str:
    """Return why a compound has no vacancy, and what to type.

    Parameters
    ----------
    crystal
        Of several elements.
    options
        With the properties that were asked.
    """
    rest = [one for one in dict.fromkeys(options.properties) if one != "vacancy"]
    typed = " ".join(f"--set bulk.properties={one}" for one in rest)
    return (
        f"No vacancy in {crystal.formula}: in a compound its formation energy depends "
        "on the chemical potential of the removed element, which this suite does not "
        "take. "
        + (
            f"To ask for the other properties alone: {typed}"
            if rest
            else "Ask for it in a crystal of one element: --crystal FILE"
        )
    )


def _known(values: Mapping[ModelName, float | None]) -> dict[ModelName, float]:
    return {model: one for model, one in values.items() if one is not None}


def n_steps(crystal: Crystal, options: BulkOptions) -> int:
    """Return how many properties each model is asked for."""
    return len(_kinds(crystal, options))


def _kinds(crystal: Crystal, options: BulkOptions) -> list[Kind]:
    is_element = len(set(crystal.atoms.numbers.tolist())) == 1
    asked = dict.fromkeys(options.properties)
    return [one for one in asked if one != "vacancy" or is_element]


def _judged(
    name: ModelName,
    potential: AbstractPotential,
    crystal: Crystal,
    kinds: list[Kind],
    options: BulkOptions,
    seed: int,
    step: Step,
) -> _Found:
    found = _Found()
    atoms: Atoms | None = None
    for kind in kinds:
        step(f"{MODEL_NAMES[name]}, {crystal.formula}: {kind}")
        try:
            atoms = _relaxed(potential, crystal) if atoms is None else atoms
            _COMPUTE[kind](found, potential, _Case(crystal, atoms, options, seed))
        except AtomgraftError as error:
            found.failures.append(f"{MODEL_NAMES[name]}: {error.came}")
            if atoms is None:
                break
    return found


def _relaxed(potential: AbstractPotential, crystal: Crystal) -> Atoms:
    ended = relax(crystal.atoms, potential)
    if not ended.is_converged:
        raise AtomgraftError(
            f"{crystal.formula} is not relaxed after {ended.n_steps} steps.",
            "A crystal at rest is needed.",
            "Look at the forces of the model.",
        )
    return ended.atoms


@dataclasses.dataclass(frozen=True)
class _Case:
    """A crystal that one model has relaxed, and what is asked of it."""

    crystal: Crystal
    atoms: Atoms
    options: BulkOptions
    seed: int

    @property
    def conventional(self) -> Atoms:
        """The conventional cell, for planes and supercells."""
        return conventional(self.atoms, EXACT_SYMPREC)


def _eos(found: _Found, potential: AbstractPotential, case: _Case) -> None:
    one = equation_of_state(potential, case.atoms)
    found.values["volume"] = one.volume
    found.values["bulk_modulus"] = one.modulus * EV_PER_A3_IN_GPA
    found.values["bulk_modulus_derivative"] = one.derivative
    found.curve = one.volumes, one.energies


def _elastic(found: _Found, potential: AbstractPotential, case: _Case) -> None:
    one = elasticity(potential, case.atoms)
    number = case.crystal.group[1]
    names = next(text for first, text in CONSTANTS if number >= first)
    for ij in names.split():
        value = one.tensor[int(ij[0]) - 1, int(ij[1]) - 1]
        found.values[f"C{ij}"] = float(value) * EV_PER_A3_IN_GPA
    found.smallest = one.smallest * EV_PER_A3_IN_GPA
    if found.smallest > 0:  # averages over compliances mean nothing otherwise
        found.values["shear_modulus"] = one.shear * EV_PER_A3_IN_GPA
        found.values["young_modulus"] = one.youngs * EV_PER_A3_IN_GPA


def _vacancy(found: _Found, potential: AbstractPotential, case: _Case) -> None:
    energies = vacancy_energies(
        potential,
        case.conventional,
        length=case.options.vacancy_length,
        seed=case.seed,
    )
    symbol = case.atoms.symbols[0]
    for i, energy in enumerate(energies, start=1):
        end = f"_{i}" if len(energies) > 1 else ""
        found.values[f"vacancy_{symbol}{end}"] = energy


def _surfaces(found: _Found, potential: AbstractPotential, case: _Case) -> None:
    cell = case.conventional
    for plane in planes(case.options, case.crystal.group[1]):
        energy = surface_energy(
            potential, cell, indices(plane), thickness=case.options.slab_thickness
        )
        found.values[f"surface_{plane}"] = energy * EV_PER_A2_IN_J_PER_M2


_COMPUTE: dict[Kind, Callable[[_Found, AbstractPotential, _Case], None]] = {
    "eos": _eos,
    "elastic": _elastic,
    "vacancy": _vacancy,
    "surfaces": _surfaces,
}


def planes(options: BulkOptions, group: int) -> tuple[str, ...]:
    """Return the planes that are cut.

    Parameters
    ----------
    options
        May name them.
    group
        Number of the space group.

    Examples
    --------
    >>> planes(BulkOptions(), 227), planes(BulkOptions(), 194)
    (('100', '110', '111'), ('001', '100', '110'))
    """
    if options.surfaces:
        return tuple(dict.fromkeys(options.surfaces))
    return ("100", "110", "111") if group >= CUBIC else ("001", "100", "110")


def indices(plane: str) -> tuple[int, int, int]:
    """Return the Miller indices of a plane as it is written.

    Examples
    --------
    >>> indices("1-10")
    (1, -1, 0)
    """
    h, k, l = re.findall(r"-?\d", plane)  # noqa: E741 - their names in the field
    return int(h), int(k), int(l)


def _settings(options: BulkOptions) -> dict[str, str]:
    return {
        "Equation of state": (
            f"Birch-Murnaghan of third order, {N_VOLUMES} volumes, edges up to "
            f"±{100 * LARGEST_STRAIN:g} %; shape and atoms relaxed"
        ),
        "Elastic constants": (
            f"stress at strains of ±{100 * STRAINS[2]:g} and ±{100 * STRAINS[3]:g} %; "
            "atoms relaxed; standard orientation of spglib"
        ),
        "Vacancy": (
            f"images {options.vacancy_length:g} Å apart or more; cell fixed, atoms "
            "relaxed"
        ),
        "Surfaces": (
            f"slabs of {options.slab_thickness:g} Å or more; atoms relaxed, no "
            "reconstruction into larger cells; the cheapest cut"
        ),
    }
