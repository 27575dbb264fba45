"""The sections about scores: errors, parity, forgetting, groups, other suites."""

import dataclasses
from collections.abc import Sequence

from atomgraft.evaluation.suite import (
    CONSISTENCY_WORDS,
    FORGETTING_WORDS,
    LABEL_WORDS,
    SuiteWords,
)
from atomgraft.page.blocks import Block, Note, Section, Table, section
from atomgraft.page.elements import PLACES
from atomgraft.page.wording import capitalised, number_text, position
from atomgraft.run.page.figures import forgetting_by_element, ratio_figure
from atomgraft.run.page.parity import parity_figure
from atomgraft.run.page.tables import (
    CHANGES,
    ComparisonRow,
    comparison_rows,
    comparison_table,
    group_rows,
)
from atomgraft.run.record import RunResult
from atomgraft.run.suites import OF_THE_PAGE, SUITES

NOT_PROVED = (
    "No held-out scores yet. Run 'atomgraft prove' on this folder with structures "
    "that were not used for training."
)

_PARTS = ("", "near", "far")

_GROUP_CAPTIONS = {
    "config_type": (
        "By config_type of the held-out structures. Add labels to a subset where "
        "the adapted model is no better than the base."
    ),
    "crystal": "The crystal with the largest drift for each model.",
}


def score_sections(result: RunResult) -> list[Section]:
    """Return the sections made of scores, those without any left out."""
    found = [
        errors_section(result),
        parity_section(result),
        groups_section(result),
        forgetting_section(result),
        *other_sections(result),
    ]
    return [one for one in found if one is not None]


def errors_section(result: RunResult) -> Section:
    """Return base, adapted and scratch side by side, or how to get there."""
    rows = comparison_rows(result, "labels")
    blocks: list[Block | None] = [Note(text=NOT_PROVED)]
    if rows:
        ratios, changes = ratio_figure(result), _changes_table(rows)
        figure = dataclasses.replace(ratios, table=changes) if ratios else changes
        blocks = [_errors_table(result, rows), figure]
    kept = tuple(block for block in blocks if block is not None)
    return Section(name="errors", title=LABEL_WORDS.title, blocks=kept)


def _errors_table(result: RunResult, rows: Sequence[ComparisonRow]) -> Table:
    caption = f"{LABEL_WORDS.caption} {_interval_words(result)}"
    errors = [
        row for row in rows if row.metric not in CHANGES.values() and not _is_noise(row)
    ]
    return comparison_table(errors, caption, changes_of=result)


def _interval_words(result: RunResult) -> str:
    """Say over what intervals are, and why there are none."""
    asked = [one for one in result.scores if one.suite == "labels" and not one.group]
    over = {
        f"{one.n_independent} {one.independent}"
        for one in asked
        if one.interval is not None and one.independent is not None
    }
    missing = {one.no_interval for one in asked if one.no_interval is not None}
    said = [f"Intervals (95 %) are over {' or '.join(sorted(over))}."] if over else []
    said += [f"No interval: {why}." for why in sorted(missing)]
    return " ".join(said) or "Intervals are 95 %."


def _changes_table(rows: Sequence[ComparisonRow]) -> Table | None:
    changes = [row for row in rows if row.metric in CHANGES.values()]
    caption = (
        "Error of each model minus error of the base, on the same structures; "
        "negative is better. A change is clear if its interval does not contain "
        "zero."
    )
    return comparison_table(changes, caption) if changes else None


def parity_section(result: RunResult) -> Section | None:
    """Return the parity plots, or none."""
    return section("parity", "Parity", parity_figure(result))


def groups_section(result: RunResult) -> Section | None:
    """Return the scores of subsets of the test structures, or none."""
    rows = group_rows(result, "labels")
    return section("groups", "By kind of structure", *group_tables(rows, result))


def group_tables(
    rows: Sequence[ComparisonRow], changes_of: RunResult | None = None
) -> list[Table]:
    """Return one table for each kind of subset.

    Parameters
    ----------
    rows
        Scores of subsets.
    changes_of
        The run, where adapted is to be compared with base in a column.
    """
    kinds = dict.fromkeys(row.group_kind for row in rows)
    return [
        comparison_table(
            [row for row in rows if row.group_kind == kind],
            _GROUP_CAPTIONS.get(kind, f"By {capitalised(kind).lower() or 'subset'}."),
            changes_of=changes_of,
        )
        for kind in kinds
    ]


def forgetting_section(result: RunResult) -> Section | None:
    """Return the drift from the base, overall and by element, or none."""
    groups = group_rows(result, "forgetting")
    parts = [row for row in groups if not row.group_kind]
    others = [row for row in groups if row.group_kind and not _is_element(row)]
    overall = _drifting([*comparison_rows(result, "forgetting"), *parts])
    caption = f"{FORGETTING_WORDS.caption}{_spread_text(result)}"
    return section(
        "forgetting",
        FORGETTING_WORDS.title,
        comparison_table(overall, caption) if overall else None,
        forgetting_by_element(result),
        *group_tables(others),
    )


def _spread_text(result: RunResult) -> str:
    """Say how large forces and stresses of the base are on these crystals."""
    sizes = [
        f"{number_text(one.value)} {one.unit}"
        for one in result.scores
        if (one.suite, one.metric, one.group) == ("forgetting", "spread", None)
    ]
    if not sizes:
        return ""
    return (
        f" Forces and stresses of the base have a mean size of {' and '.join(sizes)}."
    )


def _is_element(row: ComparisonRow) -> bool:
    return row.group_kind == "element" and row.group_name in PLACES


def _drifting(rows: Sequence[ComparisonRow]) -> list[ComparisonRow]:
    """Return rows by quantity, the whole before its parts; the base cannot drift."""
    labels = list(dict.fromkeys(row.label for row in rows))
    moved = [row for row in rows if row.adapted is not None or row.scratch is not None]

    def place(row: ComparisonRow) -> tuple[int, tuple[int, str]]:
        return labels.index(row.label), position(_PARTS, row.group_name)

    return [dataclasses.replace(row, base=None) for row in sorted(moved, key=place)]


def other_sections(result: RunResult) -> list[Section]:
    """Return one section for each further suite, so that no score is left out."""
    shown = {"labels", "forgetting"}
    suites = dict.fromkeys(s.suite for s in result.scores if s.suite not in shown)
    suites |= dict.fromkeys(result.unanswered)
    found = [_other_section(result, suite) for suite in suites]
    return [one for one in found if one is not None]


def suite_sections(result: RunResult) -> list[Section]:
    """Return what further suites show besides scores, as they draw it themselves."""
    return [
        part
        for suite, details in result.details.items()
        if suite not in OF_THE_PAGE and suite in SUITES
        for part in SUITES[suite].sections(details)
    ]


def _other_section(result: RunResult, suite: str) -> Section | None:
    title, caption = _told(suite)
    overall = comparison_rows(result, suite)
    if suite == "consistency":
        overall += [one for one in comparison_rows(result, "labels") if _is_noise(one)]
    groups = group_rows(result, suite)
    words = Note(text=caption) if groups else None
    return section(
        _name(suite),
        title,
        comparison_table(overall, caption) if overall else words,
        *group_tables(groups),
        *(Note(text=text) for text in result.unanswered.get(suite, ())),
    )


def _told(suite: str) -> SuiteWords:
    """Return title and caption; a suite of a plug-in may be installed no more."""
    if suite == "consistency":
        return CONSISTENCY_WORDS
    if suite in SUITES:
        return SuiteWords(SUITES[suite].title, SUITES[suite].caption)
    return SuiteWords(capitalised(suite), f"Scores of the suite '{suite}'.")


def _is_noise(row: ComparisonRow) -> bool:
    return row.metric == "rounding"


def _name(suite: str) -> str:
    safe = "".join(c if c.isascii() and c.isalnum() else "-" for c in suite)
    return f"suite-{safe}"
