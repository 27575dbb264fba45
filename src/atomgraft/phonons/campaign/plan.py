"""From the spec of a campaign to its cells: training and test materials."""

import dataclasses
import json
from collections.abc import Iterator, Sequence
from pathlib import Path

from atomgraft.compare.spec import Entrant
from atomgraft.core.errors import BadInputError
from atomgraft.core.provenance import fingerprint
from atomgraft.core.seeding import numpy_generator
from atomgraft.core.trust import NO_TRUST, Trust
from atomgraft.data.splits import nested_order
from atomgraft.phonons.campaign.materials import (
    Material,
    balanced_folds,
    listed,
    read_materials,
)
from atomgraft.phonons.campaign.record import BASE
from atomgraft.phonons.campaign.spec import HALF, PhononCampaignSpec
from atomgraft.phonons.supercell_choice import chosen_supercells
from atomgraft.run.inputs import base_card, load_base
from atomgraft.run.record import BaseCard
from atomgraft.training.devices import resolve_device

DETAIL = "detail--"
"""How the names of cells with bands begin."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class PlannedTraining:
    """One adaptation.

    Parameters
    ----------
    stem
        The material, or the fold, that it is for.
    entrant
        The recipe with its settings.
    seed
        Of the run, and of what is drawn.
    supercells
        By material: numbers of the displaced supercells; none takes all.
    n_labels
        How many these are in all.
    """

    stem: str
    entrant: Entrant
    seed: int
    supercells: dict[str, tuple[int, ...] | None]
    n_labels: int

    @property
    def name(self) -> str:
        """Name of its cell."""
        return f"train--{self.stem}--{self.entrant.name}-s{self.seed}"


@dataclasses.dataclass(frozen=True, kw_only=True)
class CampaignPlan:
    """A campaign before it runs.

    Parameters
    ----------
    spec
        What was asked.
    materials
        What was read; each with its fold, where there are folds.
    base
        The model to start from.
    trainings
        What is adapted.
    notices
        What the user should know before it starts.
    """

    spec: PhononCampaignSpec
    materials: tuple[Material, ...]
    base: BaseCard
    trainings: tuple[PlannedTraining, ...]
    notices: tuple[str, ...]

    @property
    def judged(self) -> tuple[Material, ...]:
        """The materials that the base knows."""
        return tuple(one for one in self.materials if one.card.reason is None)

    def training_for(
        self, material: Material, entrant: Entrant, seed: int
    ) -> PlannedTraining | None:
        """Return the adaptation that judges a material, or none if there is none.

        Parameters
        ----------
        material
            To be judged.
        entrant
            The recipe.
        seed
            Of the adaptation.
        """
        fold = material.card.fold
        stem = material.name if self.spec.mode == "each" else _fold_name(fold or 0)
        wanted = (stem, entrant.name, seed)
        found = (
            one
            for one in self.trainings
            if (one.stem, one.entrant.name, one.seed) == wanted
        )
        return next(found, None)

    def labels_of(self, material: Material, seed: int) -> tuple[int, ...]:
        """Return the supercells of a material whose labels its adaptations are given.

        Parameters
        ----------
        material
            Of the campaign.
        seed
            Of the adaptations; all recipes are given the same.

        Returns
        -------
        :
            Empty with one adaptation for all, and where there is no strict subset.
        """
        if self.spec.mode != "each":
            return ()
        wanted = material.name, seed
        found = (one for one in self.trainings if (one.stem, one.seed) == wanted)
        training = next(found, None)
        return () if training is None else training.supercells[material.name] or ()

    def pseudo_labelled_material(self, training: PlannedTraining) -> Material | None:
        """Return the material whose supercells without labels are trained on as well.

        Parameters
        ----------
        training
            An adaptation.

        Returns
        -------
        :
            None where there is no such material; see :func:`has_pseudo_labels`.
        """
        found = (one for one in self.materials if one.name == training.stem)
        material = next(found, None)
        if material is None or not has_pseudo_labels(self.spec, material):
            return None
        return material


def plan_phonon_campaign(
    spec: PhononCampaignSpec, *, trust: Trust = NO_TRUST
) -> CampaignPlan:
    """Read and check everything, and say what will be adapted; nothing is written.

    Parameters
    ----------
    spec
        The campaign.
    trust
        Which checkpoints may run code.

    Raises
    ------
    BadInputError
        Something cannot be used as it is.
    """
    base = load_base(spec.base, head=spec.head, trust=trust, kernels=spec.kernels)
    resolve_device(spec.device)
    materials, notices = read_materials(
        Path(spec.folder), symprec=spec.symprec, known=base.elements
    )
    known = [one for one in materials if one.card.reason is None]
    if not known:
        raise BadInputError(
            f"The base {spec.base} supports none of the {len(materials)} materials "
            f"in {spec.folder}.",
            "It must support all elements of at least one material.",
            "Choose another base with --model.",
        )
    strange = [one.name for one in materials if one.card.reason is not None]
    if strange:
        notices += (
            "Left out, because the base does not support all elements: "
            f"{listed(strange)}.",
        )
    if spec.recipes and spec.mode == "all":
        materials = _in_folds(spec, materials)
    plan = CampaignPlan(
        spec=spec,
        materials=materials,
        base=base_card(base, base.weights_hash()),
        trainings=(),
        notices=(*notices, *_without_pseudo_labels(spec, known)),
    )
    plan = dataclasses.replace(plan, trainings=_trainings(plan))
    return dataclasses.replace(plan, notices=(*plan.notices, *_same_labels(plan)))


def _same_labels(plan: CampaignPlan) -> Iterator[str]:
    """Yield a word where seeds do not draw what is labelled."""
    spec = plan.spec
    if not spec.recipes or spec.mode != "each" or len(spec.seeds) < 2:
        return
    same = [
        one.name
        for one in plan.judged
        if plan.labels_of(one, spec.seeds[0])
        and len({plan.labels_of(one, seed) for seed in spec.seeds}) == 1
    ]
    if same:
        yield (
            f"All seeds label the same supercells of {listed(same)}: the rule "
            "leaves no choice. There the seeds differ in the training only."
        )


def has_pseudo_labels(spec: PhononCampaignSpec, material: Material) -> bool:
    """Tell whether supercells without labels train as the base answers them.

    Not where nobody asked for it, and not where those answers could not train as
    differences: with ``differences: never``, and where supercells displace many atoms,
    or one of them far.

    Parameters
    ----------
    spec
        The campaign.
    material
        One of its materials.
    """
    is_wanted = spec.pseudo_labels and spec.mode == "each"
    can_train = spec.training.differences != "never"
    return is_wanted and can_train and material.can_be_answered


def _without_pseudo_labels(
    spec: PhononCampaignSpec, materials: Sequence[Material]
) -> Iterator[str]:
    """Yield what a user who counts on pseudo-labels should know."""
    if not (spec.pseudo_labels and spec.recipes and spec.mode == "each"):
        return
    if spec.training.differences == "never":
        yield "Trained on labels only: pseudo-labels need force differences."
        return
    bare = [
        one.name
        for one in materials
        if one.card.has_reference and not one.can_be_answered
    ]
    if bare:
        yield (
            "Trained on labels only, because a supercell displaces many atoms, or "
            f"one atom by much: {listed(bare)}."
        )


def _in_folds(
    spec: PhononCampaignSpec, materials: Sequence[Material]
) -> tuple[Material, ...]:
    """Deal the materials that the base knows out to folds."""
    known = [one for one in materials if one.card.reason is None]
    groups = [one.card.family if spec.keeps_families else one.name for one in known]
    rng = numpy_generator(spec.seeds[0], "folds")
    folds = balanced_folds(groups, spec.folds, rng)
    fold_of = {one.name: fold for one, fold in zip(known, folds, strict=True)}
    return tuple(
        dataclasses.replace(
            one, card=one.card.model_copy(update={"fold": fold_of.get(one.name)})
        )
        for one in materials
    )


def _fold_name(fold: int) -> str:
    return f"fold-{fold + 1}"


def _trainings(plan: CampaignPlan) -> tuple[PlannedTraining, ...]:
    """Return all adaptations, one whole seed after the other."""
    spec = plan.spec
    if not spec.recipes:
        return ()
    make = _each if spec.mode == "each" else _all
    return tuple(
        one
        for seed in spec.seeds
        for entrant in spec.recipes
        for one in make(plan, entrant, seed)
    )


def _each(plan: CampaignPlan, entrant: Entrant, seed: int) -> list[PlannedTraining]:
    """Adapt on a strict subset of every material's own supercells."""
    _refuse_unlabelled(plan.judged)
    _refuse_too_many(plan)
    return [
        PlannedTraining(
            stem=one.name,
            entrant=entrant,
            seed=seed,
            supercells={one.name: chosen},
            n_labels=len(chosen),
        )
        for one in plan.judged
        if (chosen := drawn_supercells(plan.spec, one, seed))
    ]


def _all(plan: CampaignPlan, entrant: Entrant, seed: int) -> list[PlannedTraining]:
    """Adapt on all materials but those of a fold, for every fold."""
    found: list[PlannedTraining] = []
    for fold in sorted({one.card.fold or 0 for one in plan.judged}):
        seen = [
            one
            for one in plan.judged
            if one.card.fold != fold and one.card.has_reference
        ]
        if not seen:
            raise BadInputError(
                f"There is no material with forces to train on in fold {fold + 1}.",
                "One adaptation for all needs calculations in at least two folds.",
                "Add phonopy calculations, or leave --recipe out.",
            )
        supercells = {one.name: _share_of_all(plan.spec, one, seed) for one in seen}
        counts = {one.name: one.card.n_supercells for one in seen}
        found.append(
            PlannedTraining(
                stem=_fold_name(fold),
                entrant=entrant,
                seed=seed,
                supercells=supercells,
                n_labels=sum(
                    counts[name] if chosen is None else len(chosen)
                    for name, chosen in supercells.items()
                ),
            )
        )
    return found


def drawn_supercells(
    spec: PhononCampaignSpec, material: Material, seed: int
) -> tuple[int, ...]:
    """Return a strict subset of a material's displaced supercells.

    Parameters
    ----------
    spec
        Knows how many.
    material
        With forces.
    seed
        Decides among those that are worth as much; see
        :func:`atomgraft.phonons.supercell_choice.chosen_supercells`.

    Returns
    -------
    :
        In rising order; empty where a single supercell has no strict subset.
    """
    n_there = material.card.n_supercells
    asked = HALF if spec.labels is None else spec.labels
    n = asked if isinstance(asked, int) else max(1, round(asked * n_there))
    n = min(n, n_there - 1)
    return _drawn(material, seed, n, is_rest_answered=has_pseudo_labels(spec, material))


def _drawn(
    material: Material, seed: int, n: int, *, is_rest_answered: bool
) -> tuple[int, ...]:
    """Draw supercells: the seed decides among equals."""
    rng = numpy_generator(seed, "supercells", material.name)
    teams = [material.teams[i] for i in nested_order(len(material.teams), rng)]
    return chosen_supercells(teams, n, is_rest_answered=is_rest_answered)


def _share_of_all(
    spec: PhononCampaignSpec, material: Material, seed: int
) -> tuple[int, ...] | None:
    """Return what one adaptation for all takes of a material; none is everything."""
    n_there, asked = material.card.n_supercells, spec.labels
    if asked is None:
        return None
    n = asked if isinstance(asked, int) else max(1, round(asked * n_there))
    if n >= n_there:
        return None
    return _drawn(material, seed, n, is_rest_answered=False)


def _refuse_unlabelled(materials: Sequence[Material]) -> None:
    bare = [one.name for one in materials if not one.card.has_reference]
    if bare:
        raise BadInputError(
            f"No forces are known for {listed(bare)}.",
            "Adapting to each material needs its displaced supercells with forces.",
            "Remove these structures from the folder, use --mode all, or leave "
            "--recipe out.",
        )


def _refuse_too_many(plan: CampaignPlan) -> None:
    """Check that no material is judged on nothing but what was trained on."""
    n = plan.spec.labels
    small = [
        f"{one.name} ({one.card.n_supercells})"
        for one in plan.judged
        if isinstance(n, int) and one.card.n_supercells <= n
    ]
    if small:
        raise BadInputError(
            f"--labels asks for {n} supercells per material, and these materials "
            f"have no more than that: {listed(small)}.",
            "Training must use a part of the supercells; otherwise there is "
            "nothing to predict or save.",
            "Use a smaller number, or a share such as --labels 0.5.",
        )


def training_identity(plan: CampaignPlan, training: PlannedTraining) -> str:
    """Hash everything that changes an adaptation, and no path of this machine.

    Parameters
    ----------
    plan
        Knows materials and base.
    training
        One of its adaptations.
    """
    run = plan.spec.run_of(
        training.entrant, plan.spec.base, seed=training.seed, train=("supercells",)
    )
    settings = run.model_dump(mode="json", exclude={"base", "train", "device"})
    contents = {one.name: one.card.content for one in plan.materials}
    seen = {contents[name]: chosen for name, chosen in training.supercells.items()}
    parts: list[object] = [settings, plan.base.weights_hash, seen]
    if plan.pseudo_labelled_material(training) is not None:
        parts.append("pseudo-labels")
    return fingerprint(json.dumps(one, sort_keys=True).encode() for one in parts)


def judge_name(material: Material, training: PlannedTraining | None) -> str:
    """Return the cell in which a material is judged.

    Parameters
    ----------
    material
        To be judged.
    training
        The adaptation; none for the base.
    """
    if training is None:
        return f"judge--{material.name}--{BASE}"
    return f"judge--{material.name}--{training.entrant.name}-s{training.seed}"


def scale_name(material: Material) -> str:
    """Return the cell in which the base is scaled for a material."""
    return f"scale--{material.name}"


def detail_name(material: Material, training: PlannedTraining | None) -> str:
    """Return the cell in which the bands of a material are computed.

    Parameters
    ----------
    material
        One of the worst.
    training
        The adaptation that is shown beside the base; none shows the base alone.
    """
    return f"{DETAIL}{judge_name(material, training).removeprefix('judge--')}"
