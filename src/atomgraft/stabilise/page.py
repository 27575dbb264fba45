"""The page of a tree of distortions."""

import textwrap
from typing import Any

from atomgraft.page.axes import (
    PLOTLY_SYMBOLS,
    Kind,
    axis,
    figure,
    kind_points,
    kinds_legend,
    layout,
    plain_text,
)
from atomgraft.page.blocks import (
    Block,
    Facts,
    Figure,
    Note,
    Plot,
    PlotlyFigure,
    Table,
    section,
)
from atomgraft.page.document import PAGE, Cover, Mark, document_text, page_writer
from atomgraft.page.wording import (
    MISSING,
    counted,
    duration_text,
    number_text,
    signed_text,
)
from atomgraft.run.page.record import session_blocks, written_text
from atomgraft.stabilise.record import (
    CrystalRecord,
    StabiliseResult,
    StepRecord,
)

STATES = {
    "stable": Kind("Stable", "series-0", "circle"),
    "unstable": Kind("Unstable", "series-1", "diamond"),
    "lost": Kind("Not judged", "series-2", "square"),
}
"""Kinds of crystals."""

SPREAD = 0.75
"""Width of a column of crystals, of the distance between columns."""


def tree_figure(result: StabiliseResult) -> Figure | None:
    """Return the picture of a tree, or none where there is nothing to draw.

    Parameters
    ----------
    result
        The tree.
    """
    if len(result.crystals) < 2:
        return None
    return Figure(
        name="tree",
        caption=(
            "Energy per atom of every crystal relative to the first; each column "
            "is one more distortion. Solid lines lead to new crystals, dotted "
            "lines to known ones. Hover over the middle of a line to see its mode."
        ),
        plots=(
            Plot(
                name="tree",
                title="",
                description=_words(result),
                figure=_plot(result),
            ),
        ),
        legend=kinds_legend(STATES, {_state(one) for one in result.crystals}),
    )


def _state(one: CrystalRecord) -> str:
    if one.is_stable is None:
        return "lost"
    return "stable" if one.is_stable else "unstable"


def _words(result: StabiliseResult) -> str:
    parts = [
        f"{one.number} {one.space_group} at {one.energy_change:z.2f} meV/atom, "
        f"{STATES[_state(one)].label.lower()}"
        for one in result.crystals
    ]
    return textwrap.shorten("Energies: " + "; ".join(parts) + ".", 2000)


def places(result: StabiliseResult) -> dict[int, float]:
    """Return where each crystal stands on the horizontal axis.

    Crystals of one depth stand side by side, the lowest at the right.

    Parameters
    ----------
    result
        The tree.
    """
    found: dict[int, float] = {}
    for depth in {one.depth for one in result.crystals}:
        row = [one for one in result.crystals if one.depth == depth]
        row.sort(key=lambda one: -one.energy_change)
        for i, one in enumerate(row):
            offset = 0.0 if len(row) == 1 else i / (len(row) - 1) - 0.5
            found[one.number] = depth + SPREAD * offset
    return found


def _plot(result: StabiliseResult) -> PlotlyFigure:
    place = places(result)
    ways = [_way(step, result, place) for step in result.steps]
    points = [
        _points([one for one in result.crystals if _state(one) == key], key, place)
        for key in STATES
    ]
    depths = sorted({one.depth for one in result.crystals})
    plan = layout(
        460,
        xaxis=axis(
            "distortions",
            tickmode="array",
            tickvals=depths,
            ticktext=[str(one) for one in depths],
            range=[-0.4, depths[-1] + 0.6],
        ),
        yaxis=axis("energy against the first crystal, meV/atom"),
        hovermode="closest",
    )
    return figure([*ways, *(one for one in points if one["x"])], plan)


def _points(
    crystals: list[CrystalRecord], key: str, place: dict[int, float]
) -> dict[str, Any]:
    kind = STATES[key]
    return kind_points(
        key,
        kind,
        [(place[one.number], one.energy_change) for one in crystals],
        [plain_text(f"{one.number}: {one.space_group}") for one in crystals],
        mode="markers+text",
        textposition=[_beside(one, place) for one in crystals],
        textfont={"color": "@ink"},
        cliponaxis=False,
        customdata=[_crystal_words(one) for one in crystals],
        hovertemplate="%{text}<br>%{customdata}<extra></extra>",
        marker={
            "symbol": PLOTLY_SYMBOLS[kind.symbol],
            "size": 11,
            "color": f"@{kind.colour}",
        },
    )


def _beside(one: CrystalRecord, place: dict[int, float]) -> str:
    """Put names of neighbours in a column above and below by turns."""
    rank = sorted(place, key=lambda number: place[number]).index(one.number)
    return "top center" if rank % 2 == 0 else "bottom center"


def _crystal_words(one: CrystalRecord) -> str:
    lowest = one.lowest_frequency
    modes = "" if lowest is None else f", lowest frequency {lowest:z.2f} THz"
    return f"{one.energy_change:z.2f} meV/atom{modes}"


def _way(
    step: StepRecord, result: StabiliseResult, place: dict[int, float]
) -> dict[str, Any]:
    """Return a line with a point in its middle, where it says its mode."""
    ends = (result.crystals[step.parent], result.crystals[step.daughter])
    x = [place[one.number] for one in ends]
    y = [one.energy_change for one in ends]
    text = plain_text(
        f"{step.label}, {step.frequency:z.2f} THz, {step.direction}: "
        f"{step.energy_change:+z.2f} meV/atom"
    )
    return {
        "type": "scatter",
        "mode": "lines",
        "name": text,
        "meta": {"key": "way"},
        "x": [x[0], sum(x) / 2, x[1]],
        "y": [y[0], sum(y) / 2, y[1]],
        "text": text,
        "hovertemplate": "%{text}<extra></extra>",
        "line": {
            "color": "@rule-strong",
            "width": 1.5,
            "dash": "solid" if step.is_first else "dot",
        },
    }


STABLE = Mark(name="took", word="Stable")
FOUND = Mark(name="took", word="Stable daughter found")
LOST = Mark(name="failed", word="No stable daughter")
OPEN = Mark(name="open", word="Not finished")


def page_text(result: StabiliseResult) -> str:
    """Return the page as HTML; everything it needs is inside."""
    sections = [
        section("tree", "The tree", tree_figure(result)),
        section("crystals", "Crystals", _crystal_table(result)),
        section("ways", "Distortions from parent to daughter", _step_table(result)),
        section("notes", "Notes", *_notes(result)),
        section("settings", "Settings", _settings(result)),
        section("provenance", "Provenance", *_provenance(result)),
    ]
    return document_text(_cover(result), sections)


write_page = page_writer(page_text, PAGE)
"""Write the page of a tree into its folder."""


def _mark(result: StabiliseResult) -> Mark:
    if not result.finished or not result.crystals:
        return OPEN
    if result.crystals[0].is_stable:
        return STABLE
    return LOST if result.best_stable() is None else FOUND


def _cover(result: StabiliseResult) -> Cover:
    warning = ("This tree has not finished.", "Run the same command again.")
    return Cover(
        title=f"Instabilities of {result.formula}",
        label="Result",
        mark=_mark(result),
        headline=result.headline,
        sentences=result.notices,
        warning=None if result.finished else warning,
        key_facts=_key_facts(result),
        written=written_text(result.provenance),
        source="stabilise.json",
    )


def _key_facts(result: StabiliseResult) -> tuple[tuple[str, str], ...]:
    root = next(iter(result.crystals), None)  # a tree that has just begun has none
    best = result.best_stable()
    n_stable = sum(bool(one.is_stable) for one in result.crystals)
    softest = None if root is None else root.lowest_frequency
    gain = MISSING if best is None else energy_text(best) + " meV/atom"
    return (
        ("Model", result.model.name),
        ("Start", MISSING if root is None else root.space_group),
        ("Softest mode", MISSING if softest is None else frequency_text(softest)),
        ("Crystals found", str(len(result.crystals))),
        ("Of these stable", str(n_stable)),
        ("Most stable", MISSING if best is None else best.space_group),
        ("Its energy", gain),
        ("Time", duration_text(sum((one.seconds for one in result.provenance), 0.0))),
    )


def frequency_text(frequency: float) -> str:
    """Return a frequency as spectroscopists write it, ``7.47i THz``.

    Examples
    --------
    >>> frequency_text(-7.468), frequency_text(2.5)
    ('7.47i THz', '2.50 THz')
    """
    if abs(frequency) < 0.005:
        return "0.00 THz"
    return f"{abs(frequency):.2f}{'i' if frequency < 0 else ''} THz"


def _crystal_table(result: StabiliseResult) -> Table | None:
    if not result.crystals:
        return None
    first = {one.daughter: one for one in result.steps if one.is_first}
    return Table(
        caption=(
            "Every crystal once, at its first occurrence. Energy and volume per "
            "atom are relative to the first crystal; the lowest frequency is on "
            "the commensurate grid of its own supercell."
        ),
        columns=(
            "Crystal",
            "Space group",
            "Reached by",
            "Atoms",
            "Energy, meV/atom",
            "Volume, %",
            "Lowest frequency",
            "State",
            "File",
        ),
        rows=tuple(_crystal_row(one, first) for one in result.crystals),
        is_text=(True, True, True, False, False, False, False, True, True),
    )


def _crystal_row(one: CrystalRecord, first: dict[int, StepRecord]) -> tuple[str, ...]:
    lowest = one.lowest_frequency
    step = first.get(one.number)
    way = "given, relaxed with its symmetry"
    if step is not None:
        way = f"{step.parent}, {step.label} {frequency_text(step.frequency)}"
    return (
        str(one.number),
        f"{one.space_group} ({one.space_group_number})",
        f"{way} {step.direction}" if step else way,
        str(len(one.structure.symbols)),
        energy_text(one),
        signed_text(one.volume_change, n_decimals=2) if one.number else "0",
        MISSING if lowest is None else frequency_text(lowest),
        state_of(one),
        one.file,
    )


def state_of(one: CrystalRecord) -> str:
    """Return whether a crystal is stable, in a word or two."""
    if not one.is_converged:
        return "not converged"
    if one.is_stable is None:
        return "no phonons"
    return "stable" if one.is_stable else "unstable"


def energy_text(one: CrystalRecord) -> str:
    """Return the energy of a crystal against the first one, without its unit."""
    return signed_text(one.energy_change, n_decimals=2) if one.number else "0"


def _step_table(result: StabiliseResult) -> Table | None:
    if not result.steps:
        return None
    return Table(
        caption=(
            "Each distortion that led to another crystal: the mode, the direction "
            "of its order parameter with the number of equivalent domains and the "
            "remaining symmetry, the amplitude of lowest energy before relaxation "
            "(largest atomic displacement), and the result. Energies are relative "
            "to the parent."
        ),
        columns=(
            "Parent",
            "Mode",
            "Direction",
            "Domains",
            "Symmetry left",
            "Amplitude, Å",
            "Energy at this amplitude, meV/atom",
            "Daughter",
            "Energy, meV/atom",
        ),
        rows=tuple(_step_row(one, result) for one in result.steps),
        is_text=(True, True, True, False, True, False, False, True, False),
    )


def _step_row(step: StepRecord, result: StabiliseResult) -> tuple[str, ...]:
    parent, daughter = result.crystals[step.parent], result.crystals[step.daughter]
    known = "" if step.is_first else ", known"
    free = "" if step.is_fixed else ", one of many"
    return (
        f"{parent.number}: {parent.space_group}",
        f"{step.label} {frequency_text(step.frequency)}",
        step.direction + free,
        str(step.n_domains),
        step.trial_space_group,
        number_text(abs(step.amplitude)),
        signed_text(step.line_energy, n_decimals=2),
        f"{daughter.number}: {daughter.space_group}{known}",
        signed_text(step.energy_change, n_decimals=2),
    )


def _notes(result: StabiliseResult) -> list[Block]:
    blocks: list[Block] = [Note(text=text) for text in result.notices]
    for one in result.crystals:
        trials = ", ".join(f"{n} {what}" for what, n in one.counts.items() if n)
        texts = [f"trials: {trials}"] if trials else []
        blocks += [
            Note(text=f"Crystal {one.number}, {one.space_group}: {text}.")
            for text in (*texts, *one.notes)
        ]
    return blocks


def _settings(result: StabiliseResult) -> Facts:
    plan = result.settings
    rows = "; ".join(" ".join(f"{x:g}" for x in row) for row in plan.supercell)
    return Facts(
        pairs=(
            ("Depth", counted(plan.depth, "distortion")),
            ("Trials relaxed per crystal", f"at most {plan.max_daughters}"),
            ("Imaginary below", f"-{plan.threshold:g} THz"),
            ("Supercell of the first crystal", rows),
            ("Supercells of its daughters", f"at least {plan.length:.2f} Å thick"),
            ("Relaxed to", f"{plan.fmax:g} eV/Å, at most {plan.max_steps} steps"),
            ("Displacement of phonons", f"{plan.displacement:g} Å"),
            ("Amplitudes tried", ", ".join(f"{x:g}" for x in plan.amplitudes) + " Å"),
            ("Symmetry sought at", ", ".join(f"{x:g}" for x in plan.symprecs) + " Å"),
            (
                "One crystal if within",
                f"{plan.same_energy:g} meV/atom and {plan.same_distance:g} Å in all "
                "distances",
            ),
            ("Precision", plan.dtype),
        )
    )


def _provenance(result: StabiliseResult) -> list[Block]:
    model = result.model
    pairs = (
        ("Model", model.name + (f", head {model.head}" if model.head else "")),
        ("Framework", model.framework),
        ("Licence of the weights", model.licence or MISSING),
        ("Hash of the weights", model.weights_hash),
    )
    return [Facts(pairs=pairs), *session_blocks(*result.provenance)]
