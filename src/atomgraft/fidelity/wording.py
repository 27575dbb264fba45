"""The result of a study in words."""

from collections.abc import Sequence

from atomgraft.fidelity.record import Row, Target
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
    target: Target | None, rows: Sequence[Row]
) -> tuple[str, tuple[str, ...]]:
    """Return what the study found in a line, and in some sentences.

    Parameters
    ----------
    target
        The error that is shown; none before a model is done.
    rows
        Models over their seeds.
    """
    own = [row for row in rows if row.strategy not in {"source"}]
    if target is None or not own:
        return "No model of the target is done yet.", ()
    most = max(row.n_target for row in own)
    mine = [row for row in own if row.n_target == most]
    alone = [row for row in mine if row.strategy == "alone"]
    others = [row for row in mine if row.strategy != "alone"]
    if not alone or not others:
        return f"{len(own)} models of the target are done.", ()
    rival = min(alone, key=lambda row: row.value)
    best = min(others, key=lambda row: row.value)
    sentences = [
        f"With {most} labels of the target, the smallest error among models that use a"
        f" source is that of {_with_size(best)}: {error_text(best)} {target.unit}.",
        f"The target alone reaches {error_text(rival)} {target.unit}.",
        "Both were chosen by their errors on the test set, so that these are a little"
        " too small.",
    ]
    ends = best.over_alone_range
    is_sure = ends is not None and (ends[1] < 1 or ends[0] > 1)
    if best.value >= rival.value:
        return "No source helps.", tuple(sentences)
    gain = f"{100 * (1 - best.value / rival.value):.0f} %"
    if best.n_seeds < 2:
        return f"Sources reduce the error by {gain} (one seed).", tuple(sentences)
    if not is_sure:
        said = f"Sources reduce the error by {gain}; seeds do not agree."
        return said, tuple(sentences)
    return (
        f"{way_text(best).capitalize()} reduces the error by {gain}.",
        tuple(sentences),
    )


def _with_size(row: Row) -> str:
    if not row.n_source:
        return way_text(row)
    return f"{way_text(row)}, {row.n_source} labels of the source"
