"""A selection from proposals to collected labels."""

import dataclasses
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from ase import Atoms
from jaxtyping import Float

from atomgraft.core.errors import BadInputError
from atomgraft.core.outputs import examine, held
from atomgraft.core.overlap import refuse_taken_file
from atomgraft.core.progress import Progress
from atomgraft.core.provenance import now
from atomgraft.core.seeding import numpy_generator
from atomgraft.core.storage import with_ending
from atomgraft.core.trust import NO_TRUST, Trust
from atomgraft.data.exact_files import write_exactly
from atomgraft.data.labels import structures_fingerprint
from atomgraft.data.readers import read_structures
from atomgraft.data.rehearsal.disturbances import bare
from atomgraft.label.collecting import Collected, collect
from atomgraft.label.dft_inputs import FOLDER, write_inputs
from atomgraft.label.kinds import propose
from atomgraft.label.phonon_choice import PhononChoice, Wanted, choose_for_phonons
from atomgraft.label.picking import (
    Description,
    Pick,
    describe,
    disagreement_of,
    forces_on,
    largest_forces,
    pick,
    principal_plane,
)
from atomgraft.label.proposals import Proposal, labelled_atoms
from atomgraft.label.record import (
    SELECTION,
    ChosenStructure,
    CrystalCard,
    DescriptorCard,
    PoolCard,
    PoolMap,
    PoolPoint,
    SelectionResult,
)
from atomgraft.label.spec import SelectSpec
from atomgraft.lattice.forces import require_known
from atomgraft.models.base import AbstractPotential
from atomgraft.phonons.crystals import read_crystal
from atomgraft.run.folders import inputs_of
from atomgraft.run.inputs import base_card, load_base
from atomgraft.run.record import Provenance
from atomgraft.study.sessions import Clock, provenance


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
    forces
        Of the first model on each proposal, eV/Å.
    notices
        What the user should know.
    """

    crystal: Atoms
    proposals: tuple[Proposal, ...]
    description: Description
    largest: Float[np.ndarray, " pool"]
    disagreement: Float[np.ndarray, " pool"] | None
    forces: tuple[Float[np.ndarray, "_ 3"], ...]
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
    forces = [forces_on(model, structures, progress) for model in models]
    if progress is not None:
        progress(f"{models[0].card.name}: features of structures", 0, 0)
    description = describe(models[0], [*structures, *known], n_scale=len(structures))
    return Pool(
        crystal=crystal,
        proposals=proposals,
        description=description,
        largest=largest_forces(forces[0]),
        disagreement=disagreement_of(forces) if len(models) > 1 else None,
        forces=tuple(forces[0]),
        notices=(*notices, *notes, *_about(models, description)),
    )


def _about(models: Sequence[AbstractPotential], description: Description) -> list[str]:
    """Return notices about the models."""
    notices = [
        f"{model.card.name} is untrained: its predictions have no meaning."
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
                f"Expected frames of the {what} with the same elements, because "
                "distances are computed per element.",
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
            "Expected repeats of at least one along periodic directions, and at "
            f"most {MAX_ATOMS} atoms.",
            "For example: --supercell '2 2 2'.",
        )
    return bare(atoms.repeat(repeats))


STRUCTURES = "select.extxyz"


def select(
    spec: SelectSpec,
    folder: Path,
    *,
    trust: Trust = NO_TRUST,
    progress: Progress | None = None,
) -> SelectionResult:
    """Propose structures, choose among them, and write them with ready inputs.

    Parameters
    ----------
    spec
        What was asked.
    folder
        Takes ``select.extxyz``, ``select.json`` and ``label/``; must hold no other
        selection.
    trust
        Which checkpoints may run code.
    progress
        Called with what is done.

    Raises
    ------
    BadInputError
        Something cannot be used as it is; nothing is written.
    """
    clock = Clock(started=now(), counter=time.perf_counter())
    read = inputs_of(spec)
    examine(folder, "select", inputs=read)
    _refuse_earlier(folder)
    models = [
        load_base(spec.model, head=spec.head, trust=trust, kernels=spec.kernels),
        *(
            load_base(name, trust=trust, kernels=spec.kernels)
            for name in spec.committee
        ),
    ]
    pool = gather(spec, models, progress)
    choice = None
    if spec.rule == "phonons":
        choice = choose_for_phonons(
            pool.crystal,
            models[0],
            pool.proposals,
            pool.forces,
            Wanted(count=spec.count, target=spec.target, known=spec.known),
            progress,
        )
    order = () if choice is None else choice.order
    picks = pick(
        pool.rows,
        len(order) or spec.count,
        rule=spec.rule,
        known=pool.known if len(pool.known) else None,
        disagreement=pool.disagreement,
        order=order,
        generator=numpy_generator(spec.seed, "select", "pick"),
    )
    chosen = [labelled_atoms(pool.proposals[one.index]) for one in picks]
    with held(folder, "select", inputs=read):
        write_exactly(folder / STRUCTURES, chosen)
        notes = write_inputs(
            folder, chosen, spec.inputs, spec.settings(models[0].card.level)
        )
        dtype = str(models[0].dtype).removeprefix("torch.")
        origin = provenance("select", clock, models[0].device, dtype, models[0].kernels)
        result = _result(spec, models, pool, picks, notes, origin)
        if choice is not None:
            result = _with_errors(result, choice)
        SELECTION.write(folder, result)
    return result


def _refuse_earlier(folder: Path) -> None:
    taken = [
        one for one in (SELECTION.file, STRUCTURES, FOLDER) if (folder / one).exists()
    ]
    if taken:
        raise BadInputError(
            f"{folder} holds {taken[0]} of an earlier selection.",
            "A folder holds one selection, and there may be labels in this one.",
            "Choose another folder with --out, or remove this one.",
        )


def _result(
    spec: SelectSpec,
    models: Sequence[AbstractPotential],
    pool: Pool,
    picks: Sequence[Pick],
    notes: Sequence[str],
    origin: Provenance,
) -> SelectionResult:
    cards = [base_card(one, one.weights_hash()) for one in models]
    description = pool.description
    return SelectionResult(
        spec=spec.model_dump(mode="json"),
        crystal=CrystalCard(
            file=spec.structure,
            formula=pool.crystal.get_chemical_formula(),
            n_atoms=len(pool.crystal),
            supercell=spec.supercell,
            fingerprint=structures_fingerprint([pool.crystal]),
        ),
        model=cards[0],
        committee=tuple(cards[1:]),
        pool=_pool_cards(pool, picks),
        n_known=len(pool.known),
        descriptor=DescriptorCard(
            words=description.words,
            n_features=description.n_features,
            is_models_own=description.is_models_own,
        ),
        chosen=_chosen(pool, picks),
        map=_map(pool, picks),
        inputs=spec.inputs,
        notices=(*pool.notices, *notes),
        provenance=origin,
    )


def _with_errors(result: SelectionResult, choice: PhononChoice) -> SelectionResult:
    """Return a selection with the errors of frequencies that labels will leave."""
    design = choice.design
    chosen = tuple(
        one.model_copy(update={"expected_error": step.error})
        for one, step in zip(result.chosen, design.steps, strict=True)
    )
    told = {"chosen": chosen, "expected_error": design.before}
    return result.model_copy(
        update=told | {"notices": (*result.notices, *choice.notices)}
    )


def _pool_cards(pool: Pool, picks: Sequence[Pick]) -> tuple[PoolCard, ...]:
    taken = Counter(pool.proposals[one.index].kind for one in picks)
    there = Counter(one.kind for one in pool.proposals)
    return tuple(
        PoolCard(kind=kind, n=n, n_chosen=taken[kind]) for kind, n in there.items()
    )


def _chosen(pool: Pool, picks: Sequence[Pick]) -> tuple[ChosenStructure, ...]:
    return tuple(
        ChosenStructure(
            number=number,
            index=one.index,
            kind=proposal.kind,
            amplitude=proposal.amplitude,
            unit=proposal.unit,
            note=proposal.note,
            formula=proposal.atoms.get_chemical_formula(),
            n_atoms=len(proposal.atoms),
            distance=one.distance,
            max_force=float(pool.largest[one.index]),
            disagreement=None
            if pool.disagreement is None
            else float(pool.disagreement[one.index]),
        )
        for number, one in enumerate(picks, start=1)
        for proposal in [pool.proposals[one.index]]
    )


def _map(pool: Pool, picks: Sequence[Pick]) -> PoolMap:
    points, shares = principal_plane(pool.description.rows)
    numbers = {one.index: number for number, one in enumerate(picks, start=1)}
    n = len(pool.proposals)
    return PoolMap(
        shares=shares,
        points=tuple(
            PoolPoint(x=float(x), y=float(y), kind=one.kind, number=numbers.get(i))
            for i, ((x, y), one) in enumerate(
                zip(points[:n], pool.proposals, strict=True)
            )
        ),
        known=tuple((float(x), float(y)) for x, y in points[n:]),
    )


def collect_labels(folder: Path, target: Path, *, overwrite: bool = False) -> Collected:
    """Read the finished labels of a selection back and write them as one file.

    Parameters
    ----------
    folder
        Of the selection.
    target
        The file; ends in ``.extxyz``.
    overwrite
        Replace a file that is there and no part of the selection.

    Raises
    ------
    BadInputError
        The folder holds no selection, no label is finished, an output belongs to
        another structure, or the file's name does not fit.
    """
    SELECTION.read(folder)
    if target.suffix != ".extxyz":
        raise BadInputError(
            f"The labels cannot be written to {target}.",
            "Expected a file name ending in .extxyz.",
            f"For example: --collect {with_ending(target, '.extxyz')}.",
        )
    refuse_taken_file(target, overwrite=overwrite, inputs=[folder])
    collected = collect(folder, read_structures([folder / STRUCTURES]))
    write_exactly(target, collected.structures)
    return collected
