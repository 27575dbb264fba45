"""All checks, one after the other."""

from collections.abc import Iterator, Sequence

from ase import Atoms

from atomgraft.data.base_knowledge import BaseKnowledge
from atomgraft.data.checks.comparison import compare_with_base
from atomgraft.data.checks.constraints import check_constraints
from atomgraft.data.checks.contacts import check_contacts
from atomgraft.data.checks.elements import check_elements
from atomgraft.data.checks.findings import Finding
from atomgraft.data.checks.label_presence import check_label_presence
from atomgraft.data.checks.large_forces import check_forces
from atomgraft.data.checks.reference import check_reference
from atomgraft.data.checks.repeats import check_repeats
from atomgraft.data.checks.residuals import check_residuals
from atomgraft.data.checks.scales import check_scales

SEVERITIES = ("error", "warning", "note")

MAX_PREDICTED_ATOMS = 2000
"""Atoms that the base model is asked about; half a minute of 7net-0 on one core."""


def check_structures(
    train: Sequence[Atoms],
    *,
    validation: Sequence[Atoms] = (),
    test: Sequence[Atoms] = (),
    base: BaseKnowledge | None = None,
    max_predicted_atoms: int = MAX_PREDICTED_ATOMS,
) -> tuple[Finding, ...]:
    """Return all that was found, errors first.

    Parameters
    ----------
    train
        What would be trained on, as `read_structures` returns it.
    validation
        What would decide when to stop.
    test
        What would judge.
    base
        The base model; without it elements, units and references are not checked.
    max_predicted_atoms
        The base model is asked about structures with so many atoms in all, spread
        evenly over the data; bounds the time.

    Examples
    --------
    >>> [finding.code for finding in check_structures([Atoms("H2")])]
    ['no-labels', 'same-site']
    """
    everything = [*train, *validation, *test]
    findings = list(_check_alone(everything))
    splits = {"train": train, "validation": validation, "test": test}
    findings += check_repeats(splits)
    if base is not None:
        findings += check_elements(everything, base)
        findings += _check_against(everything, base, max_predicted_atoms)
    return tuple(sorted(findings, key=lambda one: SEVERITIES.index(one.severity)))


def _check_alone(structures: Sequence[Atoms]) -> Iterator[Finding]:
    yield from check_label_presence(structures)
    yield from check_constraints(structures)
    yield from check_contacts(structures)
    yield from check_forces(structures)


def _check_against(
    structures: Sequence[Atoms], base: BaseKnowledge, max_atoms: int
) -> Iterator[Finding]:
    compared = compare_with_base(structures, base, max_atoms)
    yield from check_scales(compared)
    yield from check_reference(compared)
    yield from check_residuals(compared)
