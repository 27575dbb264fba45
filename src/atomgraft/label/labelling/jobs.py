"""One job: a structure that is labelled, or a run of molecular dynamics."""

import dataclasses
import os
import time
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from ase import Atoms

from atomgraft.core.errors import LostProcessError
from atomgraft.core.storage import append_line, write_atomically
from atomgraft.data.exact_files import raw_text
from atomgraft.data.labels import set_labels
from atomgraft.label.engines.base import AbstractEngine, Document, Motion, make_engine
from atomgraft.label.labelling.framework import density_of, displacements

LABELLED = "labelled.extxyz"
"""The structure of a job with its labels, every digit written."""

JOB_LOG = "job.log"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Payload:
    """What a job needs to know; sent between processes as JSON.

    Parameters
    ----------
    engine, settings, trust
        As `make_engine` takes them.
    engine_identity
        Of the engine when the jobs were planned.
    atoms
        Of `document_of`.
    material
        Its name.
    motion
        Fields of :class:`Motion`; none labels the structure.
    mobile
        Elements that do not belong to the framework.
    wall_time
        s
    """

    engine: str
    settings: Document
    trust: dict[str, str]
    engine_identity: str
    atoms: Document
    material: str
    motion: Document | None = None
    mobile: tuple[str, ...] = ()
    wall_time: float | None = None


def do_job(folder: Path, payload: Document) -> Document:
    """Do one job in its folder, and return what is to be remembered.

    Parameters
    ----------
    folder
        Of the job, held by this process.
    payload
        Fields of :class:`Payload`.

    Raises
    ------
    EngineFailureError
        The job has no result.
    LostProcessError
        The engine is another than when the jobs were planned, or was killed.
    """
    told = Payload(**payload)
    engine = make_engine(told.engine, told.settings, told.trust)
    atoms = Atoms(**told.atoms)
    log = JobLog(folder / JOB_LOG)
    log(f"{engine.name}, {engine.version}: {atoms.get_chemical_formula()}")
    if engine.identity != told.engine_identity:
        raise _another_engine(engine)
    clock = Clock()
    if told.motion is None:
        found = _label(engine, atoms, folder, told, clock)
    else:
        found = _move(engine, atoms, folder, told, log)
    seconds = clock.seconds
    cpu = clock.cpu_seconds + found.pop("outside_cpu", 0.0)
    log(f"done in {seconds:.1f} s, {cpu:.1f} s of CPU time")
    times = {"seconds": seconds, "cpu_seconds": cpu}
    return {**found, **times, **_provenance(engine)}


class Clock:
    """Measures time from when it is made, s."""

    def __init__(self) -> None:
        self._started, self._used = time.perf_counter(), self._cpu()

    @property
    def seconds(self) -> float:
        """On the wall."""
        return time.perf_counter() - self._started

    @property
    def cpu_seconds(self) -> float:
        """Of this process, and of those that it has started and that have ended."""
        return self._cpu() - self._used

    @staticmethod
    def _cpu() -> float:
        ended = os.times()[2:4]
        return time.process_time() + sum(ended)  # `times` alone has steps of 10 ms


def _provenance(engine: AbstractEngine) -> dict[str, str]:
    return {
        "engine": engine.name,
        "engine_version": engine.version,
        "engine_settings": engine.identity,
    }


def _another_engine(engine: AbstractEngine) -> LostProcessError:
    return LostProcessError(
        f"The engine {engine.name} of this worker has other weights, files or another "
        "version than the command that planned the job.",
        "Expected one version of everything on all machines.",
        "Make the environments the same, and run the same command again.",
    )


def _label(
    engine: AbstractEngine, atoms: Atoms, folder: Path, told: Payload, clock: Clock
) -> Document:
    found = engine.label(atoms, told.wall_time)
    set_labels(atoms, energy=found.energy, forces=found.forces, stress=found.stress)
    seconds = {
        "engine_seconds": found.seconds or clock.seconds,
        "engine_cpu_seconds": found.cpu_seconds or clock.cpu_seconds,
    }
    if engine.electrons is not None and engine.electrons.charge:
        atoms.info["charge"] = engine.electrons.charge
    atoms.info |= {"config_type": told.material, **_provenance(engine), **seconds}
    write_atomically(folder / LABELLED, raw_text([atoms]))
    return {
        "path": LABELLED,
        "n_atoms": len(atoms),
        "energy": found.energy,
        "outside_cpu": found.cpu_seconds or 0.0,
    }


def _move(
    engine: AbstractEngine, atoms: Atoms, folder: Path, told: Payload, log: "JobLog"
) -> Document:
    asked: Document = dict(told.motion or {})
    asked["repeats"] = tuple(asked["repeats"])
    motion = Motion(**asked)
    moved = engine.move(atoms, motion, folder, log.progress)
    found = displacements(moved.atoms, moved.positions, told.mobile)
    return {
        "path": moved.file,
        "n_atoms": len(moved.atoms),
        "n_frames": len(moved.positions),
        "mean_temperature": moved.temperature,
        "density": density_of(moved.atoms),
        "mobile": list(found.mobile),
        "framework_msd": found.framework,
        "msd": found.by_element,
        "notes": list(moved.notes),
        "supercell": np.round(moved.atoms.cell.array, 8).tolist(),
    }


class JobLog:
    """A file to look at while a job runs.

    Parameters
    ----------
    path
        Grows; lines of earlier tries stay.
    """

    EVERY = 10.0
    """s, between two lines of progress."""

    def __init__(self, path: Path) -> None:
        self._path, self._told, self._stage = path, 0.0, ""

    def __call__(self, text: str) -> None:
        """Write a line with the time."""
        now = datetime.now(UTC).isoformat(timespec="seconds")
        append_line(self._path, f"{now} {text}")

    def progress(self, stage: str, done: int, total: int) -> None:
        """Write how far a stage is, at its begin and every ten seconds."""
        now = time.monotonic()
        if stage == self._stage and now - self._told < self.EVERY:
            return
        self._stage, self._told = stage, now
        self(f"{stage}: step {done}{f' of {total}' if total else ''}")
