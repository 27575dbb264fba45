"""From the spec of labelling to its jobs: what is read, refused and left out."""

import dataclasses
import json
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from ase import Atoms
from ase.data import atomic_numbers

from atomgraft.core.errors import BadInputError
from atomgraft.core.provenance import fingerprint
from atomgraft.core.storage import is_file, is_folder
from atomgraft.core.trust import NO_TRUST, Trust
from atomgraft.data.labels import structures_fingerprint
from atomgraft.label.engines.base import (
    MOMENTS,
    MULTIPLICITY,
    AbstractEngine,
    Motion,
    document_of,
    make_engine,
)
from atomgraft.label.labelling.jobs import Payload
from atomgraft.label.labelling.materials import (
    Material,
    read_materials,
    repeats_for,
)
from atomgraft.label.labelling.spec import LabelSpec, MotionSpec
from atomgraft.study.cells import Cell

JOB_VERSION = 1
"""Of what a job computes; raised where the same request gives other numbers."""

N_HASH = 10
"""Characters of a job's hash in the name of its folder."""

N_NAMED = 3
"""Materials that a notice names."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Job:
    """One job.

    Parameters
    ----------
    material
        Its name.
    temperature, seed
        Of a run; none of a label.
    cell
        How it is run.
    """

    material: str
    temperature: float | None
    seed: int | None
    cell: Cell


@dataclasses.dataclass(frozen=True, kw_only=True)
class LabelPlan:
    """A labelling before it runs.

    Parameters
    ----------
    spec
        What was asked.
    engine
        Made once, to check; jobs make their own.
    materials
        What was read, with reasons where a structure is left out.
    jobs
        One a hash: the same structure twice is one job.
    notices
        What the user should know before it starts.
    """

    spec: LabelSpec
    engine: AbstractEngine
    materials: tuple[Material, ...]
    jobs: tuple[Job, ...]
    notices: tuple[str, ...]


def plan_labelling(spec: LabelSpec, *, trust: Trust = NO_TRUST) -> LabelPlan:
    """Read and check everything, and say what will be computed; nothing is written.

    Parameters
    ----------
    spec
        What was asked.
    trust
        Which checkpoints may run code.

    Raises
    ------
    BadInputError
        Something cannot be used as it is, or nothing is left to compute.
    MissingExtraError
        The engine's program is not installed.
    """
    engine = make_engine(spec.engine, spec.settings, trust)
    if spec.md is not None:
        _check_motion(spec.md, engine)
    read = read_materials(spec.structures, spec.representatives)
    materials = [_judged(one, engine, spec) for one in read]
    known = [one for one in materials if one.reason is None]
    engine.try_out()
    if not known:
        raise BadInputError(
            f"None of the {len(materials)} structures can be computed by "
            f"{engine.name}: {_reasons(materials)}.",
            "Expected at least one that can.",
            "Choose another engine, or other structures.",
        )
    maker = _Maker(spec=spec, engine=engine, trust=trust)
    jobs = [job for one in known for job in maker.jobs_of(one)]
    unique = {job.cell.identity: job for job in reversed(jobs)}
    notices: list[str] = []
    notices += dict.fromkeys(
        text for one in known for text in engine.assumptions(one.atoms)
    )
    if len(known) < len(materials):
        n_out = len(materials) - len(known)
        notices.append(
            f"{n_out} of {len(materials)} structures are left out: "
            f"{_reasons(materials)}."
        )
    if len(unique) < len(jobs):
        notices.append(
            f"{len(jobs) - len(unique)} structures are given twice, and computed once."
        )
    return LabelPlan(
        spec=spec,
        engine=engine,
        materials=tuple(materials),
        jobs=tuple(reversed(unique.values())),
        notices=tuple(notices),
    )


def _judged(material: Material, engine: AbstractEngine, spec: LabelSpec) -> Material:
    if material.reason is not None:
        return material
    material = _with_electrons(_with_moments(material, engine), engine)
    reason = material.reason or engine.refusal(material.atoms)
    if reason is None and spec.md is not None and not material.atoms.pbc.all():
        reason = "it is not periodic in three directions"
    if reason is None and spec.md is not None and material.has_fixed:
        reason = (
            "its file holds atoms fixed (selective dynamics, constraints), and in "
            "molecular dynamics all move"
        )
    return dataclasses.replace(material, reason=reason)


def _with_moments(material: Material, engine: AbstractEngine) -> Material:
    """Return a structure without moments, unless they change numbers of an engine."""
    if engine.takes_moments or not material.atoms.has(MOMENTS):
        return material
    atoms = material.atoms.copy()
    del atoms.arrays[MOMENTS]
    return dataclasses.replace(material, atoms=atoms)


def _with_electrons(material: Material, engine: AbstractEngine) -> Material:
    """Return a structure that knows its spin, or why its file and settings differ."""
    electrons = engine.electrons
    if electrons is None:
        return material
    own, asked = material.multiplicity, electrons.multiplicity
    reason = None
    if material.charge not in {None, electrons.charge}:
        reason = (
            f"its file gives the charge {material.charge:g}, and the settings "
            f"{electrons.charge}"
        )
    elif own is not None and (own < 1 or own != own // 1):
        reason = f"its file gives the multiplicity {own:g}; expected 2S + 1, from 1 on"
    elif own is not None and not electrons.has_spin and own != 1:
        reason = (
            f"its file gives the multiplicity {own:g}, of which {engine.name} is not "
            "told: use moments, or a setting of the engine"
        )
    elif own is not None and asked is not None and own != asked:
        reason = f"its file gives the multiplicity {own:g}, and the settings {asked}"
    if reason is not None or own is None or not electrons.has_spin:
        return dataclasses.replace(material, reason=reason)
    atoms = material.atoms.copy()
    atoms.info[MULTIPLICITY] = int(own)
    return dataclasses.replace(material, atoms=atoms)


def _reasons(materials: Sequence[Material]) -> str:
    """Return the reasons for which structures are left out, with their numbers."""
    found: dict[str, list[str]] = {}
    for one in materials:
        if one.reason is not None:
            found.setdefault(one.reason.rstrip("."), []).append(one.name)
    counts = Counter({reason: len(names) for reason, names in found.items()})
    parts: list[str] = []
    for reason, n in counts.most_common(2 * N_NAMED):
        names = found[reason]
        named = ", ".join(names[:N_NAMED]) + (" ..." if n > N_NAMED else "")
        parts.append(f"{n} because {reason} ({named})")
    n_rest = len(counts) - len(parts)
    return "; ".join(parts) + (f"; and {n_rest} further reasons" if n_rest else "")


def _check_motion(md: MotionSpec, engine: AbstractEngine) -> None:
    if not engine.treatments:
        raise BadInputError(
            f"The engine {engine.name} labels structures, and does not move atoms.",
            "Molecular dynamics needs an engine such as pmmcs or model:NAME.",
            "Leave out --md, or choose another --engine.",
        )
    if md.cell not in engine.treatments:
        raise BadInputError(
            f"The engine {engine.name} has no --cell {md.cell}.",
            f"It has {', '.join(sorted(engine.treatments))}.",
            "For example: --cell relax",
        )
    strange = [one for one in md.mobile if one not in atomic_numbers or one == "X"]
    if strange:
        raise BadInputError(
            f"{strange[0]!r} was given as a mobile element.",
            "Expected a chemical symbol.",
            "For example: --mobile Li",
        )
    if md.every < md.timestep:
        raise BadInputError(
            f"Frames every {md.every:g} fs were asked for, at a timestep of "
            f"{md.timestep:g} fs.",
            "Expected an interval of at least one timestep.",
            "For example: --every 100",
        )


@dataclasses.dataclass(frozen=True, kw_only=True)
class _Maker:
    """Makes the jobs of a structure, each pinned to all that changes its numbers."""

    spec: LabelSpec
    engine: AbstractEngine
    trust: Trust

    def jobs_of(self, material: Material) -> Iterator[Job]:
        md = self.spec.md
        if md is None:
            yield self._job(material, None, "")
            return
        repeats = repeats_for(material.atoms, md.atoms)
        for temperature in md.temperatures:
            for seed in md.seeds:
                motion = Motion(
                    temperature=temperature,
                    seed=seed,
                    timestep=md.timestep,
                    n_steps=md.n_steps,
                    frame_every=md.frame_every,
                    n_settle=md.n_settle,
                    repeats=repeats,
                    cell=md.cell,
                    has_thermostat=md.thermostat,
                    wall_time=self.spec.wall_time,
                )
                yield self._job(material, motion, f"-{temperature:g}K-s{seed}")

    def _job(self, material: Material, motion: Motion | None, label: str) -> Job:
        asked = None if motion is None else dataclasses.asdict(motion)
        mobile = () if self.spec.md is None else self.spec.md.mobile
        payload = Payload(
            engine=_absolute(self.spec.engine),
            settings=dict(self.spec.settings),
            trust=dict(self.trust),
            engine_identity=self.engine.identity,
            atoms=document_of(material.atoms),
            material=material.name,
            motion=asked,
            mobile=mobile,
            wall_time=self.spec.wall_time,
        )
        identity = self._identity(material.atoms, asked, mobile)
        name = f"{material.name}{label}-{identity[:N_HASH]}"
        return Job(
            material=material.name,
            temperature=None if motion is None else motion.temperature,
            seed=None if motion is None else motion.seed,
            cell=Cell(
                name=name, identity=identity, payload=dataclasses.asdict(payload)
            ),
        )

    def _identity(
        self, atoms: Atoms, motion: dict[str, Any] | None, mobile: tuple[str, ...]
    ) -> str:
        kept = None
        if motion is not None:
            kept = {key: one for key, one in motion.items() if key != "wall_time"}
        parts = (
            f"job {JOB_VERSION}",
            self.engine.identity,
            structures_fingerprint([atoms]),
            json.dumps(kept, sort_keys=True),
            ",".join(mobile),
            *(f"multiplicity {atoms.info[one]}" for one in atoms.info),
        )
        if atoms.has(MOMENTS):
            parts += (f"moments {atoms.arrays[MOMENTS].tolist()}",)
        return fingerprint(one.encode() for one in parts)


def _absolute(engine: str) -> str:
    """Return the name of an engine, a path in it so that workers find it."""
    kind, colon, argument = engine.partition(":")
    path = Path(argument)
    if kind == "model" and argument and (is_file(path) or is_folder(path)):
        return f"{kind}{colon}{path.resolve()}"
    return engine
