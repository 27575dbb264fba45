"""A labelling from plan to index."""

import functools
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from atomgraft.core.errors import BadInputError
from atomgraft.core.outputs import list_folder
from atomgraft.core.reading import read_text
from atomgraft.core.specs import changes, listed
from atomgraft.core.storage import is_file, write_atomically
from atomgraft.core.trust import NO_TRUST, Trust
from atomgraft.core.yaml_files import read_settings
from atomgraft.label.labelling.framework import Displacements
from atomgraft.label.labelling.jobs import do_job
from atomgraft.label.labelling.plan import Job, LabelPlan
from atomgraft.label.labelling.record import (
    LABELS,
    EngineRecord,
    JobRecord,
    LabelResult,
    MaterialRecord,
)
from atomgraft.label.labelling.spec import (
    LABEL_SPEC,
    LabelSpec,
    label_spec_text,
    parse_label_spec,
)
from atomgraft.records.documents import Provenance
from atomgraft.run.inputs import origins_of
from atomgraft.study.cells import Outcome
from atomgraft.study.folder import CELLS, Execution, Stage, Study, run_study

LABELS_FILE = "labels.extxyz"
"""All labelled structures, in the order in which they were given."""

ADAPTED = "adapted"
"""Folder of the run that trains on them, if one was asked for."""


def run_labelling(
    plan: LabelPlan,
    folder: Path,
    *,
    execution: Execution | None = None,
    trust: Trust = NO_TRUST,
) -> LabelResult:
    """Run the jobs that are not done, and write the index.

    Parameters
    ----------
    plan
        Of ``plan_labelling``.
    folder
        Where it lives; made if it is not there. It may hold the same engine with the
        same settings: what is done counts, in whatever order structures come.
    execution
        Where and how the jobs run; none is this machine.
    trust
        Which checkpoints may run code.

    Returns
    -------
    :
        ``finished`` is false where a signal stopped it, or a job could not be run for
        a reason that may go away; the same call goes on.

    Raises
    ------
    BadInputError
        The folder holds something else, or the scheduler does not answer.
    StorageError
        The folder cannot be written.
    LostProcessError
        The scheduler was lost; what is done is kept.
    """
    cells = [job.cell for job in plan.jobs]

    def stages(place: Path) -> Iterable[Stage]:
        list_folder(place / ADAPTED)
        return [lambda _: cells]

    study = Study(
        verb="label",
        inputs=inputs_of_labels(plan.spec),
        spec=(LABEL_SPEC, label_spec_text(plan.spec)),
        device=plan.spec.settings.get("device", "cpu"),
        dtype=str(plan.spec.settings.get("dtype") or "float64"),
        kernels=plan.spec.settings.get("kernels", "ours"),
        record=LABELS,
        work=do_job,
        refuse_other=lambda folder: _refuse_other(folder, plan),
        stages=stages,
        conclude=functools.partial(_conclude, plan, folder),
    )
    return run_study(study, folder, execution or Execution())


def inputs_of_labels(spec: LabelSpec) -> tuple[str, ...]:
    """Return what a labelling reads: structures, and the model of an engine."""
    kind, _, argument = spec.engine.partition(":")
    models = origins_of(argument) if kind == "model" and argument else ()
    return (*spec.structures, *models)


def _refuse_other(folder: Path, plan: LabelPlan) -> None:
    stored = folder / LABEL_SPEC
    if not is_file(stored) or not LABELS.is_at(folder):
        return
    before = parse_label_spec(read_settings(stored), str(stored)).frame()
    after = plan.spec.frame()
    engine = LABELS.read(folder).engine
    if before == after and engine.identity == plan.engine.identity:
        return
    what = (
        listed(changes(before, after))
        if before != after
        else f"{engine.name} was {engine.version}, and is {plan.engine.version} now, "
        "or its weights or files have changed"
    )
    raise BadInputError(
        f"{folder} holds labels or trajectories of other settings: {what}.",
        "Labels of two settings do not belong together; structures, temperatures and "
        "seeds may be added.",
        "Choose another folder with --out, or use --fresh to delete what is there.",
    )


def _conclude(
    plan: LabelPlan,
    folder: Path,
    outcomes: Mapping[str, Outcome],
    name: str,
    sessions: tuple[Provenance, ...],
) -> LabelResult:
    jobs = tuple(_record(plan, job, outcomes[job.cell.name]) for job in plan.jobs)
    engine = plan.engine
    return LabelResult(
        name=name,
        task="labels" if plan.spec.md is None else "trajectories",
        spec=plan.spec.model_dump(mode="json"),
        engine=EngineRecord(
            name=engine.name,
            version=engine.version,
            settings=dict(engine.settings),
            identity=engine.identity,
        ),
        materials=tuple(
            MaterialRecord(
                name=one.name,
                file=one.file,
                formula=one.atoms.get_chemical_formula("metal"),
                n_atoms=len(one.atoms),
                reason=one.reason,
            )
            for one in plan.materials
        ),
        jobs=jobs,
        labels=_write_labels(folder, plan, jobs),
        finished=all(one.status != "open" for one in jobs),
        notices=plan.notices,
        provenance=sessions,
    )


def _record(plan: LabelPlan, job: Job, outcome: Outcome) -> JobRecord:
    shared: dict[str, Any] = {
        "name": job.cell.name,
        "material": job.material,
        "temperature": job.temperature,
        "seed": job.seed,
    }
    found = outcome.document
    if found is None:
        return JobRecord(**shared, status=outcome.status, reason=outcome.reason)
    known = JobRecord.model_fields.keys() - shared.keys()
    given = {key: one for key, one in found.items() if key in known}
    given["path"] = f"{CELLS}/{job.cell.name}/{found['path']}"
    reason = _molten(plan, found)
    return JobRecord(
        **shared,
        **given,
        status="done" if reason is None else "molten",
        reason=reason,
    )


def _molten(plan: LabelPlan, found: dict[str, Any]) -> str | None:
    """Return the sentence about a framework that fell apart; none where it stayed."""
    md = plan.spec.md
    if md is None:
        return None
    moved = Displacements(
        mobile=tuple(found["mobile"]),
        framework=found["framework_msd"],
        by_element=found["msd"],
    )
    if not moved.is_molten(md.max_framework_msd):
        return None
    return (
        f"Its framework has moved by {found['framework_msd']:.2g} Å², every element of "
        f"it by more than {md.max_framework_msd:g} Å²: it is molten, or not stable."
    )


def _write_labels(
    folder: Path, plan: LabelPlan, jobs: Iterable[JobRecord]
) -> str | None:
    """Write all labelled structures into one file, and return its name."""
    if plan.spec.md is not None:
        return None
    texts = [read_text(folder / job.path) for job in jobs if job.path is not None]
    if not texts:
        return None
    write_atomically(folder / LABELS_FILE, "".join(texts))
    return LABELS_FILE
