"""What is rehearsed: source data, or structures labelled by the source itself."""

from collections import Counter
from collections.abc import Sequence

import numpy as np
from ase import Atoms

from atomgraft.adaptation.axes import FisherDistance, PseudoLabels, SourceData
from atomgraft.core.errors import BadInputError
from atomgraft.core.progress import Progress, told
from atomgraft.core.seeding import numpy_generator
from atomgraft.data.checks.findings import is_isolated_atom
from atomgraft.data.labels import count_labels, set_labels
from atomgraft.data.readers import read_structures
from atomgraft.data.rehearsal.proposals import propose_rehearsal
from atomgraft.models.base import AbstractPotential
from atomgraft.models.prediction import predict_structures
from atomgraft.run.record import RehearsalRecord
from atomgraft.run.spec import RunSpec

KIND = "rehearsal"
"""Key of ``info`` that says where a rehearsed structure comes from."""


def read_rehearsal(
    spec: RunSpec,
    base: AbstractPotential,
    train: Sequence[Atoms],
    progress: Progress | None = None,
) -> tuple[Atoms, ...]:
    """Return what is rehearsed, with labels on the source's own energy scale.

    Parameters
    ----------
    spec
        The run; its third axis says what is wanted.
    base
        The source; labels structures where the user has no data.
    train
        The user's structures, whose relatives are rehearsed.
    progress
        Is told how many structures the source has labelled.

    Raises
    ------
    BadInputError
        Nothing is left to rehearse, or a file cannot be used.
    """
    wanted = spec.axes.rehearses
    if isinstance(wanted, PseudoLabels):
        return _labelled(_proposed(spec, base, train, wanted.count), base, progress)
    if isinstance(wanted, SourceData):
        return _drawn(spec, base, wanted)
    return ()


def propose_anchors(
    spec: RunSpec, base: AbstractPotential, train: Sequence[Atoms]
) -> tuple[Atoms, ...]:
    """Return the structures on which Fisher information is measured, if it is."""
    pulls = spec.axes.pulls
    if not isinstance(pulls, FisherDistance):
        return ()
    return _proposed(spec, base, train, pulls.count)


def _proposed(
    spec: RunSpec, base: AbstractPotential, train: Sequence[Atoms], n: int
) -> tuple[Atoms, ...]:
    return propose_rehearsal(
        train,
        elements=base.elements,
        n=n,
        generator=numpy_generator(spec.seed, "rehearsal"),
    )


def _labelled(
    structures: Sequence[Atoms],
    base: AbstractPotential,
    progress: Progress | None,
) -> tuple[Atoms, ...]:
    """Let the source label structures with all it knows."""
    what = "labelling what is rehearsed"
    found = predict_structures(base, structures)
    predictions = told(found, what, len(structures), progress)
    for atoms, one in zip(structures, predictions, strict=True):
        set_labels(atoms, energy=one.energy, forces=one.forces, stress=one.stress)
    return tuple(structures)


def _drawn(
    spec: RunSpec, base: AbstractPotential, wanted: SourceData
) -> tuple[Atoms, ...]:
    """Draw labelled structures of the source's data that it can see."""
    found = [
        atoms
        for atoms in read_structures(wanted.files)
        if base.elements.issuperset(atoms.numbers.tolist())
        and not is_isolated_atom(atoms)
    ]
    count = count_labels(found)
    if not (count.n_energies or count.n_forces or count.n_stresses):
        raise BadInputError(
            f"No frame of {', '.join(wanted.files)} can be used for replay: none "
            f"has labels and only elements that {spec.base_words} supports.",
            "Expected labelled structures of the data that the base was trained on.",
            "Name other files under axes.rehearses.files, or set rehearses to "
            "{kind: pseudo}.",
        )
    n = min(wanted.count or len(found), len(found))
    generator = numpy_generator(spec.seed, "rehearsal")
    order = np.sort(generator.permutation(len(found))[:n])
    for i in order:
        found[i].info[KIND] = "data"
    return tuple(found[i] for i in order)


def rehearsal_record(spec: RunSpec, found: Sequence[Atoms]) -> RehearsalRecord | None:
    """Return the record of what is rehearsed, if anything is."""
    wanted = spec.axes.rehearses
    if wanted is None:
        return None
    by_kind = Counter(str(atoms.info[KIND]) for atoms in found)
    origin = (
        f"labelled by {spec.base_words} at the start"
        if isinstance(wanted, PseudoLabels)
        else f"from {', '.join(wanted.files)}"
    )
    return RehearsalRecord(
        kind=wanted.kind,
        n_structures=len(found),
        n_by_kind=dict(sorted(by_kind.items())),
        note=f"{len(found)} structures, {origin}; {wanted.ratio:g} for each of yours",
    )
