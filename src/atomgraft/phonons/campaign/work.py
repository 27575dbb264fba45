"""A campaign from plan to record."""

import dataclasses
import functools
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from atomgraft.compare.cell import RUN, CellPayload
from atomgraft.core.errors import BadInputError
from atomgraft.core.provenance import fingerprint
from atomgraft.core.specs import changes, listed
from atomgraft.core.storage import (
    is_file,
    is_folder,
    make_folder,
    write_atomically,
)
from atomgraft.core.trust import NO_TRUST, Trust
from atomgraft.lattice.reference import read_reference
from atomgraft.phonons.campaign.cells import (
    JudgePayload,
    PseudoPayload,
    ScalePayload,
    TrainPayload,
    do_cell,
)
from atomgraft.phonons.campaign.findings import factor_without
from atomgraft.phonons.campaign.materials import Material
from atomgraft.phonons.campaign.plan import (
    CampaignPlan,
    PlannedTraining,
    detail_name,
    judge_name,
    scale_name,
    training_identity,
)
from atomgraft.phonons.campaign.record import (
    CAMPAIGN,
    FIXED,
    GLOBAL_SCALAR,
    OWN_SCALAR,
    PhononCampaign,
    judging,
    materials_by_error,
    mean_of,
    rows_of,
)
from atomgraft.phonons.campaign.rows import conclude
from atomgraft.phonons.campaign.spec import (
    CAMPAIGN_SPEC,
    campaign_spec_text,
    read_campaign_spec,
)
from atomgraft.run.folders import inputs_of
from atomgraft.study.cells import NOT_RUN, Cell, Outcome
from atomgraft.study.folder import CELLS, Execution, Stage, Study, run_study

DATA = "data"


def run_phonon_campaign(
    plan: CampaignPlan,
    folder: Path,
    *,
    execution: Execution | None = None,
    trust: Trust = NO_TRUST,
) -> PhononCampaign:
    """Run the cells that are not done, and write the table with its bill.

    Parameters
    ----------
    plan
        Of ``plan_phonon_campaign``.
    folder
        Where it lives; made if it is not there. It may hold the same campaign, or one
        with fewer materials, recipes or seeds: what is done counts.
    execution
        Where and how the cells run; none is this machine.
    trust
        Which checkpoints may run code.

    Returns
    -------
    :
        ``finished`` is false where a signal stopped it, or a cell could not be run
        for a reason that may go away; the same call goes on.

    Raises
    ------
    BadInputError
        The folder holds something else, or the scheduler does not answer.
    StorageError
        The folder cannot be written.
    LostProcessError
        The scheduler was lost; what is done is kept.
    """
    spec = plan.spec

    def stages(folder: Path) -> Iterable[Stage]:
        maker = _CellMaker(plan=plan, folder=folder.resolve(), trust=trust)
        maker.write_labels()
        return maker.stages()

    study = Study(
        verb="campaign",
        inputs=inputs_of(spec),
        spec=(CAMPAIGN_SPEC, campaign_spec_text(spec)),
        device=spec.device,
        dtype=spec.dtype,
        kernels=spec.kernels,
        record=CAMPAIGN,
        work=do_cell,
        refuse_other=lambda folder: _refuse_other_campaign(folder, plan),
        stages=stages,
        conclude=functools.partial(conclude, plan),
    )
    return run_study(study, folder, execution or Execution())


def _refuse_other_campaign(folder: Path, plan: CampaignPlan) -> None:
    stored = folder / CAMPAIGN_SPEC
    if not is_file(stored) or not (folder / CELLS).exists():
        return
    before, after = read_campaign_spec(stored).frame(), plan.spec.frame()
    if before != after:
        raise BadInputError(
            f"{folder} holds another campaign: {listed(changes(before, after))}.",
            "A folder holds one campaign, with one base, mode and mesh; materials, "
            "recipes and seeds may be added.",
            "Choose another folder with --out, or use --fresh to delete the old "
            "campaign.",
        )


@dataclasses.dataclass(frozen=True, kw_only=True)
class _CellMaker:
    """Makes the cells of a campaign, each pinned to all that changes its numbers."""

    plan: CampaignPlan
    folder: Path
    trust: Trust

    def write_labels(self) -> None:
        """Write displaced supercells that training cannot read where they are."""
        used = {name for one in self.plan.trainings for name in one.supercells}
        for material in self.plan.judged:
            path = self._written(material)
            if material.name not in used or material.has_own_labels or is_file(path):
                continue
            make_folder(path.parent)
            phonon = read_reference(
                material.path, symprec=self.plan.spec.symprec
            ).harmonic.phonon
            document: Any = phonon.to_phonopy_yaml(settings={"force_sets": True})
            write_atomically(path, str(document))

    def _written(self, material: Material) -> Path:
        short = material.card.content[:12]
        return self.folder / DATA / f"{material.name}-{short}.yaml"

    def stages(self) -> Iterator[Stage]:
        """Yield what makes cells of what came before, one stage after the other."""
        yield lambda _: [*self._judges_of_base(), *self._trainings_on_labels()]
        yield lambda done: [*self._trainings_on_answers(done), *self._scalings(done)]
        yield lambda done: list(self._adapted(done))
        yield self._details

    def _judges_of_base(self) -> Iterator[Cell]:
        for material in self.plan.judged:
            yield self._judge(material, None)

    def _trainings_on_labels(self) -> Iterator[Cell]:
        """Yield adaptations that need nothing but labels."""
        for training in self.plan.trainings:
            if self.plan.pseudo_labelled_material(training) is None:
                yield self._train(training, None)

    def _trainings_on_answers(self, outcomes: Mapping[str, Outcome]) -> Iterator[Cell]:
        """Yield adaptations that need what the base answers, where it has."""
        for training in self.plan.trainings:
            material = self.plan.pseudo_labelled_material(training)
            if material is None:
                continue
            if outcomes[judge_name(material, None)].status == "done":
                yield self._train(training, self._pseudo(training, material))

    def _pseudo(self, training: PlannedTraining, material: Material) -> PseudoPayload:
        """Return what supercells without labels train on."""
        return PseudoPayload(
            supercells=self._supercells(material),
            labelled=training.supercells[material.name] or (),
            base=str(self.folder / CELLS / judge_name(material, None)),
        )

    def _adapted(self, outcomes: Mapping[str, Outcome]) -> Iterator[Cell]:
        spec = self.plan.spec
        for seed in spec.seeds:
            for entrant in spec.recipes:
                for material in self.plan.judged:
                    training = self.plan.training_for(material, entrant, seed)
                    if training is None:
                        continue
                    if outcomes.get(training.name, NOT_RUN).status == "done":
                        yield self._judge(material, training)

    def _scalings(self, outcomes: Mapping[str, Outcome]) -> Iterator[Cell]:
        own = {
            material.name: factor
            for material in self.plan.judged
            if (factor := _own_factor(outcomes[judge_name(material, None)]))
        }
        for material in self.plan.judged:
            if material.name in own:
                factors = {OWN_SCALAR: own[material.name]}
                others = factor_without(own, material.name)
                factors |= {} if others is None else {GLOBAL_SCALAR: others}
                yield self._scale(material, factors)

    def _details(self, outcomes: Mapping[str, Outcome]) -> list[Cell]:
        """Return bands of the worst materials, under base and best recipe."""
        spec = self.plan.spec
        campaign = conclude(self.plan, outcomes, name="", sessions=())
        who = judging(campaign)
        entrants = {one.name: one for one in spec.recipes}
        materials = {one.name: one for one in self.plan.judged}
        found: list[Cell] = []
        for card in materials_by_error(campaign)[: spec.details]:
            rows = rows_of(campaign, card.name, who)
            if mean_of(rows, "frequency_mae") is None:
                continue
            material = materials[card.name]
            training = None
            if who in entrants:
                seed = next(row.seed for row in rows if row.status == "done") or 0
                training = self.plan.training_for(material, entrants[who], seed)
            factor = mean_of(rows_of(campaign, card.name, GLOBAL_SCALAR), "factor")
            found.append(self._detail(material, training, factor))
        return found

    def _detail(
        self,
        material: Material,
        training: PlannedTraining | None,
        factor: float | None,
    ) -> Cell:
        judge = self._judge(material, training)
        told = judge.payload["told"]
        told["spec"] |= {"global_factor": factor}
        return Cell(
            name=detail_name(material, training),
            identity=fingerprint([judge.identity.encode(), repr(factor).encode()]),
            payload={"kind": "detail", "told": told},
        )

    def _train(self, training: PlannedTraining, pseudo: PseudoPayload | None) -> Cell:
        run = self.plan.spec.run_of(
            training.entrant,
            _absolute(self.plan.spec.base),
            seed=training.seed,
            train=tuple(self._sources(training)),
        )
        cell = CellPayload(
            run=run.model_dump(mode="json"),
            test=(),
            framework=self.plan.base.framework,
            trust=self.trust,
        )
        identity = training_identity(self.plan, training)
        told = TrainPayload(
            cell=dataclasses.asdict(cell),
            identity=identity,
            pseudo=None if pseudo is None else dataclasses.asdict(pseudo),
        )
        return _cell(training.name, "train", told, identity)

    def _sources(self, training: PlannedTraining) -> Iterator[str]:
        materials = {one.name: one for one in self.plan.materials}
        for name, chosen in training.supercells.items():
            path = self._supercells(materials[name])
            if chosen is None:
                yield path
            else:
                yield from (f"{path}@{i}" for i in chosen)

    def _supercells(self, material: Material) -> str:
        """Return where the displaced supercells of a material are read."""
        if material.has_own_labels:
            return material.path
        return str(self._written(material))

    def _judge(self, material: Material, training: PlannedTraining | None) -> Cell:
        plan = self.plan
        run = None if training is None else self.folder / CELLS / training.name / RUN
        told = JudgePayload(
            spec=self._vibrations(material),
            run=None if run is None else str(run),
            framework=plan.base.framework,
            device=plan.spec.device,
            trust=self.trust,
        )
        behind = "" if training is None else training_identity(plan, training)
        return _cell(
            judge_name(material, training), "judge", told, self._pin(material, behind)
        )

    def _scale(self, material: Material, factors: dict[str, float]) -> Cell:
        labelled = tuple(
            (seed, chosen)
            for seed in self.plan.spec.seeds
            if (chosen := self.plan.labels_of(material, seed))
        )
        told = ScalePayload(
            spec=self._vibrations(material),
            base=str(self.folder / CELLS / judge_name(material, None)),
            factors=factors,
            supercells=self._supercells(material) if labelled else "",
            labelled=labelled,
        )
        judged = (*factors.values(), *labelled, FIXED)
        pinned = self._pin(material, *map(repr, judged))
        return _cell(scale_name(material), "scale", told, pinned)

    def _vibrations(self, material: Material) -> dict[str, Any]:
        spec = self.plan.spec.phonons_of(material.path)
        absolute = _absolute(self.plan.spec.base)
        return spec.model_dump(mode="json") | {"models": [absolute]}

    def _pin(self, material: Material, *more: str) -> str:
        asked = self.plan.spec.phonons_of("x").document()
        hidden = {"crystal", "models"}
        text = yaml.safe_dump({k: v for k, v in asked.items() if k not in hidden})
        parts = (text, material.card.content, self.plan.base.weights_hash, *more)
        return fingerprint(one.encode() for one in parts)


def _absolute(base: str) -> str:
    """Return a name as it is, a path so that workers find it."""
    is_path = is_file(Path(base)) or is_folder(Path(base))
    return str(Path(base).resolve()) if is_path else base


def _cell(
    name: str,
    kind: str,
    told: TrainPayload | JudgePayload | ScalePayload,
    identity: str,
) -> Cell:
    payload = {"kind": kind, "told": dataclasses.asdict(told)}
    return Cell(name=name, identity=identity, payload=payload)


def _own_factor(outcome: Outcome) -> float | None:
    return (outcome.document or {}).get("own_factor")
