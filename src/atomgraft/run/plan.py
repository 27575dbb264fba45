"""What a run will do, said once for contract, run and result, and what it costs."""

import dataclasses
import json
import time
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from ase import Atoms
from ase.data import chemical_symbols

from atomgraft.adaptation.base import Adapted
from atomgraft.adaptation.movement import coverage
from atomgraft.core.errors import BadInputError
from atomgraft.core.outputs import examine
from atomgraft.core.provenance import fingerprint, now
from atomgraft.core.specs import listed
from atomgraft.core.trust import NO_TRUST, Trust
from atomgraft.data.labels import structures_fingerprint
from atomgraft.metrics.intervals import mean_interval
from atomgraft.page.wording import counted
from atomgraft.run.contract import Contract, Cost, Terms, differences
from atomgraft.run.folders import data_cards, finished_run, inputs_of
from atomgraft.run.inputs import Inputs, base_card, read_inputs
from atomgraft.run.places import base_run, runs_of
from atomgraft.run.record import RoleCoverage
from atomgraft.run.rehearsal import rehearsal_record
from atomgraft.run.setup import Setup, set_up, trained_on
from atomgraft.run.spec import SCRATCH, SPEC, RunSpec, scratch_spec
from atomgraft.run.starts import stand_in
from atomgraft.run.structures import OF_BASE, RunData, about_the_base, read_run_data
from atomgraft.study.sessions import Clock, provenance
from atomgraft.training.checkpoint import read_state
from atomgraft.training.devices import make_fabric
from atomgraft.training.loop import Job
from atomgraft.training.probe import BUDGET, Probe, probe

if TYPE_CHECKING:
    from lightning_fabric import Fabric


def terms_of(
    spec: RunSpec,
    inputs: Inputs,
    setup: Setup,
    *,
    base_run: Terms | None = None,
    has_stand_in: bool = False,
) -> Terms:
    """Return what will be done, from the very objects that do it.

    Parameters
    ----------
    spec
        The run.
    inputs
        What it reads.
    setup
        What it sets up.
    base_run
        The terms of the run that makes the base, if that was planned as well.
    has_stand_in
        The base is not trained yet.
    """
    job = job_of(spec, Path(), inputs, setup)
    kept = setup.adapted.potential.elements
    return Terms(
        spec=spec.model_dump(mode="json"),
        base=base_card(inputs.base, inputs.base_hash, inputs.element_map),
        data=data_cards(spec, inputs),
        differences=inputs.differences,
        elements_kept=tuple(chemical_symbols[number] for number in sorted(kept)),
        coverage=_coverage(setup.adapted),
        reference=setup.reference,
        heads=setup.heads,
        rehearsal=rehearsal_record(spec, inputs.rehearsal),
        n_steps=job.plan.steps,
        batch_size=job.batch_size(),
        base_run=base_run,
        has_stand_in=has_stand_in,
    )


def hold_to(planned: Terms, found: Terms) -> None:
    """Refuse a run that is not the one that was planned.

    Parameters
    ----------
    planned
        From the contract.
    found
        What would be done now.

    Raises
    ------
    BadInputError
        They differ; the first differences are named.
    """
    differing = differences(planned, found)
    if not differing:
        return
    raise BadInputError(
        f"This is not the run that was planned: {listed(differing)}.",
        "With --plan, a run must agree with its plan.",
        "Plan it again with 'atomgraft plan', or leave --plan out.",
    )


def hold_to_spec(planned: Terms, spec: RunSpec) -> None:
    """Refuse another spec than the planned one, before any run begins.

    Parameters
    ----------
    planned
        From the contract.
    spec
        The run.

    Raises
    ------
    BadInputError
        They differ; the first differences are named.
    """
    found = planned.model_copy(update={"spec": spec.model_dump(mode="json")})
    hold_to(planned, found)


def job_of(spec: RunSpec, folder: Path, inputs: Inputs, setup: Setup) -> Job:
    """Return what the training loop works on.

    Parameters
    ----------
    spec
        The run.
    folder
        Where checkpoint and metrics go.
    inputs
        What it reads.
    setup
        What it sets up; its movement is trained.
    """
    return Job(
        adapted=setup.adapted,
        train=inputs.train,
        validation=inputs.validation,
        plan=spec.training,
        learning_rate=spec.learning_rate,
        seed=spec.seed,
        folder=folder,
        pins=pins_of(spec, inputs),
        knobs=spec.knobs,
        others=setup.streams,
    )


def pins_of(spec: RunSpec, inputs: Inputs) -> dict[str, str]:
    """Return what a checkpoint must belong to.

    Parameters
    ----------
    spec
        The run.
    inputs
        What it reads.
    """
    pins = {
        "spec": spec.identity(),
        "data": structures_fingerprint(
            [*inputs.train, *inputs.validation, *_further(inputs)]
        ),
        "base": inputs.base_hash,
    }
    lone = [*inputs.isolated]
    lone += [atoms for head in inputs.heads.values() for atoms in head.isolated]
    if lone:
        pins["isolated"] = structures_fingerprint(lone)
    if inputs.differences:
        document = [one.model_dump(mode="json") for one in inputs.differences]
        pins["differences"] = fingerprint([json.dumps(document).encode()])
    return pins


def _further(inputs: Inputs) -> list[Atoms]:
    """Return the structures of further heads; what is rehearsed follows from these."""
    return [
        atoms
        for head in inputs.heads.values()
        for atoms in (*head.train, *head.validation)
    ]


def _coverage(adapted: Adapted) -> tuple[RoleCoverage, ...]:
    """Return how much of each role moves."""
    return tuple(
        RoleCoverage(**dataclasses.asdict(one))
        for one in coverage(adapted.potential, adapted.movement)
    )


MARGIN = 0.1
"""Share by which the interval is wider than the spread of the timed steps: clock
rates, and what else a machine does."""


def draw_up(
    spec: RunSpec,
    folder: Path,
    *,
    with_scratch: bool = False,
    trust: Trust = NO_TRUST,
    fresh: bool = False,
    budget: float = BUDGET,
    data: RunData | None = None,
) -> Contract:
    """Say what a run would do and what it would cost; train nothing, write nothing.

    Everything up to the first step is done as `adapt` does it, and fails as it would.
    Then a few real steps are timed, and what they trained is thrown away.

    Parameters
    ----------
    spec
        The run.
    folder
        Where it would live; a run that was begun there is gone on with.
    with_scratch
        The same is also to be trained from fresh weights.
    trust
        Which checkpoints may run code.
    fresh
        What an earlier run left in the folder does not count.
    budget
        Seconds of timed steps, for each of the runs.
    data
        The structures, if they were read before.

    Raises
    ------
    BadInputError
        `adapt` would refuse this run.
    NonFiniteTrainingError
        It would fail in its first steps.
    """
    clock = Clock(started=now(), counter=time.perf_counter())
    for one, place in runs_of(spec, folder):
        examine(place, "adapt", inputs=inputs_of(one), fresh=fresh)
    draft = _Draft(trust=trust, fresh=fresh, budget=budget)
    sketch = draft.sketch(spec, folder, data or read_run_data(spec))
    scratch = None
    if with_scratch or (folder / SCRATCH / SPEC).exists():
        other = scratch_spec(spec)
        setup = set_up(other, sketch.inputs)
        scratch = sketch.prospect.cost(other, folder / SCRATCH, setup)
    device = sketch.prospect.fabric.device
    return Contract(
        folder=str(folder),
        terms=sketch.terms,
        cost=sketch.prospect.cost(spec, folder, sketch.setup),
        scratch=scratch,
        base_costs=sketch.base_costs,
        notices=sketch.notices,
        provenance=provenance("plan", clock, device, spec.dtype, spec.kernels),
    )


@dataclasses.dataclass(frozen=True, kw_only=True)
class _Sketch:
    """A run as far as it is known before it begins.

    Parameters
    ----------
    spec, folder
        Of the run.
    inputs, setup, terms
        As `adapt` would have them.
    notices
        What the user should know, of this run and of those that make its base.
    is_finished
        There is nothing left to do.
    prospect
        Tells what it costs.
    base_costs
        Of the runs that make the base, in their order.
    """

    spec: RunSpec
    folder: Path
    inputs: Inputs
    setup: Setup
    terms: Terms
    notices: tuple[str, ...]
    is_finished: bool
    prospect: "_Prospect"
    base_costs: tuple[Cost, ...]

    def cost(self) -> Cost:
        """Return what the run costs as a part of another, nothing once it is done."""
        if self.is_finished:
            return ALREADY_DONE
        return self.prospect.cost(self.spec, self.folder, self.setup)


ALREADY_DONE = Cost(
    seconds=0.0,
    interval=(0.0, 0.0),
    startup_seconds=0.0,
    n_steps_left=0,
    seconds_per_step=0.0,
    n_timed=0,
    n_validations=0,
    seconds_per_validation=0.0,
    peak_memory_mib=0.0,
    graft_bytes=0,
    basis="already finished",
)
"""Of a run that makes the base of another and has nothing left to do."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class _Draft:
    """Sets runs up to plan them, one after the other.

    Parameters
    ----------
    trust, fresh, budget
        As in `draw_up`.
    """

    trust: Trust
    fresh: bool
    budget: float

    def sketch(self, spec: RunSpec, folder: Path, data: RunData) -> _Sketch:
        """Set up a run, after the one that makes its base."""
        below = self._below(spec, folder, data)
        begin = time.perf_counter()
        base = None
        if below is not None and not below.is_finished:
            trained = trained_on(below.spec, below.inputs)
            adapted = below.setup.adapted
            base = stand_in(below.spec, below.folder, adapted, trained, spec.head)
        inputs = read_inputs(spec, folder, base=base, trust=self.trust, data=data)
        setup = set_up(spec, inputs)
        notices = list(inputs.notices)
        is_new = self.fresh or base is not None
        is_finished = not is_new and finished_run(folder, spec, inputs) is not None
        if is_finished:
            notices.append(f"{folder} is already finished; adapt would do nothing.")
        prospect = _Prospect(
            inputs=inputs,
            fabric=make_fabric(spec.device),
            startup=time.perf_counter() - begin,
            fresh=is_new,
            budget=self.budget,
        )
        return _Sketch(
            spec=spec,
            folder=folder,
            inputs=inputs,
            setup=setup,
            terms=terms_of(
                spec,
                inputs,
                setup,
                base_run=None if below is None else below.terms,
                has_stand_in=base is not None,
            ),
            notices=(*(() if below is None else below.notices), *notices),
            is_finished=is_finished,
            prospect=prospect,
            base_costs=() if below is None else (*below.base_costs, below.cost()),
        )

    def _below(self, spec: RunSpec, folder: Path, data: RunData) -> _Sketch | None:
        """Set up the run that makes the base; its notices say that they are of it."""
        found = base_run(spec, folder)
        if found is None or found[1].parent != folder:
            return None
        with about_the_base():
            sketch = self.sketch(*found, data.base or read_run_data(found[0]))
        notices = tuple(
            one if one.startswith(OF_BASE) else f"{OF_BASE}{one}"
            for one in sketch.notices
        )
        return dataclasses.replace(sketch, notices=notices)


@dataclasses.dataclass(frozen=True, kw_only=True)
class _Prospect:
    """What the costs of a run and of its baseline have in common.

    Parameters
    ----------
    inputs
        What both read.
    fabric
        Where both run.
    startup
        Seconds that reading and setting up took.
    fresh
        What is in their folders does not count.
    budget
        Seconds of timed steps.
    """

    inputs: Inputs
    fabric: "Fabric"
    startup: float
    fresh: bool
    budget: float

    def cost(self, spec: RunSpec, folder: Path, setup: Setup) -> Cost:
        """Time the first steps, and count what is left to do."""
        job = job_of(spec, folder, self.inputs, setup)
        done = 0 if self.fresh else _steps_done(job)
        trainables = setup.adapted.movement.named_trainables().values()
        n_bytes = sum(one.numel() * one.element_size() for one in trainables)
        probed = probe(job, self.fabric, budget=self.budget)
        return _cost(
            probed,
            n_steps=job.plan.steps - done,
            n_validations=_validations(job, done),
            startup=self.startup,
            graft_bytes=n_bytes,
            device=self.fabric.device,
        )


def _steps_done(job: Job) -> int:
    """Return the steps that an interrupted run has behind it."""
    state = read_state(job.folder, job.pins)
    return 0 if state is None else state.step


def _validations(job: Job, done: int) -> int:
    """Return how often validation sets are evaluated from a step on."""
    if not any(len(stream.validation) for stream in job.streams()):
        return 0
    steps, interval = job.plan.steps, job.plan.validation_interval()
    regular = steps // interval - done // interval
    return regular + (steps % interval != 0 and steps > done)


def _cost(
    probed: Probe,
    *,
    n_steps: int,
    n_validations: int,
    startup: float,
    graft_bytes: int,
    device: torch.device,
) -> Cost:
    """Add up what was measured."""
    times = np.array(probed.steps)
    mean, low, high, spread = 0.0, 0.0, 0.0, "range"
    if len(times):
        mean = float(times.mean())
        low, high = float(times.min()), float(times.max())
        known = mean_interval(times, np.ones(len(times))).interval
        if known is not None:
            (low, high), spread = known, "95 % interval"
    started = startup + probed.preparation
    fixed = n_validations * probed.validation
    return Cost(
        seconds=started + fixed + n_steps * mean,
        interval=(
            started + (fixed + n_steps * low) * (1 - MARGIN),
            started + (fixed + n_steps * high) * (1 + MARGIN),
        ),
        startup_seconds=started,
        n_steps_left=n_steps,
        seconds_per_step=mean,
        n_timed=len(times),
        n_validations=n_validations,
        seconds_per_validation=probed.validation,
        peak_memory_mib=probed.peak_memory_mib,
        graft_bytes=graft_bytes,
        basis=f"{counted(len(times), 'step')} timed on {device.type} with "
        f"{counted(torch.get_num_threads(), 'thread')}: their mean, its {spread} "
        f"and {MARGIN:.0%} either way",
    )
