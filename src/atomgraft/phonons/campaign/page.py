"""The page of a campaign."""

from typing import Any

from atomgraft.page.axes import (
    PLOTLY_SYMBOLS,
    axis,
    figure,
    layout,
    plain_text,
)
from atomgraft.page.blocks import (
    Alert,
    Block,
    Facts,
    Figure,
    LegendEntry,
    Note,
    Plot,
    Section,
    section,
)
from atomgraft.page.document import PAGE, Cover, Mark, document_text, page_writer
from atomgraft.page.wording import MISSING, counted, number_text
from atomgraft.phonons.campaign.record import (
    BASE,
    CAMPAIGN,
    FIXED,
    GLOBAL_SCALAR,
    OF_LABELS,
    PhononCampaign,
    best_recipe,
    chosen_errors,
    is_beaten,
    is_lost,
    mean_of,
    rows_of,
    summary_of,
)
from atomgraft.phonons.campaign.tables import (
    bill_table,
    confusion_table,
    missing_table,
    summary_table,
    training_table,
    worst_table,
)
from atomgraft.phonons.campaign.wording import headline, sentences, title_of
from atomgraft.phonons.figures import bands_figure
from atomgraft.phonons.wording import headline as phonon_headline
from atomgraft.run.page.document import MARKS, PARTIAL
from atomgraft.run.page.parity import square_range
from atomgraft.run.page.record import session_blocks, spec_code, written_text

OPEN = Mark(name="open", word="Not finished")

ZERO_SHOT = Mark(name="open", word="Zero-shot")

FAILED = Mark(name="failed", word="No adaptation")

MODES = {
    "each": "One adaptation per material, on a part of its own supercells",
    "all": "One adaptation for all materials, in leave-out folds",
    None: "None: only the base",
}


def page_text(campaign: PhononCampaign) -> str:
    """Return the page as HTML; everything it needs is inside."""
    sections = [
        section("summary", "All materials", *_summary(campaign)),
        section("parity", "Mean frequencies", parity_figure(campaign)),
        section("materials", "Worst cases first", worst_table(campaign)),
        *_details(campaign),
        section("bill", "The bill", bill_table(campaign)),
        section("missing", "Without numbers", missing_table(campaign)),
        section("trainings", "Adaptations", training_table(campaign)),
        section(
            "settings",
            "Settings",
            _settings(campaign),
            spec_code(campaign.spec, "campaign"),
        ),
        section("provenance", "Provenance", *session_blocks(*campaign.provenance)),
    ]
    return document_text(_cover(campaign), sections)


write_page = page_writer(page_text, PAGE)
"""Write the page of a campaign into its folder."""


def mark_of(campaign: PhononCampaign) -> Mark:
    """Return the result at a glance.

    A graft that took has learned more than one number, is better than its labels are
    without training - each by a tenth of the error, and by a recipe that was not chosen
    on the material - and still knows other crystals.
    """
    base, best = summary_of(campaign, BASE), best_recipe(campaign)
    if not campaign.finished:
        return OPEN
    if base is None or best is None:
        return FAILED if campaign.trainings else ZERO_SHOT
    if not is_beaten(campaign, BASE):
        return MARKS[False]
    baselines = (GLOBAL_SCALAR, *OF_LABELS)
    has_learned = all(is_beaten(campaign, name) for name in baselines)
    is_chosen = bool(chosen_errors(campaign))
    is_whole = has_learned and is_chosen and not is_lost(best)
    return MARKS[True] if is_whole else PARTIAL


def _cover(campaign: PhononCampaign) -> Cover:
    n_open = sum(row.status == "open" for row in campaign.rows)
    warning = (
        "This campaign has not finished.",
        f"{counted(n_open, 'row')} without numbers yet; run the same command again.",
    )
    return Cover(
        title=campaign.name,
        label="Phonons of many materials",
        mark=mark_of(campaign),
        headline=headline(campaign),
        sentences=sentences(campaign),
        warning=None if campaign.finished else warning,
        key_facts=_key_facts(campaign),
        written=written_text(campaign.provenance),
        source=CAMPAIGN.file,
    )


def _key_facts(campaign: PhononCampaign) -> tuple[tuple[str, str], ...]:
    judged = {row.material for row in campaign.rows if row.status == "done"}
    n_all = len(campaign.materials)
    n_supercells = sum(one.n_supercells for one in campaign.materials)
    return (
        ("Base", campaign.base.name),
        ("Materials judged", f"{len(judged)} of {n_all}"),
        ("Displaced supercells", str(n_supercells)),
        ("Adaptation", MODES[campaign.mode]),
    )


def _summary(campaign: PhononCampaign) -> list[Block | None]:
    notices = campaign.notices
    told = Alert(title="Notices", sentences=notices, is_grave=False)
    return [
        told if notices else None,
        summary_table(campaign),
        confusion_table(campaign),
    ]


def _details(campaign: PhononCampaign) -> list[Section | None]:
    """Return the bands of the worst materials, a section each."""
    return [
        section(
            f"detail-{i}",
            f"Bands of {one.name}",
            Note(text=phonon_headline(one)),
            bands_figure(one, f"detail-{i}"),
        )
        for i, one in enumerate(campaign.details, start=1)
    ]


def _settings(campaign: PhononCampaign) -> Facts:
    spec, base = campaign.spec, campaign.base
    pairs = (
        ("Base", base.name + (f", head {base.head}" if base.head else "")),
        ("Hash of its weights", base.weights_hash),
        ("Licence of its weights", base.licence or MISSING),
        ("Mesh", "×".join(map(str, spec["mesh"]))),
        ("Unstable below", f"−{number_text(spec['threshold'])} THz"),
        ("Forces of the undisplaced supercell", "subtracted from the forces of models"),
        ("Precision", f"phonons float64, training {spec['dtype']}"),
        ("Adaptation", MODES[campaign.mode]),
        ("Seeds", ", ".join(map(str, spec["seeds"]))),
    )
    return Facts(pairs=pairs)


N_COLOURS = 8
"""Colours of the style sheet for recipes."""


SHAPES = ("diamond", "triangle", "square")


def parity_figure(campaign: PhononCampaign) -> Figure | None:
    """Return mean frequencies under base and recipes against DFT's, or none."""
    asked = [one for one in campaign.contestants if one == BASE or one not in FIXED]
    drawn = [(i, name, _trace(campaign, name, i)) for i, name in enumerate(asked)]
    shown = [(i, name) for i, name, trace in drawn if trace["x"]]
    traces = [trace for _, _, trace in drawn if trace["x"]]
    if not traces:
        return None
    values = [v for trace in traces for v in (*trace["x"], *trace["y"])]
    n = max(len(trace["x"]) for trace in traces)
    return Figure(
        name="parity",
        caption=(
            "Mean frequency over the mesh, model against DFT, one dot per "
            "material. The model is too soft for materials below the diagonal."
        ),
        plots=(
            Plot(
                name="parity",
                title="",
                description=(
                    f"Mean frequencies of {counted(n, 'material')} under "
                    f"{', '.join(title_of(one) for _, one in shown)} against DFT."
                ),
                figure=figure(traces, _layout(square_range(values))),
            ),
        ),
        legend=tuple(_entry(name, i) for i, name in shown),
        can_zoom=True,
    )


def _style(contestant: str, i: int) -> tuple[str, str]:
    """Return colour and shape; the base has its own."""
    if contestant == BASE:
        return "base", "circle"
    return f"series-{(i - 1) % N_COLOURS}", SHAPES[(i - 1) % len(SHAPES)]


def _entry(contestant: str, i: int) -> LegendEntry:
    colour, shape = _style(contestant, i)
    return LegendEntry(
        key=contestant, label=title_of(contestant), colour=colour, symbol=shape
    )


def _trace(campaign: PhononCampaign, contestant: str, i: int) -> dict[str, Any]:
    colour, shape = _style(contestant, i)
    points = [
        (known, mean, one.name, mean_of(rows, "frequency_mae"))
        for one in campaign.materials
        if (rows := rows_of(campaign, one.name, contestant))
        and (mean := mean_of(rows, "mean")) is not None
        and (known := mean_of(rows, "mean_reference")) is not None
    ]
    return {
        "type": "scatter",
        "mode": "markers",
        "name": plain_text(title_of(contestant)),
        "meta": {"key": contestant},
        "x": [point[0] for point in points],
        "y": [point[1] for point in points],
        "text": [
            f"{plain_text(name)}, MAE {_error_text(error)}"
            for _, _, name, error in points
        ],
        "hovertemplate": "%{text}<br>DFT %{x:.3f}, model %{y:.3f} THz<extra></extra>",
        "marker": {
            "symbol": PLOTLY_SYMBOLS[shape],
            "size": 8,
            "opacity": 0.8,
            "color": f"@{colour}",
        },
    }


def _error_text(error: float | None) -> str:
    return MISSING if error is None else f"{number_text(error)} THz"


def _layout(span: list[float]) -> dict[str, Any]:
    return layout(
        440,
        xaxis=axis("mean frequency, DFT (THz)", range=span),
        yaxis=axis("mean frequency, model (THz)", range=span),
        hovermode="closest",
        shapes=[
            {
                "type": "line",
                "x0": span[0],
                "y0": span[0],
                "x1": span[1],
                "y1": span[1],
                "layer": "below",
                "line": {"color": "@ink-soft", "width": 1, "dash": "dot"},
            }
        ],
    )
