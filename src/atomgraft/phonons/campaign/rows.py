"""The table of a campaign: one row per material and contestant."""

from collections.abc import Iterator, Mapping
from typing import Any

from atomgraft.compare.spec import Entrant
from atomgraft.evaluation.forgetting import SPREAD, SUITE
from atomgraft.phonons.campaign.findings import bills_of, summarise_campaign
from atomgraft.phonons.campaign.materials import Material, listed
from atomgraft.phonons.campaign.plan import (
    DETAIL,
    CampaignPlan,
    PlannedTraining,
    judge_name,
    scale_name,
)
from atomgraft.phonons.campaign.record import (
    BASE,
    COMPLETED,
    GLOBAL_SCALAR,
    OF_LABELS,
    OWN_SCALAR,
    CampaignRow,
    CampaignTraining,
    PhononCampaign,
)
from atomgraft.phonons.record import PhononResult
from atomgraft.records.documents import Provenance
from atomgraft.records.scores import Score
from atomgraft.study.cells import NOT_RUN, Outcome

NO_SUBSET = (
    "It has a single displaced supercell, so that a part of its supercells "
    "cannot be chosen."
)

NO_OTHERS = "There is no other material to fit the scaling factor to."

TOO_MANY = (
    "Its force constants cannot be fitted: they are too many, or labels say nothing."
)

NO_DIFFERENCE = (
    "Its labels give no force difference, so that the scaling factor of the base "
    "is undetermined."
)

Outcomes = Mapping[str, Outcome]


def conclude(
    plan: CampaignPlan,
    outcomes: Outcomes,
    name: str,
    sessions: tuple[Provenance, ...],
) -> PhononCampaign:
    """Return the table with everything that follows from it.

    Parameters
    ----------
    plan
        What was to be done.
    outcomes
        By the name of the cell; what is missing has not run yet.
    name
        Of the campaign.
    sessions
        Where the numbers came from.
    """
    spec = plan.spec
    trainings = tuple(_training(plan, one, outcomes) for one in plan.trainings)
    rows = tuple(row for one in plan.materials for row in _rows(plan, one, outcomes))
    contestants = tuple(dict.fromkeys(row.contestant for row in rows))
    materials = tuple(one.card for one in plan.materials)
    mode = spec.mode if spec.recipes else None
    shown = {k: one for k, one in outcomes.items() if k.startswith(DETAIL)}
    is_open = any(one.status == "open" for one in (*rows, *trainings, *shown.values()))
    return PhononCampaign(
        name=name,
        finished=not is_open,
        mode=mode,
        spec=spec.model_dump(mode="json"),
        base=plan.base,
        contestants=contestants,
        materials=materials,
        trainings=trainings,
        rows=rows,
        summaries=summarise_campaign(rows, trainings, spec.threshold),
        bills=bills_of(
            contestants,
            materials,
            rows,
            trainings,
            mode=mode,
            dft_hours=spec.dft_hours,
        ),
        details=tuple(
            PhononResult.model_validate(one.document["result"])
            for one in shown.values()
            if one.document is not None
        ),
        dft_hours=spec.dft_hours,
        notices=(*plan.notices, *_notices(plan, rows), *_without_bands(shown)),
        provenance=sessions,
    )


def _notices(plan: CampaignPlan, rows: tuple[CampaignRow, ...]) -> Iterator[str]:
    if len(plan.judged) < 2:
        yield (
            "The baseline 'base × scalar of the others' is missing: there are no "
            "other materials."
        )
    single = [row.material for row in rows if row.reason == NO_SUBSET]
    if single:
        names = listed(list(dict.fromkeys(single)))
        yield f"Not adapted, because of a single displaced supercell: {names}."
    bare = [one.name for one in plan.judged if not one.card.has_reference]
    if bare:
        yield f"No reference forces: {listed(bare)}."


def _without_bands(shown: Outcomes) -> Iterator[str]:
    for name, one in shown.items():
        if one.status == "failed":
            yield f"No bands of {name.removeprefix(DETAIL)}: {one.reason}"


def _outcome_of(
    plan: CampaignPlan, planned: PlannedTraining, outcomes: Outcomes
) -> Outcome:
    """Return what became of an adaptation; without the base there is none."""
    material = plan.pseudo_labelled_material(planned)
    if planned.name not in outcomes and material is not None:
        base = outcomes.get(judge_name(material, None), NOT_RUN)
        if base.status == "failed":
            return Outcome(status="failed", reason=f"Under the base: {base.reason}")
    return outcomes.get(planned.name, NOT_RUN)


def _training(
    plan: CampaignPlan, planned: PlannedTraining, outcomes: Outcomes
) -> CampaignTraining:
    outcome = _outcome_of(plan, planned, outcomes)
    told = outcome.document or {}
    scores = [Score.model_validate(one) for one in told.get("scores", ())]
    return CampaignTraining(
        name=planned.name,
        contestant=planned.entrant.name,
        seed=planned.seed,
        materials=tuple(planned.supercells),
        n_labels=planned.n_labels,
        n_pseudo=told.get("n_pseudo", 0),
        sources=tuple(_sources(planned)),
        status=outcome.status,
        reason=outcome.reason,
        n_trainable=told.get("n_trainable"),
        n_steps=told.get("n_steps"),
        seconds=told.get("seconds"),
        n_threads=told.get("n_threads"),
        drift=tuple(
            one
            for one in scores
            if one.suite == SUITE and (one.model == "adapted" or one.metric == SPREAD)
        ),
    )


def _sources(planned: PlannedTraining) -> Iterator[str]:
    for name, chosen in planned.supercells.items():
        if chosen is None:
            yield name
        else:
            yield from (f"{name}@{i}" for i in chosen)


def _rows(
    plan: CampaignPlan, material: Material, outcomes: Outcomes
) -> Iterator[CampaignRow]:
    """Yield the base, what it is worth without training, and every recipe."""
    yield _base_row(material, outcomes)
    if material.card.has_reference:
        yield from _scaled_rows(plan, material, outcomes)
    for entrant in plan.spec.recipes:
        for seed in plan.spec.seeds:
            yield _adapted_row(plan, material, entrant, seed, outcomes)


def _left_out(material: Material, contestant: str, **more: Any) -> CampaignRow:  # noqa: ANN401
    given = {"reason": material.card.reason, **more}
    return CampaignRow(
        material=material.name, contestant=contestant, status="left out", **given
    )


def _base_row(material: Material, outcomes: Outcomes) -> CampaignRow:
    if material.card.reason is not None:
        return _left_out(material, BASE)
    outcome = outcomes.get(judge_name(material, None), NOT_RUN)
    return CampaignRow(
        material=material.name,
        contestant=BASE,
        status=outcome.status,
        reason=outcome.reason,
        **(outcome.document or {}).get("row", {}),
    )


def _scaled_rows(
    plan: CampaignPlan, material: Material, outcomes: Outcomes
) -> Iterator[CampaignRow]:
    """Yield the base times a number, and what the labels of each seed are worth."""
    outcome = outcomes.get(scale_name(material), NOT_RUN)
    base = outcomes.get(judge_name(material, None), NOT_RUN)
    told = outcome.document or {}
    given = [
        (name, NO_OTHERS, {}, told.get("rows", {}).get(name))
        for name in (OWN_SCALAR, GLOBAL_SCALAR)
    ]
    if plan.spec.recipes and plan.spec.mode == "each":
        answered = (base.document or {}).get("row", {})
        cost = {key: answered.get(key) for key in ("seconds", "n_threads")}
        for seed in plan.spec.seeds:
            for name in OF_LABELS:
                without = NO_DIFFERENCE if name == COMPLETED else TOO_MANY
                without = without if plan.labels_of(material, seed) else NO_SUBSET
                numbers = told.get("labelled", {}).get(name, {}).get(str(seed))
                numbers = None if numbers is None else {**numbers, **cost}
                given.append((name, without, {"seed": seed}, numbers))
    for contestant, without, more, numbers in given:
        if material.card.reason is not None:
            yield _left_out(material, contestant, **more)
            continue
        status, reason = outcome.status, outcome.reason
        if outcome.status == "done" and numbers is None:
            status, reason = "left out", without
        if base.status == "failed":
            status, reason = "failed", base.reason
        yield CampaignRow(
            material=material.name,
            contestant=contestant,
            status=status,
            reason=reason,
            **{**more, **(numbers or {})},
        )


def _adapted_row(
    plan: CampaignPlan,
    material: Material,
    entrant: Entrant,
    seed: int,
    outcomes: Outcomes,
) -> CampaignRow:
    if material.card.reason is not None:
        return _left_out(material, entrant.name, seed=seed)
    training = plan.training_for(material, entrant, seed)
    if training is None:
        return _left_out(material, entrant.name, seed=seed, reason=NO_SUBSET)
    adapted = _outcome_of(plan, training, outcomes)
    outcome = outcomes.get(judge_name(material, training), NOT_RUN)
    if adapted.status != "done":
        reason = f"Its adaptation: {adapted.reason}"
        outcome = Outcome(status=adapted.status, reason=reason)
    chosen = training.supercells.get(material.name, ())
    return CampaignRow(
        material=material.name,
        contestant=entrant.name,
        seed=seed,
        training=training.name,
        status=outcome.status,
        reason=outcome.reason,
        n_labels=material.card.n_supercells if chosen is None else len(chosen),
        **(outcome.document or {}).get("row", {}),
    )
