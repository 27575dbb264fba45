"""One structure that might be labelled, and how it was made."""

import dataclasses

from ase import Atoms

from atomgraft.core.errors import BadInputError
from atomgraft.data.rehearsal.disturbances import bare

N_DRAWS = 20
"""Times that a displacement is drawn again where it brings atoms too close."""

MAX_AMOUNT = 1e5
"""In any unit: of an amplitude, a strain or a temperature."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Proposal:
    """A structure without labels.

    Parameters
    ----------
    atoms
        Species, positions, cell, periodic directions; no labels.
    kind
        How it was made: a name in :data:`~atomgraft.label.kinds.KINDS`, or
        ``pool``.
    amplitude
        How far it was moved; none where nobody knows.
    unit
        Of the amplitude: ``Å``, ``K``, ``1`` for a strain; empty without one.
    note
        More about it, in words: the modes, the frame of a file.
    """

    atoms: Atoms
    kind: str
    amplitude: float | None = None
    unit: str = ""
    note: str = ""


def labelled_atoms(proposal: Proposal) -> Atoms:
    """Return a plain copy that says how it was made and holds no labels.

    Parameters
    ----------
    proposal
        ``config_type`` of the copy is its kind.

    Examples
    --------
    >>> proposal = Proposal(atoms=Atoms("H"), kind="rattle", amplitude=0.1, unit="Å")
    >>> labelled_atoms(proposal).info
    {'config_type': 'rattle', 'amplitude': 0.1}
    """
    atoms = bare(proposal.atoms)
    atoms.info["config_type"] = proposal.kind
    if proposal.amplitude is not None:
        atoms.info["amplitude"] = round(proposal.amplitude, 6)
    return atoms


def require_positive(
    values: tuple[float, ...], what: str, unit: str, most: float = MAX_AMOUNT
) -> None:
    """Check that amplitudes, strains or temperatures can be those of a crystal.

    Parameters
    ----------
    values
        At least one.
    what, unit
        Their name and unit, for the message.
    most
        More makes no crystal; a search for its neighbours might not end.

    Raises
    ------
    BadInputError
        There is none, or one is not.
    """
    wrong = [one for one in values if not 0 < one <= most]
    if wrong or not values:
        came = f"{what} of {wrong[0]:g} {unit}" if wrong else f"no {what}"
        raise BadInputError(
            f"To move atoms, {came.rstrip()} was given.",
            f"A number above zero, and {most:g} at most, is needed.",
            "Leave it out for the default, or give another.",
        )


def too_close(kind: str, amplitude: str) -> BadInputError:
    """Return the error for an amplitude that brings atoms onto each other.

    Parameters
    ----------
    kind
        What was proposed.
    amplitude
        How far, with its unit.
    """
    return BadInputError(
        f"Structures of the kind {kind} at {amplitude} bring atoms closer than they "
        f"come in matter, {N_DRAWS} draws in a row.",
        "Labels of such structures teach nothing about the material.",
        "Give a smaller amplitude or temperature.",
    )
