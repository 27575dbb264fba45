"""Everything that a selection can choose from, seen by all its models."""

import dataclasses
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from ase import Atoms
from jaxtyping import Float

from atomgraft.core.errors import BadInputError
from atomgraft.data.readers import read_structures
from atomgraft.data.rehearsal.disturbances import bare
from atomgraft.label.descriptors import Description, describe
from atomgraft.label.kinds import propose
from atomgraft.label.monte_carlo import Progress
from atomgraft.label.picking import disagreement_of, forces_on, largest_forces
from atomgraft.label.proposals import Proposal
from atomgraft.label.spec import SelectSpec
from atomgraft.lattice.forces import require_known
from atomgraft.models.base import AbstractPotential
from atomgraft.phonons.crystals import read_crystal


@dataclasses.dataclass(frozen=True, kw_only=True)
class Pool:
    """What can be chosen.

    Parameters
    ----------
    crystal
        What proposals were made from.
    proposals
        One's own, and frames that were given.
    description
        Of the proposals, and behind them of the known structures.
    largest
        Largest predicted force on an atom of each proposal, eV/Å.
    disagreement
        Of the models about each proposal, eV/Å; none with one model.
    notices
        What the user should know.
    """

    crystal: Atoms
    proposals: tuple[Proposal, ...]
    description: Description
    largest: Float[np.ndarray, " pool"]
    disagreement: Float[np.ndarray, " pool"] | None
    notices: tuple[str, ...]

    @property
    def rows(self) -> Float[np.ndarray, "pool columns"]:
        """What the proposals look like."""
        return self.description.rows[: len(self.proposals)]

    @property
    def known(self) -> Float[np.ndarray, "known columns"]:
        """What the structures look like that have labels already."""
        return self.description.rows[len(self.proposals) :]


def gather(
    spec: SelectSpec,
    models: Sequence[AbstractPotential],
    progress: Progress | None = None,
) -> Pool:
    """Propose structures, read those that are given, and look at all of them.

    Parameters
    ----------
    spec
        What was asked.
    models
        The one to start from, and the rest of the committee.
    progress
        Called with what is done.

    Raises
    ------
    BadInputError
        The structure, a frame or an element cannot be used.
    """
    unit = read_crystal(spec.structure).atoms
    crystal = repeated(unit, spec.supercell)
    for model in models:
        require_known(model, [crystal])
    notices: list[str] = []
    given = [_given(one) for one in _frames(spec.pool, crystal, "pool", notices)]
    known = _frames(spec.known, crystal, "known", notices)
    made, notes = propose(
        crystal,
        models[0],
        dict.fromkeys(spec.kinds, spec.proposals),
        spec.amounts(),
        seed=spec.seed,
        progress=progress,
    )
    proposals = (*made, *given)
    structures = [one.atoms for one in proposals]
    forces = [forces_on(model, structures) for model in models]
    description = describe(models[0], [*structures, *known], n_scale=len(structures))
    return Pool(
        crystal=crystal,
        proposals=proposals,
        description=description,
        largest=largest_forces(forces[0]),
        disagreement=disagreement_of(forces) if len(models) > 1 else None,
        notices=(*notices, *notes, *_about(models, description)),
    )


def _about(models: Sequence[AbstractPotential], description: Description) -> list[str]:
    """Return what the user should know of the models."""
    notices = [
        f"{model.card.name} is untrained: what it says means nothing."
        for model in models
        if model.card.is_untrained
    ]
    if not description.is_models_own:
        notices.append(f"Distances are made from {description.words}.")
    return notices


def _given(frame: Atoms) -> Proposal:
    return Proposal(
        atoms=frame,
        kind=str(frame.info.get("config_type", "pool")),
        note=Path(str(frame.info["source"])).name,  # ends in "file, frame i"
    )


def _frames(
    files: Sequence[str], crystal: Atoms, what: str, notices: list[str]
) -> list[Atoms]:
    """Read frames of the crystal's elements; say where the composition is another."""
    frames = read_structures(files) if files else []
    own = set(crystal.numbers.tolist())
    ratio = crystal.symbols.formula.reduce()[0]
    others: Counter[str] = Counter()
    for one in frames:
        if set(one.numbers.tolist()) != own:
            raise BadInputError(
                f"{one.info['source']} is {one.get_chemical_formula()}, and the"
                f" structure is {crystal.get_chemical_formula()}.",
                f"The frames of the {what} must be of the same elements: distances"
                " are made element by element.",
                "Leave the frame out: FILE@START:STOP chooses frames.",
            )
        if (formula := one.symbols.formula.reduce()[0]) != ratio:
            others[str(formula)] += 1
    notices += [
        f"{n} frames of the {what} are {formula}, not {ratio}."
        for formula, n in others.items()
    ]
    return frames


MAX_ATOMS = 2000
"""Atoms of a supercell beyond which a mistake is likelier than a wish."""


def repeated(atoms: Atoms, repeats: tuple[int, int, int]) -> Atoms:
    """Return a supercell.

    Parameters
    ----------
    atoms
        The structure.
    repeats
        Along each cell vector.

    Raises
    ------
    BadInputError
        A number is below one, an open direction is repeated, or the supercell is
        too large.

    Examples
    --------
    >>> from ase.build import bulk
    >>> len(repeated(bulk("Si"), (2, 2, 2)))
    16
    """
    n_atoms = len(atoms) * int(np.prod(repeats))
    opens = [
        n
        for n, is_periodic in zip(repeats, atoms.pbc, strict=True)
        if n != 1 and not is_periodic
    ]
    if min(repeats) < 1 or opens or n_atoms > MAX_ATOMS:
        raise BadInputError(
            f"A supercell of {' x '.join(map(str, repeats))} was asked for: {n_atoms}"
            f" atoms, periodic in {int(atoms.pbc.sum())} directions.",
            f"Repeats of at least one along periodic directions, and {MAX_ATOMS} atoms"
            " at most, are needed.",
            "Write for example --supercell '2 2 2'.",
        )
    return bare(atoms.repeat(repeats))
