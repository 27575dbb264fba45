"""Two runs of one material side by side: verdicts, errors, figures."""

import dataclasses
from collections.abc import Callable, Sequence

from atomgraft.page.blocks import (
    Alert,
    Block,
    Columns,
    Figure,
    Note,
    PeriodicTable,
    Section,
    Table,
)
from atomgraft.page.document import Cover, document_text
from atomgraft.page.wording import MISSING, capitalised
from atomgraft.run.page.curve import coverage_figure, curve_figure
from atomgraft.run.page.document import key_facts, mark_of
from atomgraft.run.page.figures import forgetting_by_element, ratio_figure
from atomgraft.run.page.parity import parity_figure
from atomgraft.run.page.scores import forgetting_section
from atomgraft.run.page.tables import score_text
from atomgraft.run.page.use import (
    PLURALS,
    Quality,
    enough,
    lost_sentences,
    material_of,
    qualities,
    title_of,
)
from atomgraft.run.record import RunResult

Pair = tuple[RunResult, RunResult]

FIGURES: dict[str, Callable[[RunResult], Figure | PeriodicTable | None]] = {
    "Errors against the base": ratio_figure,
    "Parity": parity_figure,
    "Forgetting by element": forgetting_by_element,
    "What was trained": coverage_figure,
    "Learning curve": curve_figure,
}


def pair_text(pair: Pair) -> str:
    """Return the page of two runs as HTML.

    Parameters
    ----------
    pair
        In the order of the columns.
    """
    names = names_of(pair)
    sections = [_judged(pair, names), _errors(pair, names), _lost(pair, names)]
    sections += [
        _drawn(title, draw, pair, names)
        for title, draw in FIGURES.items()
        if any(draw(one) is not None for one in pair)
    ]
    return document_text(_cover(pair, names), sections)


def names_of(pair: Pair) -> tuple[str, str]:
    """Return names that distinguish two runs: recipes, bases, folders, or order."""
    for name in (
        lambda one: str(one.spec.get("recipe", "")),
        lambda one: one.base.name,
        lambda one: one.name,
    ):
        first, second = map(name, pair)
        if first and second and first != second:
            return first, second
    return "first run", "second run"


def _cover(pair: Pair, names: tuple[str, str]) -> Cover:
    marks = [
        dataclasses.replace(mark_of(one.verdict), word=f"{name}: {_took(one)}")
        for one, name in zip(pair, names, strict=True)
    ]
    materials = dict.fromkeys(material_of(one) for one in pair if one.data)
    return Cover(
        title=f"{' / '.join(materials) or 'Two runs'}: {names[0]} beside {names[1]}",
        aside=f"Folders {pair[0].name} and {pair[1].name}",
        label="Verdicts",
        mark=marks[0],
        second_mark=marks[1],
        headline=f"{names[0]}: {pair[0].verdict.headline}",
        sentences=(f"{names[1]}: {pair[1].verdict.headline}",),
        warning=None,
        key_facts=(),
        written="",
        source="both results (result.json)",
    )


def _took(result: RunResult) -> str:
    word = mark_of(result.verdict).word
    return word[:1].lower() + word[1:]


def _judged(pair: Pair, names: tuple[str, str]) -> Section:
    rows = [
        ("Run", *(title_of(one) for one in pair)),
        ("Did it take?", *(mark_of(one.verdict).word for one in pair)),
        ("Is it good enough?", *map(_enough, pair)),
        ("Forgetting", *(one.verdict.forgetting or MISSING for one in pair)),
    ]
    facts = [dict(key_facts(one)) for one in pair]
    rows += [(key, *(one[key] for one in facts)) for key in facts[0]]
    table = Table(
        caption="The two runs and their tests.",
        columns=("", *names),
        rows=tuple(rows),
        is_text=(True, True, True),
    )
    return Section(name="runs", title="The two runs", blocks=(*_doubts(pair), table))


def _enough(result: RunResult) -> str:
    judged = enough(result)
    return "Not judged" if judged is None else judged[0].word


def _doubts(pair: Pair) -> list[Block]:
    """Say why numbers of the two may not be compared."""
    first, second = pair
    sets = [
        {c.fingerprint for c in one.data if (c.role, c.head) == ("test", None)}
        for one in pair
    ]
    said = []
    if all(sets) and sets[0] != sets[1]:
        said.append("The runs were tested on different structures.")
    if first.data and second.data and first.data[0].elements != second.data[0].elements:
        said.append("The runs were trained on different elements.")
    if not said:
        return []
    return [Alert(title="The errors cannot be compared.", sentences=tuple(said))]


def _errors(pair: Pair, names: tuple[str, str]) -> Section:
    found = [{one.row.quantity: one for one in qualities(run)} for run in pair]
    quantities = dict.fromkeys(name for side in found for name in side)
    if not quantities:
        note = Note(text="Neither run was tested on held-out structures.")
        return Section(name="errors", title="Held-out errors", blocks=(note,))
    rows = [
        (name, *(text for side in found for text in _pair_of(side.get(quantity))))
        for quantity in quantities
        if (name := _called(quantity, found))
    ]
    table = Table(
        caption=(
            "Mean absolute errors on held-out structures; energies with the best "
            "shift per element subtracted where it can be determined."
        ),
        columns=(
            "Error (MAE)",
            *(text for name in names for text in (f"Base of {name}", name)),
        ),
        rows=tuple(rows),
        is_text=(True, False, False, False, False),
    )
    return Section(name="errors", title="Held-out errors", blocks=(table,))


def _called(quantity: str, found: Sequence[dict[str, Quality]]) -> str:
    unit = next(side[quantity].error.unit for side in found if quantity in side)
    return f"{capitalised(PLURALS.get(quantity, quantity))} ({unit})"


def _pair_of(one: Quality | None) -> tuple[str, str]:
    """Return the errors of base and adapted model."""
    if one is None:
        return MISSING, MISSING
    return score_text(one.row.base), score_text(one.error)


def _lost(pair: Pair, names: tuple[str, str]) -> Section:
    def draw(one: RunResult) -> Sequence[Block]:
        found = forgetting_section(one)
        tables = () if found is None else found.blocks
        notes = lost_sentences(one) or ["Not measured."]
        return [
            *(Note(text=text) for text in notes),
            *(block for block in tables if isinstance(block, Table)),
        ]

    return _columns("forgetting", "Forgetting", draw, pair, names)


def _drawn(
    title: str,
    draw: Callable[[RunResult], Figure | PeriodicTable | None],
    pair: Pair,
    names: tuple[str, str],
) -> Section:
    sides = iter(("left", "right"))

    def one_side(one: RunResult) -> Sequence[Block]:
        drawn, side = draw(one), next(sides)
        return [Note(text="No data.") if drawn is None else _renamed(drawn, side)]

    name = title.lower().replace(" ", "-")
    return _columns(f"figures-{name}", title, one_side, pair, names)


def _renamed(drawn: Figure | PeriodicTable, side: str) -> Figure | PeriodicTable:
    """Return a figure whose names are its own on a page that has it twice."""
    named = dataclasses.replace(drawn, name=f"{side}-{drawn.name}")
    if isinstance(named, PeriodicTable):
        return named
    plots = (dataclasses.replace(one, name=f"{side}-{one.name}") for one in named.plots)
    return dataclasses.replace(named, plots=tuple(plots))


def _columns(
    name: str,
    title: str,
    draw: Callable[[RunResult], Sequence[Block]],
    pair: Pair,
    names: tuple[str, str],
) -> Section:
    sides = tuple(
        (called, tuple(draw(one))) for one, called in zip(pair, names, strict=True)
    )
    return Section(name=name, title=title, blocks=(Columns(sides=sides),))
