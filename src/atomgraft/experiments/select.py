"""A selection from start to end: propose, describe, choose, write."""

import dataclasses
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated

import numpy as np
from ase import Atoms
from jaxtyping import Float
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from atomgraft.core.errors import BadInputError
from atomgraft.core.provenance import now
from atomgraft.core.seeding import numpy_generator
from atomgraft.core.storage import locked, make_folder
from atomgraft.data.exact_files import write_exactly
from atomgraft.data.geometry import check_geometry
from atomgraft.data.labels import structures_fingerprint
from atomgraft.data.readers import read_structures
from atomgraft.experiments.crystals import read_crystal
from atomgraft.experiments.inputs import base_card, load_base
from atomgraft.experiments.sessions import Clock, provenance
from atomgraft.experiments.spec import problems_of
from atomgraft.labelling.collecting import Collected, collect
from atomgraft.labelling.descriptors import Description, describe, principal_plane
from atomgraft.labelling.dft_inputs import FOLDER, PROGRAMS, DftSettings, write_inputs
from atomgraft.labelling.disagreement import (
    disagreement_of,
    forces_on,
    largest_forces,
)
from atomgraft.labelling.kinds import KINDS, Amounts, parse_kinds, propose
from atomgraft.labelling.picking import Pick, Rule, pick
from atomgraft.labelling.proposals import Proposal, labelled_atoms
from atomgraft.labelling.repeats import repeated
from atomgraft.lattice.forces import require_known
from atomgraft.models.base import AbstractPotential
from atomgraft.results.selection import (
    SELECTION,
    ChosenStructure,
    CrystalCard,
    DescriptorCard,
    PoolCard,
    PoolMap,
    PoolPoint,
    SelectionResult,
    read_selection,
    write_selection,
)

STRUCTURES = "select.extxyz"

Progress = Callable[[str, int, int], None]
"""Called with what is done, steps done and steps in all."""


class SelectSpec(BaseModel):
    """What to choose from, how, and how many.

    ``kinds`` of one's own proposals and ``pool`` of given frames may both be there.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    structure: str
    model: str
    head: str | None = None
    count: int = 10
    kinds: tuple[str, ...] = tuple(KINDS)
    proposals: Annotated[int, Field(ge=1, le=10_000)] = 20
    """Of each kind."""
    pool: tuple[str, ...] = ()
    """Files of frames to choose from; their labels, if any, are not looked at."""
    known: tuple[str, ...] = ()
    """Files of structures that have labels: the chosen keep away from them."""
    committee: tuple[str, ...] = ()
    """Further models, for disagreement."""
    rule: Rule = "distance"
    supercell: tuple[int, int, int] = (1, 1, 1)
    amplitudes: tuple[float, ...] = Amounts.amplitudes
    strains: tuple[float, ...] = Amounts.strains
    temperature: float = Amounts.temperature
    distance: float = Amounts.distance
    inputs: tuple[str, ...] = tuple(PROGRAMS)
    functional: str = DftSettings.functional
    cutoff: float = DftSettings.cutoff
    k_spacing: float = DftSettings.k_spacing
    seed: Annotated[int, Field(ge=0)] = 0

    def amounts(self) -> Amounts:
        """Return how far atoms are moved."""
        return Amounts(
            amplitudes=self.amplitudes,
            strains=self.strains,
            temperature=self.temperature,
            distance=self.distance,
        )

    def settings(self) -> DftSettings:
        """Return what the programs that label are told."""
        return DftSettings(
            functional=self.functional, cutoff=self.cutoff, k_spacing=self.k_spacing
        )


def parse_select(document: dict[str, object]) -> SelectSpec:
    """Validate what was asked.

    Parameters
    ----------
    document
        Keys of `SelectSpec`.

    Raises
    ------
    BadInputError
        A key or a value cannot be used.

    Examples
    --------
    >>> parse_select({"structure": "POSCAR", "model": "7net-0"}).count
    10
    """
    try:
        spec = SelectSpec.model_validate(document)
    except ValidationError as error:
        raise BadInputError(
            f"This is no selection: {problems_of(error)}.",
            "Every key must be known and every value in range.",
            "See 'atomgraft select --help'.",
        ) from error
    spec.amounts()
    spec.settings()
    for name in spec.inputs:
        PROGRAMS[name]  # raises where it is unknown
    if spec.kinds or not spec.pool:
        parse_kinds(spec.kinds)
    _refuse_unused(spec)
    return spec


def _refuse_unused(spec: SelectSpec) -> None:
    """Check that a committee and the rule that needs it come together."""
    needs_others = spec.rule in {"disagreement", "both"}
    if needs_others and not spec.committee:
        raise BadInputError(
            f"The rule {spec.rule!r} was asked for, and there is one model.",
            "Disagreement needs two models or more.",
            "Give others with --committee, or choose by distance.",
        )


@dataclasses.dataclass(frozen=True, kw_only=True)
class _Pool:
    """What can be chosen, seen by all models."""

    proposals: list[Proposal]
    description: Description
    known_rows: Float[np.ndarray, "known columns"]
    largest: Float[np.ndarray, " pool"]
    disagreement: Float[np.ndarray, " pool"] | None

    @property
    def rows(self) -> Float[np.ndarray, "pool columns"]:
        """What the structures of the pool look like."""
        return self.description.rows[: len(self.proposals)]


def select(
    spec: SelectSpec,
    folder: Path,
    *,
    trust: bool = False,
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
        Allow a checkpoint that cannot be read as plain data.
    progress
        Called with what is done.

    Raises
    ------
    BadInputError
        Something cannot be used as it is; nothing is written.
    """
    clock = Clock(started=now(), counter=time.perf_counter())
    _refuse_earlier(folder)
    unit = read_crystal(spec.structure).atoms
    check_geometry(unit, spec.structure)
    crystal = repeated(unit, spec.supercell)
    models = [
        load_base(spec.model, head=spec.head, trust=trust),
        *(load_base(name, trust=trust) for name in spec.committee),
    ]
    for model in models:
        require_known(model, [crystal])
    proposals, notices = _proposals(spec, crystal, models[0], progress)
    known = _frames(spec.known, crystal, "known", notices)
    pool = _seen(proposals, known, models)
    if not pool.description.is_models_own:
        notices.append(f"Distances are made from {pool.description.words}.")
    notices += [
        f"{model.card.name} is untrained: what it says means nothing."
        for model in models
        if model.card.is_untrained
    ]
    picks = pick(
        pool.rows,
        spec.count,
        rule=spec.rule,
        known=pool.known_rows if len(known) else None,
        disagreement=pool.disagreement,
        generator=numpy_generator(spec.seed, "select", "pick"),
    )
    chosen = [labelled_atoms(proposals[one.index]) for one in picks]
    make_folder(folder)
    with locked(folder):
        write_exactly(folder / STRUCTURES, chosen)
        notices += write_inputs(folder, chosen, spec.inputs, spec.settings())
        result = SelectionResult(
            spec=spec.model_dump(mode="json"),
            crystal=_crystal_card(spec, crystal),
            model=base_card(models[0], models[0].weights_hash()),
            committee=tuple(base_card(one, one.weights_hash()) for one in models[1:]),
            pool=_pool_cards(proposals, picks),
            n_known=len(known),
            descriptor=DescriptorCard(
                words=pool.description.words,
                n_features=pool.description.n_features,
                is_models_own=pool.description.is_models_own,
            ),
            chosen=_chosen(pool, picks),
            map=_map(pool, picks),
            inputs=spec.inputs,
            notices=tuple(notices),
            provenance=provenance(
                "select", clock, models[0].device, str(models[0].dtype).split(".")[-1]
            ),
        )
        write_selection(folder, result)
    return result


def _refuse_earlier(folder: Path) -> None:
    taken = [one for one in (SELECTION, STRUCTURES, FOLDER) if (folder / one).exists()]
    if taken:
        raise BadInputError(
            f"{folder} holds {taken[0]} of an earlier selection.",
            "Labels may have been computed there, and one folder holds one selection.",
            "Give another folder with --out, or remove this one.",
        )


def _proposals(
    spec: SelectSpec,
    crystal: Atoms,
    model: AbstractPotential,
    progress: Progress | None,
) -> tuple[list[Proposal], list[str]]:
    """Return everything that can be chosen, and what the user should know of it."""
    notices: list[str] = []
    frames = _frames(spec.pool, crystal, "pool", notices)
    proposals, made = propose(
        crystal,
        model,
        dict.fromkeys(spec.kinds, spec.proposals),
        spec.amounts(),
        seed=spec.seed,
        progress=progress,
    )
    given = [
        Proposal(
            atoms=one,
            kind=str(one.info.get("config_type", "pool")),
            note=Path(str(one.info["source"])).name,  # ends in "file, frame i"
        )
        for one in frames
    ]
    return [*proposals, *given], [*notices, *made]


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


def _seen(
    proposals: Sequence[Proposal],
    known: Sequence[Atoms],
    models: Sequence[AbstractPotential],
) -> _Pool:
    """Describe the pool, and predict forces on it with all models."""
    structures = [one.atoms for one in proposals]
    forces = [forces_on(model, structures) for model in models]
    description = describe(models[0], [*structures, *known], n_scale=len(structures))
    return _Pool(
        proposals=list(proposals),
        description=description,
        known_rows=description.rows[len(structures) :],
        largest=largest_forces(forces[0]),
        disagreement=disagreement_of(forces) if len(models) > 1 else None,
    )


def _crystal_card(spec: SelectSpec, crystal: Atoms) -> CrystalCard:
    return CrystalCard(
        file=spec.structure,
        formula=crystal.get_chemical_formula(),
        n_atoms=len(crystal),
        supercell=spec.supercell,
        fingerprint=structures_fingerprint([crystal]),
    )


def _pool_cards(
    proposals: Sequence[Proposal], picks: Sequence[Pick]
) -> tuple[PoolCard, ...]:
    taken = Counter(proposals[one.index].kind for one in picks)
    there = Counter(one.kind for one in proposals)
    return tuple(
        PoolCard(kind=kind, n=n, n_chosen=taken[kind]) for kind, n in there.items()
    )


def _chosen(pool: _Pool, picks: Sequence[Pick]) -> tuple[ChosenStructure, ...]:
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


def _map(pool: _Pool, picks: Sequence[Pick]) -> PoolMap:
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


def collect_labels(folder: Path, target: Path) -> Collected:
    """Read the finished labels of a selection back and write them as one file.

    Parameters
    ----------
    folder
        Of the selection.
    target
        The file; ends in ``.extxyz``.

    Raises
    ------
    BadInputError
        The folder holds no selection, no label is finished, an output belongs to
        another structure, or the file's name does not fit.
    """
    read_selection(folder)
    if target.suffix != ".extxyz":
        raise BadInputError(
            f"Labels were to be written to {target}.",
            "A file ending in .extxyz is needed.",
            f"Write for example --collect {target.with_suffix('.extxyz')}.",
        )
    collected = collect(folder, read_structures([folder / STRUCTURES]))
    write_exactly(target, collected.structures)
    return collected
