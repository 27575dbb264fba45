"""A study of levels of theory from plan to record."""

import dataclasses
import functools
from collections.abc import Mapping, Sequence
from pathlib import Path

from atomgraft.compare.cell import do_cell
from atomgraft.compare.plan import data_cards
from atomgraft.core.errors import BadInputError
from atomgraft.core.reading import read_text
from atomgraft.core.specs import changes, listed
from atomgraft.core.storage import is_file, make_folder, write_atomically
from atomgraft.core.trust import NO_TRUST, Trust
from atomgraft.fidelity.judge import (
    Errors,
    answered,
    line_claims,
    questions,
    rows_of,
    target_of,
    with_lines,
)
from atomgraft.fidelity.levels import Level, Levels, read_levels
from atomgraft.fidelity.plan import Maker, Planned, planned_models, sizes_of, stages
from atomgraft.fidelity.record import (
    FIDELITY,
    Claim,
    Fidelity,
    LevelCard,
    Line,
    Model,
    Row,
    Target,
)
from atomgraft.fidelity.spec import (
    FIDELITY_SPEC,
    FidelitySpec,
    fidelity_spec_text,
    read_fidelity_spec,
)
from atomgraft.fidelity.wording import headline_of
from atomgraft.records.documents import Provenance
from atomgraft.run.folders import inputs_of
from atomgraft.study.cells import NOT_RUN, Outcome
from atomgraft.study.folder import Execution, Stage, Study, run_study
from atomgraft.training.devices import resolve_device

FINGERPRINT = "data/fingerprint"
"""Of all structures and bases: a study belongs to one set of them."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class FidelityPlan:
    """A study before it runs.

    Parameters
    ----------
    spec
        What was asked.
    levels
        What was read.
    source_sizes, sizes
        Numbers of structures of sources and of the target.
    models
        All that are trained.
    """

    spec: FidelitySpec
    levels: Levels
    source_sizes: tuple[int, ...]
    sizes: tuple[int, ...]
    models: tuple[Planned, ...]


def plan_fidelity(spec: FidelitySpec, *, trust: Trust = NO_TRUST) -> FidelityPlan:
    """Read and check everything; nothing is written.

    Parameters
    ----------
    spec
        The study.
    trust
        Which checkpoints may run code.

    Raises
    ------
    BadInputError
        Something cannot be used as it is, or a warning was not accepted.
    """
    levels = read_levels(spec, trust=trust)
    source_sizes, sizes = sizes_of(spec, levels)
    resolve_device(spec.device)
    plan = FidelityPlan(
        spec=spec,
        levels=levels,
        source_sizes=source_sizes,
        sizes=sizes,
        models=tuple(planned_models(spec, source_sizes, sizes)),
    )
    maker = Maker(spec=spec, levels=levels, folder=Path(), trust=trust)
    for one in plan.models:
        if one.strategy == "delta":  # labels may be missing
            maker.target_set(one)
            maker.test_set(one)
    return plan


def study_fidelity(
    plan: FidelityPlan,
    folder: Path,
    *,
    execution: Execution | None = None,
    trust: Trust = NO_TRUST,
) -> Fidelity:
    """Train the models that are not done, and say what the table means.

    Parameters
    ----------
    plan
        Of :func:`plan_fidelity`.
    folder
        Where it is; made if it is not there. It may hold the same study, or one with
        fewer sources, sizes, strategies or seeds: what is done counts.
    execution
        Where and how the cells run; none is this machine.
    trust
        Which checkpoints may run code.

    Raises
    ------
    BadInputError
        The folder holds another study, or the scheduler does not answer.
    StorageError
        The folder cannot be written.
    LostProcessError
        The scheduler was lost; what is done is kept.
    """
    spec = plan.spec

    def make(folder: Path) -> list[Stage]:
        maker = Maker(spec=spec, levels=plan.levels, folder=folder, trust=trust)
        known = folder / FINGERPRINT
        make_folder(known.parent)
        lines = _by_name(read_text(known)) if is_file(known) else {}
        lines |= _by_name(_fingerprint(plan.levels))  # of sources left out, too
        text = "".join(f"{name} {hashes}\n" for name, hashes in lines.items())
        write_atomically(known, text)  # before the files that it is about
        maker.write_data(plan.models)
        return stages(maker, plan.models)

    study = Study(
        verb="fidelity",
        inputs=inputs_of(spec),
        spec=(FIDELITY_SPEC, fidelity_spec_text(spec)),
        device=spec.device,
        dtype=spec.dtype,
        kernels=spec.kernels,
        record=FIDELITY,
        work=do_cell,
        refuse_other=functools.partial(_refuse_other, plan),
        stages=make,
        conclude=functools.partial(conclude, plan),
    )
    return run_study(study, folder, execution or Execution())


def _fingerprint(levels: Levels) -> str:
    """Return a line for each level: sources may be added, and none may change."""
    names = ["target", *levels.sources]
    n = len(names)
    _, *hashes = levels.fingerprints
    lines = [f"bases {levels.material.fingerprint}"]
    lines += [f"{name} {hashes[i]} {hashes[i + n]}" for i, name in enumerate(names)]
    return "\n".join(lines) + "\n"


def _by_name(text: str) -> dict[str, str]:
    """Return the hashes of a fingerprint by level."""
    return dict(line.split(" ", 1) for line in text.splitlines() if " " in line)


def refuse_other_frame(folder: Path, spec: FidelitySpec) -> None:
    """Check that a folder holds no study of other data, bases or budget.

    Parameters
    ----------
    folder
        Of a study, if it is there.
    spec
        The study that would be written into it.

    Raises
    ------
    BadInputError
        It does.
    """
    stored = folder / FIDELITY_SPEC
    if not is_file(stored):
        return
    before, after = read_fidelity_spec(stored).frame(), spec.frame()
    shared = before["sources"].keys() & after["sources"].keys()
    for one in (before, after):
        one["sources"] = {name: one["sources"][name] for name in sorted(shared)}
    if before != after:
        raise _other(folder, f"another study: {listed(changes(before, after))}")


def _refuse_other(plan: FidelityPlan, folder: Path) -> None:
    refuse_other_frame(folder, plan.spec)
    known = folder / FINGERPRINT
    if not (is_file(known) and is_file(folder / FIDELITY_SPEC)):
        return
    before = _by_name(read_text(known))
    after = _by_name(_fingerprint(plan.levels))
    changed = [
        name for name in before.keys() & after.keys() if before[name] != after[name]
    ]
    if changed:
        raise _other(
            folder,
            "this study, and the structures or models of these have changed since: "
            + ", ".join(sorted(changed)),
        )


def _other(folder: Path, what: str) -> BadInputError:
    return BadInputError(
        f"{folder} holds {what}.",
        "A folder holds one study, with one target, one test set and one budget;"
        " sources, sizes, labels kept, strategies, recipes and seeds may be added.",
        "Choose another folder with --out, or use --fresh to delete the old study.",
    )


def conclude(
    plan: FidelityPlan,
    outcomes: Mapping[str, Outcome],
    name: str,
    sessions: tuple[Provenance, ...],
) -> Fidelity:
    """Return the table with everything that follows from it.

    Parameters
    ----------
    plan
        What was planned.
    outcomes
        By the name of the cell; what is missing has not run yet.
    name
        Of the study.
    sessions
        Where the numbers came from.
    """
    spec = plan.spec
    models = [
        one.model(spec.base, _outcome(one, spec.base, outcomes)) for one in plan.models
    ]
    target = target_of(models, spec.quantity)
    rows, lines, claims = _judged(models, target)
    headline, sentences = headline_of(target, rows, claims)
    return Fidelity(
        name=name,
        finished=all(one.status != "open" for one in models),
        spec=spec.model_dump(mode="json"),
        bases=tuple(plan.levels.material.bases.values()),
        data=data_cards(spec.level(None), plan.levels.material),
        levels=tuple(
            _card(name, one)
            for name, one in {
                "target": plan.levels.target,
                **plan.levels.sources,
            }.items()
        ),
        source_sizes=plan.source_sizes,
        sizes=plan.sizes,
        models=tuple(models),
        target=target,
        rows=tuple(rows),
        lines=tuple(lines),
        claims=tuple(claims),
        headline=headline,
        sentences=sentences,
        provenance=sessions,
    )


def _outcome(
    one: Planned, bases: Sequence[str], outcomes: Mapping[str, Outcome]
) -> Outcome:
    """Return what became of a model; without the model it starts from it has failed."""
    if one.start is not None:
        before = outcomes.get(one.start.name(bases), NOT_RUN)
        if before.status == "failed":
            why = f"the model of the source failed: {before.reason}"
            return Outcome(status="failed", reason=why)
    return outcomes.get(one.name(bases), NOT_RUN)


def _judged(
    models: Sequence[Model], target: Target | None
) -> tuple[list[Row], list[Line], list[Claim]]:
    if target is None:
        return [], [], []
    errors = Errors(models, target)
    rows, lines = with_lines(rows_of(errors))
    claims = line_claims(rows, lines)
    for one in questions(rows):
        claim = answered(one, errors)
        claims += [claim] if claim else []
    return rows, lines, claims


def _card(name: str, level: Level) -> LevelCard:
    return LevelCard(
        name=name,
        n_pool=len(level.pool),
        n_test=len(level.test),
        seconds=level.seconds,
    )
