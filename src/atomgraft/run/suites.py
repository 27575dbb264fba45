"""The test suites of a run, and those of plug-ins."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, get_origin

from pydantic import ValidationError

from atomgraft.core.errors import BadInputError
from atomgraft.core.registry import Plugins, Registry
from atomgraft.core.specs import problems_of
from atomgraft.evaluation.suite import AbstractSuite, Subject, SuiteOptions
from atomgraft.records.scores import Score


def _is_suite(one: object) -> bool:
    return isinstance(one, type) and issubclass(one, AbstractSuite)


SUITES = Registry[type[AbstractSuite]](
    "suite", Plugins[type[AbstractSuite]]("suite", "atomgraft.suites", _is_suite)
)
SUITES.add_place("labels", "atomgraft.evaluation.suites:LabelSuite")
SUITES.add_place("forgetting", "atomgraft.evaluation.suites:ForgettingSuite")
SUITES.add_place("consistency", "atomgraft.evaluation.suites:ConsistencySuite")
SUITES.add_place("heads", "atomgraft.evaluation.heads:HeadSuite")
SUITES.add_place("phonons", "atomgraft.phonons.suite:PhononSuite")
SUITES.add_place("bulk", "atomgraft.evaluation.bulk.suite:BulkSuite")
SUITES.add_place("motion", "atomgraft.evaluation.motion.suite:MotionSuite")
SUITES.add_place("md", "atomgraft.evaluation.survival.suite:SurvivalSuite")

LABELS, FORGETTING, HEADS = "labels", "forgetting", "heads"

ALWAYS = (FORGETTING, "consistency")
"""Asked where no suite is named."""

OF_THE_PAGE = (LABELS, *ALWAYS)
"""Suites that the page of a run draws itself."""

SuiteSettings = Mapping[str, Mapping[str, Any]]
"""Suites that are asked, with their options."""


def chosen_suites(
    named: Sequence[str],
    *,
    has_test: bool,
    answered: Iterable[str],
    has_heads: bool = False,
) -> tuple[str, ...]:
    """Return the requested suites.

    Held-out structures are there to be judged on, and forgetting is measured on every
    run, so both are added where they were left out.

    Parameters
    ----------
    named
        By the user; none asks for forgetting and consistency.
    has_test
        Held-out structures of the target head came.
    answered
        Suites that the run has answers of.
    has_heads
        Held-out structures came, and the run has several heads.

    Raises
    ------
    BadInputError
        There is no such suite.

    Examples
    --------
    >>> chosen_suites([], has_test=True, answered=())
    ('labels', 'forgetting', 'consistency')
    >>> chosen_suites(["phonons"], has_test=False, answered=["forgetting"])
    ('phonons',)
    """
    wanted = list(named) or list(ALWAYS)
    if has_test and LABELS not in wanted:
        wanted.insert(0, LABELS)
    if has_heads and HEADS not in wanted:
        wanted.append(HEADS)
    if FORGETTING not in {*wanted, *answered}:
        wanted.append(FORGETTING)
    for name in wanted:
        SUITES[name]
    return tuple(dict.fromkeys(wanted))


def options_of(
    names: Sequence[str], settings: SuiteSettings
) -> dict[str, SuiteOptions]:
    """Return the checked options of suites.

    Parameters
    ----------
    names
        Suites that are asked.
    settings
        What the user has set.

    Raises
    ------
    BadInputError
        A suite does not know a key, or cannot have a value.
    """
    return {name: _checked(name, settings.get(name, {})) for name in names}


def _checked(name: str, values: Mapping[str, Any]) -> SuiteOptions:
    kind = SUITES[name].Options
    try:
        return kind.model_validate(values)
    except ValidationError as error:
        known = ", ".join(kind.model_fields) or "it has none"
        raise BadInputError(
            f"Options of the suite {name!r} do not fit: {problems_of(error, kind)}.",
            f"Its options: {known}.",
            f"Write it as --set {name}.KEY=VALUE.",
        ) from error


def takes_several(name: str, key: str) -> bool:
    """Tell whether an option of a suite is a list.

    Examples
    --------
    >>> takes_several("phonons", "crystal")
    True
    """
    field = SUITES[name].Options.model_fields.get(key)
    return field is not None and get_origin(field.annotation) in {tuple, list}


def suites_with(key: str, names: Sequence[str]) -> list[str]:
    """Return the asked suites that have an option.

    Parameters
    ----------
    key
        Name of the option.
    names
        Suites that are asked.

    Raises
    ------
    BadInputError
        None has it; the message names the suites that would.

    Examples
    --------
    >>> suites_with("crystal", ["labels", "phonons"])
    ['phonons']
    """
    able = [name for name in SUITES if key in SUITES[name].Options.model_fields]
    if found := [name for name in names if name in able]:
        return found
    raise BadInputError(
        f"--{key} was given, but no requested suite uses it.",
        f"Suites that do: {', '.join(able) or 'none'}.",
        f"Add {' or '.join(f'--suite {name}' for name in able)}."
        if able
        else "Leave it out.",
    )


def sentences_of(scores: Sequence[Score]) -> list[str]:
    """Return what further suites add to the verdict."""
    said: list[str] = []
    for name in dict.fromkeys(one.suite for one in scores):
        if name not in OF_THE_PAGE and name in SUITES:
            rows = [one for one in scores if one.suite == name]
            said += SUITES[name].sentences(rows)
    return said


def suites_of(
    names: Sequence[str], subject: Subject, settings: SuiteSettings
) -> dict[str, AbstractSuite]:
    """Return the suites that are asked, everything they need read and checked.

    Raises
    ------
    BadInputError
        A suite cannot be asked.
    """
    options = options_of(names, settings)
    return {name: SUITES[name](subject, options[name]) for name in names}
