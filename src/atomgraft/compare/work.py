"""A comparison from plan to record."""

import dataclasses
import functools
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from atomgraft.compare.advice import advise, front_points, nothing_yet
from atomgraft.compare.cell import do_cell
from atomgraft.compare.crossings import crossings_of
from atomgraft.compare.judge import Judge
from atomgraft.compare.learning_curves import learning_curve
from atomgraft.compare.plan import (
    CellMaker,
    Material,
    PlannedCell,
    contestants_of,
    data_cards,
    planned_cells,
    read_material,
    sizes_of,
)
from atomgraft.compare.record import (
    COMPARISON,
    Advice,
    Baseline,
    ComparedCell,
    Comparison,
    Contestant,
    Crossing,
    Curve,
    FrontPoint,
    Summary,
    Target,
)
from atomgraft.compare.seed_summaries import (
    SummaryTable,
    baselines_of,
    errors_by_seed,
    summarise,
    target_of,
)
from atomgraft.compare.spec import (
    COMPARE_SPEC,
    CompareSpec,
    compare_spec_text,
)
from atomgraft.compare.structures import (
    Structures,
    other_comparison,
    refuse_other_frame,
)
from atomgraft.core.reading import read_text
from atomgraft.core.storage import is_file, write_atomically
from atomgraft.core.trust import NO_TRUST, Trust
from atomgraft.records.documents import Provenance
from atomgraft.run.folders import inputs_of
from atomgraft.study.cells import NOT_RUN, Outcome
from atomgraft.study.folder import Execution, Stage, Study, run_study
from atomgraft.training.devices import resolve_device

FINGERPRINT = "data/fingerprint"
"""Of pool, validation, test and bases: a campaign belongs to one set of them."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class ComparePlan:
    """A comparison before it runs.

    Parameters
    ----------
    spec
        What was asked.
    material
        What was read.
    sizes
        Numbers of labels.
    cells
        The grid.
    """

    spec: CompareSpec
    material: Material
    sizes: tuple[int, ...]
    cells: tuple[PlannedCell, ...]

    @property
    def next_labels(self) -> int:
        """Size of the next batch of labels."""
        asked = self.spec.more_labels
        return max(1, self.sizes[-1] // 2) if asked == "auto" else asked


def plan_comparison(
    spec: CompareSpec, *, trust: Trust = NO_TRUST, structures: Structures | None = None
) -> ComparePlan:
    """Read and check everything, and return the grid; nothing is written.

    Parameters
    ----------
    spec
        The comparison.
    trust
        Which checkpoints may run code.
    structures
        Pool, validation and test set, if they were read before.

    Raises
    ------
    BadInputError
        Something cannot be used as it is, or a warning was not accepted.
    """
    material = read_material(spec, trust=trust, structures=structures)
    sizes = sizes_of(spec, material)
    resolve_device(spec.device)
    return ComparePlan(
        spec=spec,
        material=material,
        sizes=sizes,
        cells=tuple(planned_cells(spec, sizes)),
    )


def compare(
    plan: ComparePlan,
    folder: Path,
    *,
    execution: Execution | None = None,
    trust: Trust = NO_TRUST,
) -> Comparison:
    """Run the cells that are not done, and say what the table means.

    Parameters
    ----------
    plan
        Of :func:`plan_comparison`.
    folder
        Where it lives; made if it is not there. It may hold the same campaign, or
        one with fewer recipes, sizes, learning rates or seeds: what is done counts.
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
        The folder holds another campaign, or the scheduler does not answer.
    StorageError
        The folder cannot be written.
    LostProcessError
        The scheduler was lost; what is done is kept.
    """
    spec = plan.spec

    def stages(folder: Path) -> list[Stage]:
        maker = CellMaker(spec=spec, material=plan.material, folder=folder, trust=trust)
        maker.write_data(plan.cells)
        write_atomically(folder / FINGERPRINT, plan.material.fingerprint + "\n")
        return [lambda _: [maker.cell(one) for one in plan.cells]]

    study = Study(
        verb="compare",
        inputs=inputs_of(spec),
        spec=(COMPARE_SPEC, compare_spec_text(spec)),
        device=spec.device,
        dtype=spec.dtype,
        kernels=spec.kernels,
        record=COMPARISON,
        work=do_cell,
        refuse_other=lambda folder: _refuse_other_campaign(folder, plan),
        stages=stages,
        conclude=functools.partial(conclude, plan),
    )
    return run_study(study, folder, execution or Execution())


def _refuse_other_campaign(folder: Path, plan: ComparePlan) -> None:
    """Check that what is in the folder belongs to the same data, base and budget."""
    refuse_other_frame(folder, plan.spec)
    fingerprint = folder / FINGERPRINT
    known = read_text(fingerprint).strip() if is_file(fingerprint) else None
    is_there = is_file(folder / COMPARE_SPEC) and known is not None
    if is_there and known != plan.material.fingerprint:
        raise other_comparison(
            folder,
            "this comparison, and its data, base or validation structures have changed "
            "since",
        )


def conclude(
    plan: ComparePlan,
    outcomes: Mapping[str, Outcome],
    name: str,
    sessions: tuple[Provenance, ...],
) -> Comparison:
    """Return the table with everything that follows from it.

    Parameters
    ----------
    plan
        The grid.
    outcomes
        By the name of the cell; what is missing has not run yet.
    name
        Of the comparison.
    sessions
        Where the numbers came from.
    """
    spec = plan.spec
    cells = [
        _compared(planned, outcomes.get(planned.name, NOT_RUN))
        for planned in plan.cells
    ]
    baselines = baselines_of(cells, _contestants(plan))
    target = target_of(cells, spec.quantity)
    if target is None:
        judged = _Judged((), (), (), (), nothing_yet(cells))
    else:
        judged = _judged(plan, cells, baselines, target)
    return Comparison(
        name=name,
        finished=all(cell.status != "open" for cell in cells),
        spec=spec.model_dump(mode="json"),
        bases=tuple(plan.material.bases.values()),
        data=data_cards(spec, plan.material),
        sizes=plan.sizes,
        contestants=_contestants(plan),
        cells=tuple(cells),
        target=target,
        baselines=baselines,
        summaries=judged.summaries,
        curves=judged.curves,
        front=judged.front,
        crossings=judged.crossings,
        advice=judged.advice,
        provenance=sessions,
    )


class _Judged(NamedTuple):
    """What follows from the table."""

    summaries: tuple[Summary, ...]
    curves: tuple[Curve, ...]
    front: tuple[FrontPoint, ...]
    crossings: tuple[Crossing, ...]
    advice: Advice


def _judged(
    plan: ComparePlan,
    cells: Sequence[ComparedCell],
    baselines: Sequence[Baseline],
    target: Target,
) -> _Judged:
    spec, contestants = plan.spec, _contestants(plan)
    summaries = summarise(cells)
    found = [
        learning_curve(
            one.name,
            errors_by_seed(cells, target, one.name),
            more=plan.next_labels,
            target_error=spec.target_error,
            worthwhile=spec.worthwhile,
        )
        for one in contestants
    ]
    curves = tuple(curve for curve in found if curve is not None)
    judge = Judge(
        cells=cells,
        contestants=contestants,
        baselines=baselines,
        target=target,
        table=SummaryTable(summaries, target),
        curves=curves,
    )
    crossings = crossings_of(cells, contestants, target)
    advice = advise(
        judge,
        more=plan.next_labels,
        worthwhile=spec.worthwhile,
        target_error=spec.target_error,
        crossings=crossings,
    )
    return _Judged(summaries, curves, front_points(judge), crossings, advice)


def _contestants(plan: ComparePlan) -> tuple[Contestant, ...]:
    return tuple(contestant for contestant, _ in contestants_of(plan.spec))


def _compared(planned: PlannedCell, outcome: Outcome) -> ComparedCell:
    return ComparedCell.model_validate(
        {
            "name": planned.name,
            "contestant": planned.contestant.name,
            "n_labels": planned.n_labels,
            "seed": planned.seed,
            "status": outcome.status,
            "reason": outcome.reason,
            **(outcome.document or {}),
        }
    )
