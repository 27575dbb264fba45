"""Who is on a page of phonons: order, colour, line and name of each contestant."""

import math
from collections.abc import Sequence

from atomgraft.page.blocks import LegendEntry
from atomgraft.page.wording import position
from atomgraft.phonons.record import REFERENCE, PhononResult, PhononSettings, Spectrum

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
