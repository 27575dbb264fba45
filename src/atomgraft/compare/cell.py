"""One cell of a comparison: adapt, prove, and its row."""

import dataclasses
import sys
from pathlib import Path
from typing import Any

import torch

from atomgraft.adaptation.graft import GRAFT, load_graft
from atomgraft.core.environments import python_for
from atomgraft.core.outputs import list_folder
from atomgraft.core.trust import Trust
from atomgraft.data.readers import read_structures
from atomgraft.evaluation import labels
from atomgraft.models.prediction import predict_structures
from atomgraft.records.scores import Score
from atomgraft.run.adapt import adapt
from atomgraft.run.inputs import source_of
from atomgraft.run.prove import Origin, prove
from atomgraft.run.record import RunResult
from atomgraft.run.spec import SPEC, RunSpec, parse_spec, read_spec
from atomgraft.run.structures import read_run_data
from atomgraft.study.processes import call_elsewhere
from atomgraft.training.devices import resolve_device

RUN = "run"
"""Folder of the run inside its cell; the cell has a lock of its own."""

KEPT_SUITES = frozenset({"labels", "forgetting"})
KEPT_GROUPS = frozenset({None, "near", "far"})


@dataclasses.dataclass(frozen=True, kw_only=True)
class CellPayload:
    """Input of a cell for a worker.

    Parameters
    ----------
    run
        The run, as its spec holds it.
    test
        Files of held-out structures.
    framework
        Of the base: decides which Python runs it.
    trust
        Which checkpoints may run code.
    validation
        Files of structures that choose between cells; none of them is trained on.
    """

    run: dict[str, Any]
    test: tuple[str, ...]
    framework: str
    trust: Trust
    validation: tuple[str, ...] = ()


def do_cell(folder: Path, payload: dict[str, Any]) -> dict[str, Any]:
    """Do a cell here, or in the environment that is kept for its framework.

    Parameters
    ----------
    folder
        Of the cell.
    payload
        Fields of :class:`CellPayload`.

    Raises
    ------
    BadInputError
        The run cannot be made of its recipe and data.
    NonFiniteTrainingError
        Training diverged.
    MissingExtraError
        The framework is neither here nor in an environment that is kept.
    """
    list_folder(folder / RUN)
    python = python_for(payload["framework"])
    if python == Path(sys.executable):
        return adapted_and_proved(folder, payload)
    request = {"folder": str(folder), "payload": payload}
    place = "compare.cell:do_requested_cell"
    return call_elsewhere(python, place, request, n_threads=torch.get_num_threads())


def do_requested_cell(request: dict[str, Any]) -> dict[str, Any]:
    """Run a cell for another environment.

    Parameters
    ----------
    request
        ``folder`` and ``payload`` of :func:`adapted_and_proved`.
    """
    return adapted_and_proved(Path(request["folder"]), request["payload"])


def adapted_and_proved(folder: Path, payload: dict[str, Any]) -> dict[str, Any]:
    """Adapt and prove one run, or go on with it; return its row.

    Parameters
    ----------
    folder
        Of the cell.
    payload
        Fields of :class:`CellPayload`.

    Raises
    ------
    BadInputError
        The run cannot be made of its recipe and data.
    NonFiniteTrainingError
        Training diverged.
    """
    told = CellPayload(**payload)
    spec = parse_spec(told.run, "A cell of the comparison")
    run = folder / RUN
    result = adapt(
        spec,
        run,
        trust=told.trust,
        fresh=_is_of_another(run, spec),
        data=read_run_data(spec, asks=False),  # whoever planned it was asked
    )
    result = prove(
        run,
        told.test,
        device=spec.device,
        default_labels=True,
        origin=Origin(trust=told.trust),
    )
    row = row_of(result)
    if told.validation:
        rows = _validated(run, spec, told)
        row["scores"] += [one.model_dump(mode="json") for one in rows]
    return row


def _validated(run: Path, spec: RunSpec, told: CellPayload) -> list[Score]:
    """Return the errors of the adapted model on the structures that choose."""
    structures = read_structures(told.validation)
    source = source_of(run, trust=told.trust, kernels=spec.kernels)
    source = source.clone(device=resolve_device(spec.device))
    model = load_graft(run / GRAFT, source).merged()
    predictions = list(predict_structures(model, structures))
    return [
        score.model_copy(update={"suite": labels.VALIDATION})
        for score in labels.label_scores("adapted", predictions, structures)
        if score.group is None
    ]


def _is_of_another(run: Path, spec: RunSpec) -> bool:
    """Tell whether the folder holds a run that does not belong to this cell any more.

    The campaign has made sure that it is its own cell: what can have changed is the
    place of the campaign's folder, or a setting of this recipe.
    """
    stored = run / SPEC
    return stored.exists() and read_spec(stored).identity() != spec.identity()


def row_of(result: RunResult) -> dict[str, Any]:
    """Return what the table needs of a proved run, as JSON would hold it.

    Parameters
    ----------
    result
        Of ``prove``.
    """
    [train, *_] = [card for card in result.data if card.role == "train"]
    latest = result.provenance[-1]
    return {
        "scores": [
            score.model_dump(mode="json") for score in result.scores if _is_kept(score)
        ],
        "n_trainable": sum(role.n_trainable for role in result.coverage),
        "n_steps": result.training.n_steps_done,
        "seconds": result.training.seconds,
        "data_fingerprint": train.fingerprint,
        "versions": latest.versions,
        "device": latest.device,
    }


def _is_kept(score: Score) -> bool:
    return score.suite in KEPT_SUITES and score.group in KEPT_GROUPS
