"""All checks in their order."""

import dataclasses
from collections.abc import Callable, Iterator, Sequence

from ase import Atoms

from atomgraft.data.checks.calculations import (
    check_calculations,
    check_constraints,
    check_elements,
)
from atomgraft.data.checks.contacts import check_contacts
from atomgraft.data.checks.findings import Finding
from atomgraft.data.checks.heads import check_heads
from atomgraft.data.checks.label_presence import (
    check_label_presence,
    check_placeholders,
)
from atomgraft.data.checks.large_forces import (
    check_forces,
    check_residuals,
    check_stress_sizes,
)
from atomgraft.data.checks.predicted import BaseKnowledge, Compared, compare_with_base
from atomgraft.data.checks.regression import Regression, check_reference, regressions
from atomgraft.data.checks.repeats import check_repeats
from atomgraft.data.checks.scales import check_scales

SEVERITIES = ("error", "warning", "note")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Examination:
    """What the checks found.

    Parameters
    ----------
    findings
        Errors first.
    regressions
        Labels against the base's predictions; empty without a base, or where errors
        were found without it.
    is_compared
        Whether the base was asked.
    """

    findings: tuple[Finding, ...]
    regressions: tuple[Regression, ...]
    is_compared: bool


@dataclasses.dataclass(frozen=True, kw_only=True)
class Sets:
    """What is checked.

    Parameters
    ----------
    train
        What would be trained on, as `read_structures` returns it.
    validation
        What would decide when to stop.
    test
        What would judge.
    heads
        Further levels of theory of the run; frames of theirs are not among the others.
    """

    train: Sequence[Atoms]
    validation: Sequence[Atoms] = ()
    test: Sequence[Atoms] = ()
    heads: Sequence[str] = ()

    @property
    def everything(self) -> list[Atoms]:
        """All structures."""
        return [*self.train, *self.validation, *self.test]


def check_alone(sets: Sets) -> tuple[Finding, ...]:
    """Return what is found without a base model, errors first.

    Parameters
    ----------
    sets
        The data.
    """
    splits = {"train": sets.train, "validation": sets.validation, "test": sets.test}
    structures = sets.everything
    return _sorted(
        [
            *check_label_presence(structures),
            *check_placeholders(structures),
            *check_constraints(structures),
            *check_heads(structures, sets.heads),
            *check_calculations(structures),
            *check_contacts(structures),
            *check_forces(structures),
            *check_repeats(splits),
        ]
    )


def examine(
    sets: Sets, load_base: Callable[[], BaseKnowledge] | None = None
) -> Examination:
    """Check data, with the base only where nothing cheaper finds an error.

    Parameters
    ----------
    sets
        The data.
    load_base
        Returns the base model; none compares with no model.
    """
    findings = check_alone(sets)
    if load_base is None:
        findings = _sorted([*findings, *check_stress_sizes(sets.everything)])
    if load_base is None or any(one.severity == "error" for one in findings):
        return Examination(findings=findings, regressions=(), is_compared=False)
    base = load_base()
    compared = compare_with_base(sets.everything, base)
    more = _check_against(sets, base, compared)
    return Examination(
        findings=_sorted([*findings, *more]),
        regressions=regressions(compared),
        is_compared=True,
    )


def check_against_base(sets: Sets, base: BaseKnowledge) -> tuple[Finding, ...]:
    """Return what only a base model finds, errors first.

    Parameters
    ----------
    sets
        The data.
    base
        The base model.
    """
    compared = compare_with_base(sets.everything, base)
    return _sorted(list(_check_against(sets, base, compared)))


def check_structures(
    train: Sequence[Atoms],
    *,
    validation: Sequence[Atoms] = (),
    test: Sequence[Atoms] = (),
    base: BaseKnowledge | None = None,
    heads: Sequence[str] = (),
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
    heads
        Further levels of theory of the run.

    Examples
    --------
    >>> [finding.code for finding in check_structures([Atoms("H2")])]
    ['no-labels', 'same-site']
    """
    sets = Sets(train=train, validation=validation, test=test, heads=heads)
    load_base = None if base is None else lambda: base
    return examine(sets, load_base).findings


def _sorted(findings: Sequence[Finding]) -> tuple[Finding, ...]:
    return tuple(sorted(findings, key=lambda one: SEVERITIES.index(one.severity)))


def _check_against(
    sets: Sets, base: BaseKnowledge, compared: Compared
) -> Iterator[Finding]:
    yield from check_elements(sets.everything, base)
    if not compared.structures:
        yield from check_stress_sizes(sets.everything)
    scales = list(check_scales(compared))
    has_unit = any(one.code == "energy-scale" for one in scales)
    references = [] if has_unit else list(check_reference(compared))
    codes = {one.code for one in references}
    yield from (one for one in scales if one.code not in codes)
    yield from references
    yield from check_residuals(compared)
