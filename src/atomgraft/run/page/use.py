"""The summary of a run: accuracy, range of use, lost accuracy, what was not tested."""

import dataclasses
import shlex
from collections.abc import Iterator, Sequence
from typing import Literal

from atomgraft.metrics.thresholds import MODERATE, SMALL
from atomgraft.page.blocks import Block, Code, Heading, Note, Section, Table
from atomgraft.page.document import Mark
from atomgraft.page.wording import (
    MISSING,
    QUANTITY_ORDER,
    capitalised,
    count_text,
    counted,
    number_text,
    relative_text,
)
from atomgraft.records.scores import Score
from atomgraft.run.page.tables import (
    ComparisonRow,
    comparison_rows,
    group_rows,
    score_text,
)
from atomgraft.run.record import DataCard, RunResult, SeenRecord

MAX_FORMULAS = 3
"""Named in a title; more are counted."""

SMALLEST_STRAIN = 1e-4
"""Less is rounding in the files."""

PLURALS = {"energy": "energies", "forces": "forces", "stress": "stresses"}

UNASKED = {
    "forgetting": "Other materials: atomgraft prove {run}",
    "consistency": (
        "Whether forces are derivatives of the energy: atomgraft prove {run} "
        "--suite consistency"
    ),
    "phonons": "Phonons: atomgraft prove {run} --suite phonons",
    "bulk": (
        "Elastic constants, vacancies and surfaces: atomgraft prove {run} --suite bulk"
    ),
    "md": "Molecular dynamics: atomgraft prove {run} --suite md",
    "motion": (
        "Distances, angles, vibrations and melts: atomgraft prove {run} --suite motion"
    ),
}

NEVER_ASKED = "Diffusion in solids."

MEANING = {
    "little": (
        "Little forgetting: predictions for {others} are close to those of the base."
    ),
    "moderate": (
        "Moderate forgetting: test this model on {others} before you use it for them."
    ),
    "severe": "Severe forgetting: do not use this model for {others}.",
    None: "Not rated: the mean force of the base was not measured.",
}

Status = Literal["met", "missed", "unclear"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Quality:
    """How good the adapted model is at one quantity of the held-out structures.

    Parameters
    ----------
    row
        Its errors.
    error
        Of the adapted model.
    spread
        Standard deviation of the labels, in the unit of the errors; none if unknown.
    target
        The largest error that is good enough for the user; none if not given.
    """

    row: ComparisonRow
    error: Score
    spread: float | None
    target: float | None

    @property
    def share(self) -> float | None:
        """Error as a share of the spread."""
        return self.error.value / self.spread if self.spread else None

    @property
    def status(self) -> Status | None:
        """Whether the target is met; unclear where the interval holds it."""
        if self.target is None:
            return None
        low, high = self.error.interval or (self.error.value, self.error.value)
        if high <= self.target:
            return "met"
        return "missed" if low > self.target else "unclear"


def qualities(result: RunResult) -> list[Quality]:
    """Return errors of the adapted model by quantity; energies aligned where known."""
    seen = _seen(result, "test")
    spreads = {} if seen is None else seen.spreads
    targets = result.spec.get("targets") or {}
    found: dict[str, tuple[ComparisonRow, Score]] = {}
    for row in comparison_rows(result, "labels"):
        if row.metric in {"mae", "mae_aligned"} and row.adapted is not None:
            found[row.quantity] = row, row.adapted  # the aligned one comes last
    return [
        Quality(
            row=row,
            error=error,
            spread=spreads.get(row.quantity) if is_known else None,
            target=targets.get(row.quantity) if is_known else None,
        )
        for row, error in found.values()
        # an error of energies that holds another zero is no error of the model
        for is_known in (row.quantity != "energy" or row.metric != "mae",)
    ]


def enough(result: RunResult) -> tuple[Mark, str] | None:
    """Return whether the model is good enough: a mark and a sentence, or none.

    Parameters
    ----------
    result
        A run; one that was not judged on held-out labels gets none.
    """
    rows = qualities(result)
    if not rows:
        return None
    targets = result.spec.get("targets") or {}
    return _against_targets(rows, targets) if targets else _against_spread(rows)


def _against_targets(
    rows: Sequence[Quality], targets: dict[str, float]
) -> tuple[Mark, str]:
    by_status: dict[str, list[str]] = {}
    for one in rows:
        if one.status is not None:
            by_status.setdefault(one.status, []).append(PLURALS[one.row.quantity])
    judged = {one.row.quantity for one in rows if one.target is not None}
    untested = [PLURALS[name] for name in targets if name not in judged]
    if untested:
        by_status["not tested"] = untested
    said = "; ".join(f"{what}: {', '.join(who)}" for what, who in by_status.items())
    sentence = f"Your targets: {said}."
    if "missed" in by_status:
        return Mark(name="failed", word="Not good enough"), sentence
    if set(by_status) == {"met"}:
        return Mark(name="took", word="Good enough"), sentence
    return Mark(name="open", word="Unclear if good enough"), sentence


def _against_spread(rows: Sequence[Quality]) -> tuple[Mark, str]:
    shares = {
        PLURALS[one.row.quantity]: one.share for one in rows if one.share is not None
    }
    if not shares:
        return (
            Mark(name="open", word="Errors not rated"),
            "The spread of the held-out labels is unknown; run 'atomgraft prove' "
            "to measure it.",
        )
    listed = ", ".join(f"{name} {_percent(one)}" for name, one in shares.items())
    worst = max(shares.values())
    name, word = (
        ("took", "Small errors")
        if worst <= SMALL
        else ("partial", "Moderate errors")
        if worst <= MODERATE
        else ("failed", "Large errors")
    )
    return (
        Mark(name=name, word=word),
        f"Errors as a share of the spread of the held-out labels: {listed}. Up to "
        f"{_percent(SMALL)} is small, up to {_percent(MODERATE)} moderate. No targets "
        "were given.",
    )


def _percent(share: float) -> str:
    return f"{number_text(100 * share, digits=2)} %"


def title_of(result: RunResult) -> str:
    """Return material, recipe and base; the name of the folder where all are unknown.

    Parameters
    ----------
    result
        A run.
    """
    recipe = result.spec.get("recipe")
    if not isinstance(recipe, str) or not result.data:
        return result.name
    return f"{material_of(result)}: recipe {recipe}, base {result.base.name}"


def material_of(result: RunResult) -> str:
    """Return the formulas that were trained on, or the elements."""
    card = result.data[0]
    if card.seen is None or not card.seen.formulas:
        return "-".join(card.elements)
    names = list(card.seen.formulas)
    more = len(names) - MAX_FORMULAS
    return ", ".join(names[:MAX_FORMULAS]) + (f" and {more} more" if more > 0 else "")


def use_section(result: RunResult) -> Section:
    """Return the summary section of the page."""
    rows = qualities(result)
    blocks: list[Block] = []
    if rows:
        blocks += [Heading(text="How good is it?"), quality_table(rows)]
    if result.data:
        blocks += [Heading(text="What is it good for?"), seen_table(result)]
    lost = lost_sentences(result)
    if lost:
        blocks += [Heading(text="What was lost?"), *(Note(text=one) for one in lost)]
    blocks += [
        Heading(text="What was not tested?"),
        *(Note(text=one) for one in untested(result)),
    ]
    if result.finished:
        blocks += [Heading(text="How do I use it?"), *_how(result)]
    return Section(name="use", title="May I use it?", blocks=tuple(blocks))


def quality_table(rows: Sequence[Quality]) -> Table:
    """Return errors against the spread of the labels and the targets."""
    has_targets = any(one.target is not None for one in rows)
    head = ["Error (MAE)", "Base", "Adapted", "Spread of labels", "Share of spread"]
    return Table(
        caption=(
            "Mean absolute errors on held-out structures. The spread is the standard "
            "deviation of their labels: a model that always predicts the mean has an "
            "error of about 80 % of it."
        ),
        columns=(*head, *(("Target",) if has_targets else ())),
        rows=tuple(_quality_row(one, has_targets=has_targets) for one in rows),
        is_text=(True, *(False,) * (len(head) - 1 + has_targets)),
    )


def _quality_row(one: Quality, *, has_targets: bool) -> tuple[str, ...]:
    name = capitalised(PLURALS.get(one.row.quantity, one.row.quantity))
    target = MISSING if one.target is None else f"{one.target:g} ({one.status})"
    return (
        f"{name} ({one.error.unit})",
        score_text(one.row.base),
        score_text(one.error),
        MISSING if one.spread is None else number_text(one.spread),
        MISSING if one.share is None else _percent(one.share),
        *((target,) if has_targets else ()),
    )


def seen_table(result: RunResult) -> Table:
    """Return what was trained on and what was tested, side by side."""
    sides = [_card(result, "train"), _card(result, "test")]
    rows = [
        ("Structures", [_structures(one) for one in sides]),
        ("Elements", [", ".join(one.elements) if one else "" for one in sides]),
    ]
    spans = [None if one is None else one.seen for one in sides]
    if any(spans):
        rows += [
            ("Formulas", [_names(one and one.formulas) for one in spans]),
            ("Kinds (config_type)", [_names(one and one.kinds) for one in spans]),
            ("Atoms per structure", [_range(one and one.sizes) for one in spans]),
            (
                "Temperatures (K)",
                [_range(one and one.temperatures) or "not stated" for one in spans],
            ),
            ("Volumes (Å³ per atom)", [_range(one and one.volumes) for one in spans]),
            ("Strain at constant volume", [_strain(one) for one in spans]),
        ]
    return Table(
        caption=(
            "The errors above hold for structures like the tested ones. For "
            "structures unlike the training data the errors are unknown."
        ),
        columns=("", "Trained on", "Tested on"),
        rows=tuple(
            (name, *(cell or MISSING for cell in cells)) for name, cells in rows
        ),
        is_text=(True, True, True),
    )


def _card(result: RunResult, role: str) -> DataCard | None:
    own = (one for one in result.data if one.head is None)
    return next((one for one in own if one.role == role), None)


def _seen(result: RunResult, role: str) -> SeenRecord | None:
    card = _card(result, role)
    return None if card is None else card.seen


def _structures(card: DataCard | None) -> str:
    return "none" if card is None else count_text(card.n_structures)


def _names(counts: dict[str, int] | None) -> str:
    return ", ".join(f"{name} ({n})" for name, n in (counts or {}).items())


def _range(ends: tuple[float, float] | None) -> str:
    if ends is None:
        return ""
    low, high = (f"{end:.4g}" for end in ends)
    return low if low == high else f"{low} to {high}"


def _strain(seen: SeenRecord | None) -> str:
    if seen is None or seen.strain is None:
        return ""
    return f"up to {_percent(seen.strain)}" if seen.strain > SMALLEST_STRAIN else "none"


def lost_sentences(result: RunResult) -> list[str]:
    """Say what changed on other crystals, whatever the base's errors were."""
    drifts = _drifts(result, "far") or _drifts(result, None)
    if not drifts:
        return []
    is_far = drifts[0].group is not None
    near = _drifts(result, "near")
    is_all_near = not is_far and bool(near) and near[0].n == drifts[0].n
    what = (
        " without any trained element"
        if is_far
        else " with a trained element (the base supports no others)"
        if is_all_near
        else ""
    )
    others = "other crystals of these elements" if is_all_near else "other materials"
    sizes = {
        one.quantity: one.value
        for one in result.scores
        if (one.suite, one.metric, one.group)
        == ("forgetting", "spread", drifts[0].group)
    }
    moved = ", ".join(_moved(one, sizes.get(one.quantity)) for one in drifts)
    meaning = MEANING[result.verdict.forgetting].format(others=others)
    return [
        meaning,
        f"On {counted(drifts[0].n, 'crystal')}{what}, predictions differ from the "
        f"base's by {moved} on average.",
    ]


def _drifts(result: RunResult, group: str | None) -> list[Score]:
    rows = (
        comparison_rows(result, "forgetting")
        if group is None
        else [one for one in group_rows(result, "forgetting") if one.group == group]
    )
    found = {one.quantity: one.adapted for one in rows if one.metric == "drift"}
    ordered = [found.get(name) for name in QUANTITY_ORDER]
    return [one for one in ordered if one is not None]


def _moved(drift: Score, size: float | None) -> str:
    text = f"{number_text(drift.value)} {drift.unit} ({PLURALS[drift.quantity]}"
    return text + (
        f", {relative_text(drift.value / size)} their size)" if size else ")"
    )


def untested(result: RunResult) -> list[str]:
    """Return what was not tested."""
    return [*_untested_labels(result), *_unasked(result), NEVER_ASKED]


def _untested_labels(result: RunResult) -> Iterator[str]:
    run = shlex.quote(result.name)
    tested, trained = _card(result, "test"), _card(result, "train")
    rows = {one.row.quantity for one in qualities(result)}
    if not rows:
        yield f"Errors on held-out structures: atomgraft prove {run} --test FILE"
        return
    missing = [PLURALS[name] for name in QUANTITY_ORDER if name not in rows]
    if missing:
        yield f"{capitalised(' and '.join(missing))}: the test set has no such labels."
    if tested is None or trained is None:
        return
    elements = sorted({*trained.elements} - {*tested.elements})
    if elements:
        yield f"Elements in training and not in the test: {', '.join(elements)}."
    if tested.seen is not None and trained.seen is not None:
        kinds = sorted({*trained.seen.kinds} - {*tested.seen.kinds})
        if kinds:
            listed = ", ".join(kinds)
            yield f"Kinds of structure in training and not in the test: {listed}."


def _unasked(result: RunResult) -> Iterator[str]:
    asked = {one.suite for one in result.scores} | set(result.unanswered)
    for suite, text in UNASKED.items():
        if suite not in asked:
            yield text.format(run=shlex.quote(result.name))


def _how(result: RunResult) -> list[Block]:
    run = result.name
    snippet = f"import atomgraft as ag\n\natoms.calc = ag.open({run!r}).calculator()"
    return [
        Note(text="As an ASE calculator, from the folder that holds the run:"),
        Code(text=snippet, label="Python: the model as an ASE calculator"),
        Note(text=f"As a plain {result.base.framework} model, without atomgraft:"),
        Code(
            text=f"atomgraft merge {shlex.quote(run)}",
            label="Command to merge the model",
        ),
    ]
