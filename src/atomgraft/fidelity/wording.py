"""The result of a study in words."""

from collections.abc import Sequence

from atomgraft.fidelity.record import Claim, Row, Target
from atomgraft.page.wording import number_text, value_text

WAYS = {
    "source": "source",
    "alone": "target alone",
    "fine-tuning": "fine-tuning",
    "multi-head": "two heads",
    "all-heads": "all heads",
    "delta": "delta-learning",
}


def target_name(target: Target) -> str:
    """Return the error that is shown, with its unit."""
    aligned = ", aligned" if "aligned" in target.metric else ""
    return f"{target.quantity.capitalize()} MAE{aligned} ({target.unit})"


def way_text(row: Row) -> str:
    """Return in words how a model came about, without numbers of labels."""
    parts = [WAYS[row.strategy]]
    parts += [f"from {row.source}"] if row.source else []
    parts += [f"({row.recipe})"] if row.strategy == "fine-tuning" else []
    parts += [f"{row.kept} alone"] if row.kept != "all" else []
    return " ".join(parts)


def error_text(row: Row) -> str:
    """Return an error with its interval, or the range of a few seeds."""
    if row.interval is not None:
        return value_text(row.value, row.interval, over="seeds")
    if row.range is None:
        return number_text(row.value)
    low, high = (number_text(end) for end in row.range)
    return f"{number_text(row.value)} ({low} to {high})"


def ratio_text(row: Row) -> str:
    """Return the error over that of the target alone; empty where it is not known."""
    if row.over_alone is None:
        return ""
    said = f"{row.over_alone:.2f}"
    ends = row.over_alone_range
    return said if ends is None else f"{said} ({ends[0]:.2f} to {ends[1]:.2f})"


def headline_of(
    target: Target | None, rows: Sequence[Row], claims: Sequence[Claim]
) -> tuple[str, tuple[str, ...]]:
    """Return what the study found in a line, and in some sentences.

    Parameters
    ----------
    target
        The error that is shown; none before a model is done.
    rows
        Models over their seeds.
    claims
        Answers to questions.
    """
    own = [row for row in rows if row.strategy != "source"]
    if target is None or not own:
        return "No model of the target is done yet.", ()
    asked = [one for one in claims if one.question.endswith(" help?")]
    if not asked:
        return f"{len(own)} models of the target are done.", ()
    yes = [one for one in asked if one.answer == "yes"]
    if yes:
        names = [one.question[len("Does ") : -len(" help?")] for one in yes]
        headline = f"{', '.join(names)}: better than the target alone."
        headline = headline[0].upper() + headline[1:]
    elif all(one.answer == "no" for one in asked):
        headline = "No source helps."
    else:
        headline = "Whether a source helps is not resolved."
    return headline, _best_sentences(target, own)


def _best_sentences(target: Target, own: Sequence[Row]) -> tuple[str, ...]:
    """Return the smallest errors with the most labels of the target."""
    most = max(row.n_target for row in own)
    mine = [row for row in own if row.n_target == most]
    alone = [row for row in mine if row.strategy == "alone"]
    others = [row for row in mine if row.strategy != "alone"]
    if not alone or not others:
        return ()
    rival = min(alone, key=lambda row: row.value)
    best = min(others, key=lambda row: row.value)
    return (
        f"With {most} labels of the target, the smallest error among models that use a"
        f" source is that of {_with_size(best)}: {error_text(best)} {target.unit}.",
        f"The target alone reaches {error_text(rival)} {target.unit}.",
        "Both were chosen by their errors on the test set, so that these are a little"
        " too small.",
    )


def _with_size(row: Row) -> str:
    if not row.n_source:
        return way_text(row)
    return f"{way_text(row)}, {row.n_source} labels of the source"
