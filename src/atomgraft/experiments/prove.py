"""The proof of a run: held-out errors, forgetting and consistency, side by side."""

import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import torch
from ase import Atoms
from ase.data import atomic_numbers

from atomgraft.adaptation.graft import GRAFT, load_graft, read_card
from atomgraft.core.errors import BadInputError
from atomgraft.core.provenance import now
from atomgraft.core.storage import locked
from atomgraft.data.checks.findings import refuse_errors
from atomgraft.data.checks.suite import check_structures
from atomgraft.data.labels import structures_fingerprint
from atomgraft.evaluation.crystals import shipped_crystals
from atomgraft.evaluation.suites import assess
from atomgraft.evaluation.verdict import verdict
from atomgraft.experiments.adapt import Clock, provenance
from atomgraft.experiments.baseline import SCRATCH
from atomgraft.experiments.inputs import (
    CHECKED_ATOMS,
    data_card,
    knowledge_of,
    load_base,
    notices_of,
    numbers_of,
    read_files,
    require_finished,
)
from atomgraft.experiments.spec import SPEC, RunSpec, read_spec
from atomgraft.models.base import AbstractPotential
from atomgraft.results.files import read_result, write_result
from atomgraft.results.schema import ModelName, RunResult
from atomgraft.training.devices import resolve_device


def prove(
    folder: Path,
    test: Sequence[str],
    *,
    trust: bool = False,
    progress: Callable[[str, int, int], None] | None = None,
    notify: Callable[[str], None] | None = None,
) -> RunResult:
    """Judge a finished run and write the scores into its result.

    Base and adapted model are judged side by side, and the run in the subfolder
    ``scratch`` if there is one.

    Parameters
    ----------
    folder
        A run folder.
    test
        Files of held-out structures; none judges forgetting and consistency alone.
    trust
        Allow a checkpoint that cannot be read as plain data.
    progress
        Called with what comes next, steps done and steps in all.
    notify
        Called with what the user should know of the held-out structures.

    Raises
    ------
    BadInputError
        The run has not finished, a file cannot be used, or test structures were
        trained on.
    """
    clock = Clock(started=now(), counter=time.perf_counter())
    require_finished(folder)
    with locked(folder):
        spec, result = read_spec(folder / SPEC), read_result(folder)
        base = load_base(spec.base, head=spec.head, trust=trust)
        structures = _held_out(spec, test, base, notify or _ignore) if test else []
        models, shifts = _contestants(folder, base, spec)
        found = assess(
            models,
            structures,
            crystals=shipped_crystals(),
            reference_shifts=shifts,
            training_elements=numbers_of(result.data[0].elements),
            seed=spec.seed,
            progress=progress,
        )
        kept = tuple(card for card in result.data if card.role != "test")
        cards = (data_card("test", test, structures),) if structures else ()
        result = result.model_copy(
            update={
                "data": kept + cards,
                "scores": found.scores,
                "parity": found.parity,
                "verdict": verdict(found.scores),
                "provenance": (
                    *result.provenance,
                    provenance(clock, models["base"].device, spec.dtype),
                ),
            }
        )
        write_result(folder, result)
        return result


def _ignore(_text: str) -> None:
    """Tell nobody."""


def _held_out(
    spec: RunSpec,
    files: Sequence[str],
    base: AbstractPotential,
    notify: Callable[[str], None],
) -> list[Atoms]:
    """Read and check the structures that judge."""
    structures = read_files(spec, files)
    _refuse_trained(spec, structures)
    known = knowledge_of(base)
    findings = check_structures(
        structures, base=known, max_predicted_atoms=CHECKED_ATOMS
    )
    refuse_errors(findings)
    for notice in notices_of(findings):
        notify(notice)
    return structures


def _refuse_trained(spec: RunSpec, structures: Sequence[Atoms]) -> None:
    """Check that no test structure was trained on, to the last digit."""
    trained = {
        structures_fingerprint([atoms])
        for atoms in read_files(spec, (*spec.train, *spec.validation))
    }
    both = [
        str(atoms.info.get("source"))
        for atoms in structures
        if structures_fingerprint([atoms]) in trained
    ]
    if both:
        raise BadInputError(
            f"{len(both)} test structures were trained on ({both[0]}).",
            "Structures that training has not seen are needed.",
            "Give other frames with --test; 'file.extxyz@20:' leaves the first 20 out.",
        )


def _contestants(
    folder: Path, base: AbstractPotential, spec: RunSpec
) -> tuple[dict[ModelName, AbstractPotential], dict[ModelName, Mapping[int, float]]]:
    """Return base, adapted and scratch models with their reference shifts."""
    device = resolve_device(spec.device)
    base = base.clone(device=device)  # in its own precision, as grafts are pinned to it
    dtype = getattr(torch, spec.dtype)
    models: dict[ModelName, AbstractPotential] = {
        "base": base.clone(dtype=dtype, device=device)
    }
    shifts: dict[ModelName, Mapping[int, float]] = {}
    runs: dict[ModelName, Path] = {"adapted": folder, "scratch": folder / SCRATCH}
    for name, run in runs.items():
        graft = run / GRAFT
        if graft.is_file():
            models[name] = load_graft(graft, base).merged()
            stored = read_card(graft).reference_shifts
            shifts[name] = {atomic_numbers[key]: one for key, one in stored.items()}
    return models, shifts
