"""Tables of ``properties.py``: values, errors, and what transfer makes better or worse.

Every error is in % of the reference, so that all can be compared: of a number the
relative error, of frequencies the mean absolute error over the mean frequency, of
distributions their distance (``atomgraft.metrics.differences``). Errors that differ by
less than one are alike. A model with a run that failed has no error: those of its other
runs would be the error of survivors. It is worse than one without failures.
"""

import dataclasses
from collections.abc import Sequence

import numpy as np
from learning_curves import FRESH, TRANSFERRED
from measuring import on_all_points
from properties import (
    ADAPTED,
    FOUNDATION,
    LABELS,
    N_FRAMES,
    REFERENCE,
    SLOW,
    STEPS,
    find,
)

SHOWN = (FRESH, TRANSFERRED, FOUNDATION, ADAPTED)
RIVALS = (FRESH, ADAPTED)


@dataclasses.dataclass(frozen=True)
class Property:
    """A row of the tables.

    Parameters
    ----------
    title
        With its unit.
    part, key
        Where it is found.
    kind
        ``number``, ``frequencies``, ``radial`` or ``overlap``.
    digits
        Of a number.
    """

    title: str
    part: str
    key: str
    kind: str = "number"
    digits: int = 1


OF_LABELS = (
    Property("lattice constant, Å", "crystal", "lattice_constant", digits=3),
    Property("C11 of the strained cells, GPa", "frames", "C11"),
    Property("C44, atoms clamped, GPa", "frames", "C44_clamped"),
    Property("force on an atom per shear strain, eV/Å", "frames", "shear_force"),
    Property("vacancy in the frames of 300 K, eV", "frames", "vacancy_300K", digits=2),
    Property("phonons, frames of 300 K", "frames", "frequencies_300K", "frequencies"),
    Property("g(r), 300 K", "motion", "radial_distribution", "radial"),
    Property("bond angles, 300 K", "motion", "angular_distribution", "overlap"),
    Property("g(r), melt at 1817 K", "melt", "radial_distribution", "radial"),
    Property("bond angles, melt", "melt", "angular_distribution", "overlap"),
)

OF_REFERENCE = (
    Property("bulk modulus, GPa", "crystal", "B0"),
    Property("C11 at rest, GPa", "crystal", "C11"),
    Property("C12, GPa", "crystal", "C12"),
    Property("C44, atoms relaxed, GPa", "crystal", "C44"),
    Property("vacancy, relaxed, eV", "vacancy", "vacancy", digits=2),
    Property("highest frequency, THz", "crystal", "raman", digits=2),
    Property("phonons at rest", "crystal", "frequencies", "frequencies"),
    Property("vibrational states, 300 K", "motion", "vibrational_density", "overlap"),
)


def values_of(rows: Sequence[dict], one: Property, model: str) -> list:
    """Return what each draw of a model has of a property; none: a run failed."""
    found = [row for row in rows if (row["model"], row["part"]) == (model, one.part)]
    found.sort(key=lambda row: row["draw"] or 0)
    return [
        None if row["values"].get("failures") else row["values"].get(one.key)
        for row in found
    ]


def references(rows: Sequence[dict], one: Property, source: str) -> tuple:
    """Return the reference of a property and half of its 95 % interval, or noise."""
    if source == LABELS and one.key == "lattice_constant":
        return lattice_constant(rows)
    row = find(rows, model=source, part=one.part)
    value = None if row is None else row["values"].get(one.key)
    if source == LABELS and one.kind == "number" and value is not None:
        return tuple(value)
    if source == LABELS and one.kind == "frequencies" and row is not None:
        return value, row["values"]["frequency_noise"]
    return value, None


def lattice_constant(rows: Sequence[dict]) -> tuple[float | None, float | None]:
    """Return the lattice constant of the labels, Å.

    The cell of the strained crystals has a stress τ, which the labels tell; it comes to
    rest at a (1 - τ / 3B). B, which they do not tell, is that of the reference, and may
    be wrong by a fifth.
    """
    of_frames = find(rows, model=LABELS, part="frames")
    model = find(rows, model=REFERENCE, part="crystal")
    if of_frames is None or model is None or "B0" not in model["values"]:
        return None, None
    edge = of_frames["values"]["edge"] / 2
    strain = -of_frames["values"]["stress"][0] / (3 * model["values"]["B0"])
    return edge * (1 + strain), 0.2 * abs(edge * strain)


def error_of(one: Property, value, reference) -> float | None:  # noqa: ANN001
    """Return an error in % of the reference; none: failed."""
    from atomgraft.metrics.differences import overlap_error, radial_error

    if value is None:
        return None
    if one.kind == "number":
        return 100 * abs(value / reference - 1)
    if one.kind == "frequencies":
        own, other = on_all_points(value), on_all_points(reference)
        return 100 * float(np.abs(own - other).mean() / other.mean())
    own, other = np.array(value), np.array(reference)
    distance = radial_error if one.kind == "radial" else overlap_error
    return distance(own.mean(axis=0), other.mean(axis=0))


def noise_of(one: Property, reference) -> float | None:  # noqa: ANN001
    """Return the distance that runs of the reference have by chance, %."""
    from atomgraft.metrics.differences import overlap_error, own_noise, radial_error

    if one.kind not in {"radial", "overlap"}:
        return None
    distance = radial_error if one.kind == "radial" else overlap_error
    return own_noise(np.array(reference), distance)


def cell(one: Property, values: list, errors: Sequence[float | None]) -> str:
    """Return values and errors of a model, means over draws without failures."""
    if not values:
        return ""
    known = [value for value in values if value is not None]
    n_failed = len(values) - len(known)
    if not known:
        return "failed"
    error = f"{np.mean([one for one in errors if one is not None]):.1f} %"
    told = error
    if one.kind == "number":
        told = f"{np.mean(known):.{one.digits}f} ({error})"
    return f"{told}, {n_failed} of {len(values)} failed" if n_failed else told


def effect(rival: Sequence[float | None], own: Sequence[float | None]) -> str:
    """Return whether errors are better than those of a rival.

    Fewer failures are better, whatever the errors of the other draws are. Where both
    failed alike, nothing is known.
    """
    from atomgraft.evaluation.bulk.record import effect_of

    shares = [
        sum(one is None for one in errors) / len(errors) for errors in (rival, own)
    ]
    if shares[0] != shares[1]:
        return "better" if shares[1] < shares[0] else "worse"
    if shares[0]:
        return "unclear"
    return effect_of(float(np.mean(rival)), float(np.mean(own)))


def said(one: Property, reference, half: float | None) -> str:  # noqa: ANN001
    """Return a reference as it is shown."""
    noise = noise_of(one, reference)
    if noise is not None:
        return f"noise {noise:.1f} %"
    if one.kind == "frequencies":
        mean = float(on_all_points(reference).mean())
        doubt = "" if half is None else f", own error {100 * half / mean:.1f} %"
        return f"mean {mean:.2f} THz{doubt}"
    spread = "" if not half else f" ± {half:.{max(one.digits, 2)}f}"
    return f"{reference:.{max(one.digits, 2)}f}{spread}"


Effects = dict[tuple[str, str], list[str]]
"""What transfer does to properties, by source of the reference and by rival."""


def table(
    rows: Sequence[dict], properties: Sequence[Property], source: str, effects: Effects
) -> list[str]:
    """Return the lines of a table, and add what transfer does to the effects."""
    lines = [
        f"| property | reference | {' | '.join(SHOWN)} | against {FRESH}"
        f" | against {ADAPTED} |",
        "|---" * (4 + len(SHOWN)) + "|",
    ]
    for one in properties:
        reference, half = references(rows, one, source)
        if reference is None:
            continue
        values = {model: values_of(rows, one, model) for model in SHOWN}
        errors = {
            model: [error_of(one, value, reference) for value in own]
            for model, own in values.items()
        }
        line = [one.title, said(one, reference, half)]
        line += [cell(one, values[model], errors[model]) for model in SHOWN]
        for rival in RIVALS:
            word = ""
            if errors[rival] and errors[TRANSFERRED]:
                word = effect(errors[rival], errors[TRANSFERRED])
                effects[source, rival].append(word)
            line.append(word)
        lines.append(f"| {' | '.join(line)} |")
    return [*lines, ""]


def failures(rows: Sequence[dict]) -> list[str]:
    """Return what could not be computed, and runs that failed."""
    lines = []
    for row in rows:
        name = row["model"] if row["draw"] is None else f"{row['model']}, {row['draw']}"
        if why := row["values"].get("failed"):
            lines.append(f"- {name}: {row['part']} could not be computed. {why}")
        if ended := row["values"].get("failures"):
            lines.append(f"- {name}: {len(ended)} runs of {row['part']} failed.")
    return [*lines, ""] if lines else []


def tables(document: dict) -> str:
    """Return both tables and the count, Markdown."""
    rows = document["rows"]
    draws = len({row["draw"] for row in rows if row["draw"] is not None})
    effects: Effects = {(a, b): [] for a in (LABELS, REFERENCE) for b in RIVALS}
    lines = [
        f"# Properties of germanium from {N_FRAMES} frames",
        "",
        "Made by `python benchmarks/elements/properties.py`. *Fresh weights* and *map"
        f" and scales* are those of the learning curves; {ADAPTED} is `lora` in"
        f" {STEPS} steps on the same frames, at the rate of the recipe. Draws of the"
        f" frames: {draws}."
        " Errors in % of the reference: of numbers relative, of frequencies their mean"
        " absolute error over the mean frequency, of distributions their distance."
        " Better or worse: error of map and scales beside that of the rival; unclear:"
        " they differ by less than 1 %. A model of which a run failed has no error, and"
        " is worse than one without failures; where both have failures it is unclear.",
        "",
        "## References from DFT labels",
        "",
        "Energies of strained cells (fits of fourth order up to strains of 6 %, atoms"
        " not relaxed), energies and forces of the 20 frames of the crystal and 40 of"
        " the vacancy at 300 K (all models are asked about the same frames, of which"
        " some are among those of training), and positions of the frames at 300 K and"
        " 1817 K against molecular dynamics of each model in the same cell. The labels"
        " tell the stress of the strained cell and not the bulk modulus: the lattice"
        " constant uses that of the reference model.",
        "",
        *table(rows, OF_LABELS, LABELS, effects),
        "## References from the model that was trained on all frames of the pool",
        "",
        "It started from silicon, as *map and scales* did, which favours the latter."
        " Labels hold no stress, and no strain of two edges at a time: what that model"
        " has for C12 and the bulk modulus is not DFT.",
        "",
        *table(rows, OF_REFERENCE, REFERENCE, effects),
        *own_errors(rows),
        "## Count",
        "",
        *[count(effects, rival) for rival in RIVALS],
        "",
        *failures(rows),
    ]
    if SLOW:
        left = ", ".join(f"{part} of {model}" for model, part in sorted(SLOW))
        lines += [f"Not computed unless asked for, because of its cost: {left}.", ""]
    return "\n".join(lines)


def count(effects: Effects, rival: str) -> str:
    """Return how many properties are better and worse, by source of the reference."""

    def counted(words: Sequence[str]) -> str:
        kinds = ("better", "worse", "unclear")
        return ", ".join(f"{list(words).count(kind)} {kind}" for kind in kinds)

    return (
        f"- *{TRANSFERRED}* against *{rival}*, by DFT labels:"
        f" {counted(effects[LABELS, rival])}; beside the model that was trained on all"
        f" frames, which is no DFT: {counted(effects[REFERENCE, rival])}"
    )


def own_errors(rows: Sequence[dict]) -> list[str]:
    """Return how far the reference model itself is from the labels."""
    told = []
    for one in OF_LABELS:
        reference, _ = references(rows, one, LABELS)
        own = values_of(rows, one, REFERENCE)
        if reference is not None and own:
            error = error_of(one, own[0], reference)
            told.append(
                f"{one.title} {'failed' if error is None else f'{error:.1f} %'}"
            )
    return [f"Its own errors against the labels: {'; '.join(told)}.", ""]
