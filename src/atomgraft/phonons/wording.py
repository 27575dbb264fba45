"""What a page of phonons says in sentences, and who is on it: order, colour, name."""

import math
from collections.abc import Sequence
from fractions import Fraction

from atomgraft.metrics.thresholds import MIN_GAIN
from atomgraft.page.blocks import LegendEntry
from atomgraft.page.wording import (
    decimals,
    is_plain,
    number_text,
    position,
    signed_text,
)
from atomgraft.phonons.record import (
    ALONE,
    JOINED,
    REFERENCE,
    PhononErrors,
    PhononResult,
    PhononSettings,
    RelaxationRecord,
    Spectrum,
)

CONTESTANT_ORDER = (REFERENCE, "base", "adapted", "scratch")

N_COLOURS = 8
"""Colours of the style sheet for contestants that are no role of a run."""

_COLOURS = {
    REFERENCE: "ink",
    "base": "base",
    "adapted": "adapted",
    "scratch": "scratch",
}
_DASHES = {"base": "6px,3px", "scratch": "2px,2px"}
_SYMBOLS = {"base": "dashes", "scratch": "dots"}


def contestants(result: PhononResult) -> list[Spectrum]:
    """Return the spectra in the order of all figures and tables."""
    return sorted(
        result.spectra, key=lambda one: position(CONTESTANT_ORDER, one.contestant)[0]
    )


def colour_of(result: PhononResult, contestant: str) -> str:
    """Return the style-sheet name of a contestant's colour.

    Within a run the roles have theirs. Elsewhere models are equals: a base without an
    adapted model beside it is the subject and not the background.
    """
    is_run = _is_of_a_run(result)
    known = _COLOURS if is_run else {REFERENCE: _COLOURS[REFERENCE]}
    if contestant in known:
        return known[contestant]
    others = [s.contestant for s in result.spectra if s.contestant not in known]
    number = others.index(contestant) if contestant in others else 0
    taken = 2 if is_run else 0  # the first two are those of adapted and scratch
    return f"series-{(number + taken) % N_COLOURS}"


def _is_of_a_run(result: PhononResult) -> bool:
    return any(one.contestant in {"adapted", "scratch"} for one in result.spectra)


def line_of(result: PhononResult, contestant: str) -> dict[str, str | float]:
    """Return a contestant's line; colour is never the only difference."""
    dashes = _DASHES if _is_of_a_run(result) else {}
    return {
        "color": f"@{colour_of(result, contestant)}",
        "width": 2.6 if contestant == REFERENCE else 1.5,
        "dash": dashes.get(contestant, "solid"),
    }


def legend_of(
    result: PhononResult, shown: Sequence[Spectrum] | None = None
) -> tuple[LegendEntry, ...]:
    """Return one entry for each contestant; it shows or hides all that is its own.

    Parameters
    ----------
    result
        Of one crystal.
    shown
        Who is in the figure; none is everybody.
    """
    symbols = _SYMBOLS if _is_of_a_run(result) else {}
    return tuple(
        LegendEntry(
            key=one.contestant,
            label=one.title + ("" if one.is_stable else ", unstable"),
            colour=colour_of(result, one.contestant),
            symbol=symbols.get(one.contestant, "line"),
        )
        for one in (contestants(result) if shown is None else shown)
    )


def reference_name(result: PhononResult) -> str:
    """Return what the reference is called within a sentence."""
    found = result.spectrum(REFERENCE)
    return found.title if found else "the reference"


def lacks_modes(spectrum: Spectrum, settings: PhononSettings) -> bool:
    """Tell whether thermal curves leave out more than the acoustic modes at Γ."""
    if not spectrum.is_stable:
        return True
    if spectrum.thermal is None:
        return False
    n_modes = 3 * settings.n_atoms_primitive * math.prod(settings.mesh)
    return spectrum.thermal.share_left_out * n_modes > 3.5


AVERAGE_TEMPERATURE = 300.0
"""K; where thermal properties are compared."""

_LARGEST_DENOMINATOR = 12

_WITHOUT_REFERENCE = (
    "There is no reference, so the accuracy of these phonons is unknown."
)


def headline(result: PhononResult) -> str:
    """Return the result in one sentence.

    Parameters
    ----------
    result
        Of one crystal, with a reference or without.
    """
    subject = subject_errors(result)
    if subject is None:
        return _alone(result)
    name = reference_name(result)
    error = number_text(subject.frequency_mae, digits=2)
    text = f"{subject.title}: {error} THz from {name} on average"
    base = errors_of(result, "base")
    if base is not None and base is not subject:
        text += f" where the base is {number_text(base.frequency_mae, digits=2)}"
    return f"{text}; {_stability(result, subject, name)}."


def _stability(result: PhononResult, subject: PhononErrors, name: str) -> str:
    word = "stable" if subject.is_stable else "unstable"
    reference = result.spectrum(REFERENCE)
    if reference is None:
        return word
    if reference.is_stable == subject.is_stable:
        return f"{word}, as in {name}"
    return f"{word}, but {('stable' if reference.is_stable else 'unstable')} in {name}"


def _alone(result: PhononResult) -> str:
    shown = contestants(result)
    if not shown:
        return "No phonons were computed."
    joined = [one for one in shown if one.labels is not None and one.labels.shape]
    shown = joined or shown
    limit = threshold_text(result)
    unstable = [one for one in shown if not one.is_stable]
    if not unstable:
        names = ", ".join(one.title for one in shown)
        return f"Stable under {names}: no frequency below −{limit} THz."
    softest = min(unstable, key=lambda one: one.minimum)
    text = f"Unstable under {softest.title}: down to {number_text(softest.minimum)} THz"
    if softest.soft_modes:
        text += f" at q = {q_text(softest.soft_modes[0].q)}"
    return text + "."


def subject_errors(result: PhononResult) -> PhononErrors | None:
    """Return the errors that the page is about.

    Those of a combination with labels come first, then those of the adapted model.
    """
    found = [one for one in result.errors if one.baseline is None]
    for name in (JOINED.format("adapted"), JOINED.format("base"), "adapted"):
        if (subject := errors_of(result, name)) is not None:
            return subject
    return found[0] if found else None


def errors_of(result: PhononResult, contestant: str) -> PhononErrors | None:
    """Return the errors of one contestant, no baseline, or none."""
    found = (
        one
        for one in result.errors
        if one.contestant == contestant and one.baseline is None
    )
    return next(found, None)


def is_gain(one: PhononErrors, other: PhononErrors) -> bool:
    """Tell whether frequencies are better by a gain that counts."""
    return one.frequency_mae <= (1 - MIN_GAIN) * other.frequency_mae


def best_baseline(result: PhononResult) -> PhononErrors | None:
    """Return the scaled base that comes nearest to the reference, or none."""
    found = [one for one in result.errors if one.baseline is not None]
    return min(found, key=lambda one: one.frequency_mae, default=None)


def sentences(result: PhononResult) -> tuple[str, ...]:
    """Return what follows from the errors, in words; or that there are none."""
    subject = subject_errors(result)
    sure = [_sureness(one) for one in contestants(result) if one.labels is not None]
    if subject is None:
        return tuple(one for one in (_WITHOUT_REFERENCE, *sure) if one)
    name = reference_name(result)
    found = [_against_labels(result, subject), _against_baseline(result, subject)]
    found += sure
    if subject.free_energy_error is not None:
        error = signed_number(subject.free_energy_error)
        found.append(f"Free energy at 300 K: {error} meV/atom relative to {name}.")
    if subject.slope is not None:
        slope = number_text(subject.slope)
        found.append(
            f"Slope of forces against those of {name}: {slope} (below one: too soft)."
        )
    return tuple(one for one in found if one)


def _against_labels(result: PhononResult, subject: PhononErrors) -> str:
    """Compare a combination with what labels give without a model."""
    alone = errors_of(result, ALONE)
    if alone is None or subject is alone:
        return ""
    error = number_text(alone.frequency_mae, digits=2)
    text = f"The labels alone, fitted without a model, have an error of {error} THz; "
    if is_gain(subject, alone):
        return text + "the combination is better."
    return text + f"the combination is not better by {100 * MIN_GAIN:g} %."


def _sureness(one: Spectrum) -> str:
    """Say how uncertain the labels leave the frequencies."""
    labels = one.labels
    if labels is None or labels.frequency_deviation is None:
        return ""
    deviation = number_text(labels.frequency_deviation, digits=2)
    text = (
        f"{one.title}: expected error of the frequencies {deviation} THz on average"
        " (one standard deviation of the posterior)"
    )
    if labels.free_energy_deviation is not None:
        free = number_text(labels.free_energy_deviation, digits=2)
        text += f", of the free energy at 300 K {free} meV/atom"
    return text + "."


def _against_baseline(result: PhononResult, subject: PhononErrors) -> str:
    best = best_baseline(result)
    if best is None or subject.contestant != "adapted":
        return ""
    error = number_text(best.frequency_mae, digits=2)
    factor = "one number" if best.factor is None else number_text(best.factor)
    text = f"The base's force constants times {factor} have an error of {error} THz; "
    if is_gain(subject, best):
        return text + "the adapted model is better."
    if subject.frequency_mae < best.frequency_mae:
        return text + (
            f"the adapted model beats that by less than {100 * MIN_GAIN:g} %: it has "
            "hardly learned more."
        )
    return text + (
        "an adaptation that is not better has learned no more than that factor."
    )


def doubts(result: PhononResult) -> tuple[str, ...]:
    """Return what keeps numbers from meaning what they seem to."""
    found: list[str] = []
    for one in contestants(result):
        if not one.is_stable:
            found.append(_instability(one))
        elif lacks_modes(one, result.settings):
            found.append(
                f"{one.title}: the thermal curves leave out modes with imaginary "
                "frequencies."
            )
        if one.relaxation is not None:
            found += _relaxation_doubts(one.title, one.relaxation)
    if any(one.thermal and not one.is_stable for one in result.spectra):
        found.append(
            "Thermal curves of an unstable crystal leave out its imaginary modes "
            "and have no physical meaning."
        )
    return tuple(found)


def _instability(spectrum: Spectrum) -> str:
    return (
        f"{spectrum.title}: unstable, with frequencies down to "
        f"{number_text(spectrum.minimum)} THz."
    )


def threshold_text(result: PhononResult) -> str:
    """Return the frequency below minus which a crystal is unstable, without unit."""
    return f"{result.settings.threshold:g}"


def _relaxation_doubts(title: str, record: RelaxationRecord) -> list[str]:
    found: list[str] = []
    if not record.is_converged:
        found.append(
            f"{title}: the relaxation did not converge; after {record.n_steps} steps "
            f"the largest force is {number_text(record.largest_force)} eV/Å, "
            f"{number_text(record.threshold)} eV/Å was asked for."
        )
    if record.space_group_before != record.space_group_after:
        found.append(
            f"{title}: the relaxation changed the space group from "
            f"{record.space_group_before} to {record.space_group_after}."
        )
    return found


def q_text(q: Sequence[float]) -> str:
    """Return a q-point as fractions where it is made of some.

    Examples
    --------
    >>> q_text((0.5, 0.0, 1 / 3)), q_text((0.1234, 0.0, -0.25))
    ('(1/2 0 1/3)', '(0.123 0 −1/4)')
    """
    return f"({' '.join(map(_coordinate, q))})"


def _coordinate(value: float) -> str:
    near = Fraction(value).limit_denominator(_LARGEST_DENOMINATOR)
    is_fraction = abs(float(near) - value) < 1e-5
    text = str(near) if is_fraction else f"{value:z.3f}"
    return text.replace("-", "−")


def signed_number(value: float | None) -> str:
    """Return a number with its sign and three significant digits, or a dash.

    Examples
    --------
    >>> signed_number(0.0312), signed_number(-2.5), signed_number(0.0)
    ('+0.0312', '−2.50', '0')
    """
    if value is None:
        return "–"
    if value == 0 or not math.isfinite(value):
        return number_text(value)
    if is_plain(value):
        return signed_text(value, n_decimals=decimals(value))
    return ("+" if value > 0 else "") + number_text(value)
