"""From what was seen of all models to scores, curves and what could not be told."""

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal

import numpy as np
from jaxtyping import Float

from atomgraft.evaluation.motion.measure import (
    ANGLE_EDGES,
    DISTANCES,
    Key,
    Measured,
    measured,
    radial_rows,
    shell_end,
)
from atomgraft.evaluation.motion.record import (
    CHANCE,
    CHANGE,
    ERROR,
    NOISE,
    SUITE,
    UNITS,
    VALUE,
    Comparison,
    Curve,
    Effect,
    Failure,
    MotionCondition,
    MotionRecord,
    Number,
    group_name,
)
from atomgraft.evaluation.motion.setup import BIN, Condition, Plan
from atomgraft.evaluation.motion.trials import Trial
from atomgraft.evaluation.moving import FS_PER_PS
from atomgraft.evaluation.suite import Answers
from atomgraft.evaluation.survival.criteria import INTACT
from atomgraft.metrics.differences import PERCENT, change_interval, difference
from atomgraft.metrics.intervals import FEWEST, student_interval, student_quantile
from atomgraft.metrics.spectra import (
    HANN_WIDTH,
    THZ,
    as_density,
    highest,
    verlet_shift,
)
from atomgraft.page.wording import number_text
from atomgraft.records.scores import ModelName, Score

WARM = 0.1
"""Relative difference between kinetic and asked temperature that matters ..."""

SURE = 0.995
"""... where it is no chance, either: a point of Student's distribution over runs. In
short runs of few atoms the kinetic temperature is known to tens of per cent."""

SHIFTED = 0.01
"""Relative error of the highest frequency from which on a timestep is too long."""

REFERENCE = "reference"

DIGITS = 5
"""Significant digits of the values of curves."""

Name = ModelName | Literal["reference"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Standard:
    """What models are compared with.

    Parameters
    ----------
    said
        In words.
    trials
        By condition; none compares models with the base.
    """

    said: str
    trials: Sequence[Trial] | None


def answers(
    plan: Plan,
    trials: Mapping[ModelName, Sequence[Trial]],
    standard: Standard,
) -> Answers:
    """Return scores, curves and what could not be told, of all conditions.

    Parameters
    ----------
    plan
        What every contestant has done.
    trials
        By model and condition.
    standard
        What they are compared with.
    """
    found: list[MotionCondition] = []
    scores: list[Score] = []
    unanswered: list[str] = []
    for k, condition in enumerate(plan.conditions):
        own: dict[Name, Trial] = {}
        if standard.trials is not None:
            own[REFERENCE] = standard.trials[k]
        own |= {name: one[k] for name, one in trials.items()}
        one = _Judged(plan=plan, condition=condition, trials=own, said=standard.said)
        record, doubts = one.record()
        found.append(record)
        unanswered += doubts
        scores += _runs(own, condition)
        scores += _scores(record, has_reference=standard.trials is not None)
    return Answers(
        scores=tuple(scores),
        details=_record(plan, standard, found).model_dump(mode="json"),
        unanswered=tuple(unanswered),
    )


@dataclasses.dataclass(frozen=True, kw_only=True)
class _Judged:
    """One condition, with the trials of all models and of the reference."""

    plan: Plan
    condition: Condition
    trials: Mapping[Name, Trial]
    said: str

    @property
    def against(self) -> Name:
        """Whom all are compared with."""
        return REFERENCE if REFERENCE in self.trials else "base"

    @property
    def place(self) -> str:
        kind = "the melt" if self.condition.is_melt else "the crystal"
        return f"{kind} at {self.condition.temperature:g} K"

    def record(self) -> tuple[MotionCondition, list[str]]:
        """Return everything of this condition, and sentences on what is missing."""
        failures = tuple(
            Failure(model=name, said=said)
            for name, trial in self.trials.items()
            for said in self._faults(trial)
        )
        nothing = MotionCondition(
            temperature=self.condition.temperature,
            is_melt=self.condition.is_melt,
            cutoff=None,
            failures=failures,
        )
        if obstacle := self._obstacle():
            return nothing, [obstacle]
        sound: dict[Name, Trial] = {
            name: one for name, one in self.trials.items() if one.frames
        }
        if self._is_folded():
            bare = dataclasses.replace(sound[self.against], spectra=None)
            sound[self.against] = bare
        radial = {name: radial_rows(one, self.plan) for name, one in sound.items()}
        cutoff = shell_end(radial[self.against][""])
        doubts = list(self._doubts())
        is_of_crystal = cutoff is None
        if cutoff is None:
            cutoff = self.plan.system.intact
            doubts.append(
                f"g(r) of {self.place} has no minimum below {self.plan.reach:g} Å; the "
                f"first shell ends at {cutoff:.3g} Å, between those of the crystal."
            )
        found: dict[Name, Measured] = {
            name: measured(
                one,
                radial[name],
                cutoff,
                self.plan,
                is_melt=self.condition.is_melt,
            )
            for name, one in sound.items()
        }
        comparisons = tuple(self._compared(found))
        filled = {
            "cutoff": cutoff,
            "is_cutoff_of_crystal": is_of_crystal,
            "curves": tuple(_curves(found, self.plan)),
            "numbers": tuple(_numbers(found)),
            "comparisons": comparisons,
        }
        return nothing.model_copy(update=filled), doubts

    def _obstacle(self) -> str | None:
        """Return why nothing can be compared here, if so."""
        trial, who = self.trials[self.against], self._who()
        shorter = f"--set motion.timestep={self.plan.timestep / 2:g}"
        T = self.condition.temperature
        if trial.failures:
            return (
                f"{_counted_runs(len(trial.failures))} of {who} failed in {self.place} "
                f"({', '.join(sorted(set(trial.failures)))}); nothing is compared "
                f"there. Give a lower temperature or a shorter timestep: {shorter}"
            )
        if self._has_molten(trial):
            seen = "melts" if len(trial.intact) else f"is molten ({_near(trial)})"
            return (
                f"{capital(who)} {seen} at {T:g} K, where a crystal was asked; nothing "
                "is compared there. Give a lower temperature, or ask for the melt: "
                "--set motion.melt=K"
            )
        if self._has_stayed(trial):
            return (
                f"{capital(who)} did not melt at {self.plan.melt:g} K; nothing is "
                f"compared in {self.place}. Raise motion.melt or motion.melt_time."
            )
        if self._is_warm(trial) and trial.is_read:
            return (
                f"Velocities of {who} are those of {trial.temperatures.mean():.0f} K, "
                f"and its frames are said to be at {T:g} K; nothing is compared there. "
                "Correct their temperature (or motion.reference_temperature), or leave "
                "out frames that are not settled, or momenta where bonds were held."
            )
        if self._is_warm(trial):
            return (
                f"{capital(who)} is at {trial.temperatures.mean():.0f} K where {T:g} K "
                "were asked; nothing is compared there. Give a longer motion.settle, "
                f"or a shorter timestep: {shorter}"
            )
        return None

    def _who(self) -> str:
        is_given = self.against == REFERENCE
        return f"the reference ({self.said})" if is_given else "the base"

    def _is_warm(self, trial: Trial) -> bool:
        asked, heat = self.condition.temperature, trial.temperatures
        n = len(heat)
        if n == 0:
            return False
        apart = abs(float(heat.mean()) - asked)
        error = float(heat.std(ddof=1)) / np.sqrt(n) if n > 1 else 0.0
        chance = student_quantile(max(n - 1, 1), SURE) * error
        return bool(apart > max(WARM * asked, chance))

    def _has_molten(self, trial: Trial) -> bool:
        intact = trial.intact
        is_lost = float(intact.mean()) < INTACT if len(intact) else _flows(trial)
        return is_lost and not self.condition.is_melt

    def _has_stayed(self, trial: Trial) -> bool:
        """Tell whether what should be a melt is still the crystal."""
        intact = trial.intact
        is_kept = len(intact) > 0 and float(intact.mean()) >= INTACT
        return is_kept and self.condition.is_melt

    def _faults(self, trial: Trial) -> Iterator[str]:
        """Yield what is wrong with the runs of one model."""
        if trial.failures:
            n = len(trial.failures)
            why = ", ".join(sorted(set(trial.failures)))
            yield f"{n} of {n + len(trial.frames)} runs failed in {self.place}: {why}."
        if self._is_warm(trial):
            yield (
                f"The kinetic temperature of {self.place} is "
                f"{trial.temperatures.mean():.0f} K: it is not settled, or the model "
                "heats it."
            )
        if self._has_molten(trial):
            yield f"The crystal melts at {self.condition.temperature:g} K."
        if self._has_stayed(trial):
            share = 100 * trial.intact.mean()
            yield (
                f"{share:.0f} % of the crystal's bonds are intact in {self.place}: it "
                f"did not melt at {self.plan.melt:g} K. Raise motion.melt or "
                "motion.melt_time."
            )

    def _doubts(self) -> Iterator[str]:
        """Yield what limits the meaning of comparisons here."""
        top = self._top()
        shift = 0.0 if top is None else verlet_shift(top, self.plan.timestep)
        if shift > SHIFTED:
            yield (
                f"A timestep of {self.plan.timestep:g} fs is too long in {self.place}: "
                f"it raises the highest frequency, {top:.3g} THz, by "
                f"{100 * shift:.2g} %. Give a shorter one: --set "
                f"motion.timestep={self.plan.timestep / 2:g}"
            )
        yield from self._unchecked(self.trials[self.against])
        if self.trials[self.against].has_gaps:
            yield (
                f"Vibrations and displacements of {self.place} are not compared: the "
                f"frames of {self.said} at {self.condition.temperature:g} K do not "
                "follow each other in the file, or atoms change places between two. "
                "Give a trajectory that stays at each temperature, with its atoms in "
                "one order and frames close in time."
            )
        elif self.trials[self.against].spectra is None:
            yield (
                f"Vibrations of {self.place} are not compared: frames of {self.said} "
                "need momenta that are not zero, equal times (time=FEMTOSECONDS, or "
                "--set motion.reference_interval=FS), and a whole window "
                f"(motion.window) in each of {self.plan.n_replicas} blocks."
            )
        elif self._is_folded():
            yield (
                f"Vibrations of {self.place} are not compared: from frames of "
                f"{self.said} frequencies up to "
                f"{self.trials[self.against].highest:.3g} THz can be told, and the "
                f"base has them up to {top:.3g} THz. Give frames that are closer in "
                "time."
            )

    def _unchecked(self, trial: Trial) -> Iterator[str]:
        """Yield what could not be checked of a trajectory that is the reference."""
        if not trial.is_read:
            return
        if len(trial.temperatures) == 0:
            yield (
                f"The temperature of {self.said} in {self.place} is taken as it is "
                "said: its frames have no momenta, and it was not checked."
            )
        if len(trial.intact) == 0 and not _flows(trial):
            asked = "molten" if self.condition.is_melt else "crystalline"
            yield (
                f"That {self.said} is {asked} in {self.place} was not checked: its "
                "first frame at this temperature has not the atoms of the crystal at "
                f"their sites, in their order and cell, and {_near(trial)}."
            )

    def _top(self) -> float | None:
        """Return the highest frequency of the base, THz."""
        spectra = self.trials["base"].spectra
        if spectra is None or len(spectra) == 0:
            return None
        states = as_density(spectra, 1.0).sum(axis=1).mean(axis=0)
        return highest(states, self.plan.frequencies)

    def _is_folded(self) -> bool:
        """Tell whether frames of the reference are too far apart for vibrations."""
        top = self._top()
        return top is not None and self.trials[self.against].highest < top

    def _compared(self, found: Mapping[Name, Measured]) -> Iterator[Comparison]:
        beside = found[self.against].rows
        for name, one in found.items():
            if name in {REFERENCE, self.against}:
                continue
            for key, rows in one.rows.items():
                if key in beside and (rows.any() or beside[key].any()):
                    yield self._comparison(name, key, found)

    def _comparison(
        self, name: Name, key: Key, measures: Mapping[Name, Measured]
    ) -> Comparison:
        quantity, part = key
        rows = measures[name].rows[key]
        found = difference(rows, measures[self.against].rows[key], DISTANCES[quantity])
        if quantity not in UNITS and found.interval is not None:
            low, high = found.interval  # distributions do not differ by more
            found = dataclasses.replace(found, interval=(low, min(high, PERCENT)))
        return Comparison.model_validate(
            {
                "model": name,
                "quantity": quantity,
                "part": part,
                "effect": self._effect(name, key, measures),
                "n_runs": len(rows),
                **dataclasses.asdict(found),
            }
        )

    def _effect(
        self, name: Name, key: Key, measures: Mapping[Name, Measured]
    ) -> Effect | None:
        """Return the error beside the base's, from the seeds that both have."""
        one, base = measures[name], measures.get("base")
        if name == "base" or self.against != REFERENCE:
            return None
        if base is None:
            return "too few runs"
        if key not in base.rows:
            return None
        shared = sorted(set(one.seeds) & set(base.seeds))
        own, theirs = (
            each.rows[key][[each.seeds.index(seed) for seed in shared]]
            for each in (one, base)
        )
        beside = measures[self.against].rows[key]
        return _word(change_interval(own, theirs, beside, DISTANCES[key[0]]))


def _counted_runs(n: int) -> str:
    return f"{n} run{'s' * (n > 1)}"


def capital(text: str) -> str:
    """Return a sentence with a capital letter.

    Examples
    --------
    >>> capital("the reference")
    'The reference'
    """
    return text[:1].upper() + text[1:]


def _word(interval: tuple[float, float] | None) -> Effect:
    if interval is None:
        return "too few runs"
    if interval[0] <= 0 <= interval[1]:
        return "unclear"
    return "better" if interval[1] < 0 else "worse"


def _curves(found: Mapping[Name, Measured], plan: Plan) -> Iterator[Curve]:
    for name, one in found.items():
        for (quantity, part), rows in one.rows.items():
            if quantity not in UNITS:
                mean = rows.mean(axis=0)
                yield Curve(
                    model=name, quantity=quantity, part=part, values=_rounded(mean)
                )
        if one.displacements is not None and one.lag is not None:
            mean = one.displacements.mean(axis=0)
            values = _at_lags(mean, one.lag, _lags(plan))
            yield Curve(model=name, quantity="displacement", values=values)


def _flows(trial: Trial) -> bool:
    """Tell whether atoms of a trajectory leave their neighbours, as in a melt alone."""
    return trial.still_near is not None and trial.still_near < INTACT


def _near(trial: Trial) -> str:
    """Say how many neighbours stay neighbours, which all crystals and glasses do."""
    if trial.still_near is None:
        return "its atoms cannot be followed"
    share = f"{100 * trial.still_near:.0f} %"
    return f"{share} of the neighbours in its first frame are neighbours at its end"


def _lags(plan: Plan) -> Float[np.ndarray, " lags"]:
    """Return the times of mean square displacements of all models, fs."""
    return plan.sample_interval * np.arange(plan.n_samples)


def _at_lags(
    mean: Float[np.ndarray, " own"], lag: float, at: Float[np.ndarray, " lags"]
) -> tuple[float | None, ...]:
    """Return displacements at other times; none beyond the last of their own."""
    own = lag * np.arange(len(mean))
    n = int((at <= own[-1] * (1 + 1e-9)).sum())
    known = _rounded(np.interp(at[:n], own, mean))
    return (*known, *[None] * (len(at) - n))


def _rounded(values: np.ndarray) -> tuple[float, ...]:
    return tuple(float(f"{one:.{DIGITS}g}") for one in values)


def _numbers(found: Mapping[Name, Measured]) -> Iterator[Number]:
    for name, one in found.items():
        for (quantity, _), rows in one.rows.items():
            if quantity in UNITS:
                yield Number(
                    model=name,
                    quantity=quantity,
                    n_runs=len(rows),
                    value=float(rows.mean()),
                    interval=student_interval(rows[:, 0]),
                )


def _runs(trials: Mapping[Name, Trial], condition: Condition) -> Iterator[Score]:
    """Yield how many runs of each model came to their end."""
    for name, one in trials.items():
        if name != REFERENCE:
            n = len(one.frames) + len(one.failures)
            yield Score(
                model=name,
                suite=SUITE,
                quantity="runs",
                metric="share",
                value=100 * len(one.frames) / n,
                unit="%",
                n=n,
                group=group_name(condition.temperature, is_melt=condition.is_melt),
            )


def _scores(record: MotionCondition, *, has_reference: bool) -> Iterator[Score]:
    metric = ERROR if has_reference else CHANGE
    for one in record.comparisons:
        told: dict[str, Any] = {
            "model": one.model,
            "suite": SUITE,
            "quantity": f"{one.quantity} {one.part}".strip(),
            "unit": "%",
            "n": one.n_runs,
            "group": record.group,
        }
        why = None if one.interval else f"fewer than {FEWEST} runs came to their end"
        yield Score(
            metric=metric,
            value=one.value,
            interval=one.interval,
            no_interval=why,
            **(told | _counted(one.n_runs)),
        )
        if one.part:
            continue  # noise and chance of parts are on the page alone
        yield Score(metric=NOISE, value=one.noise, **told)
        if one.p is not None:
            told["unit"] = "1"
            yield Score(metric=CHANCE, value=one.p, **told)
    for one in record.numbers:
        if one.model != REFERENCE:
            yield _property(record, one, one.model)


def _counted(n: int) -> dict[str, Any]:
    return {"n_independent": n, "independent": "trajectories"}


def _property(record: MotionCondition, one: Number, model: ModelName) -> Score:
    return Score(
        model=model,
        suite=SUITE,
        quantity=one.quantity,
        metric=VALUE,
        value=one.value,
        unit=UNITS[one.quantity],
        interval=one.interval,
        n=one.n_runs,
        group=record.group,
        **_counted(one.n_runs),
    )


def _record(
    plan: Plan, standard: Standard, found: Sequence[MotionCondition]
) -> MotionRecord:
    edges = plan.edges
    return MotionRecord(
        formula=plan.system.atoms.get_chemical_formula(),
        reference=standard.said,
        has_reference=standard.trials is not None,
        distances=_rounded(edges[:-1] + BIN / 2),
        angles=_rounded((ANGLE_EDGES[:-1] + ANGLE_EDGES[1:]) / 2),
        frequencies=_rounded(plan.frequencies),
        lags=_rounded(_lags(plan) / FS_PER_PS),
        conditions=tuple(found),
        settings=_settings(plan),
    )


def _settings(plan: Plan) -> dict[str, str]:
    def picoseconds(steps: int) -> str:
        return f"{number_text(steps * plan.timestep / FS_PER_PS)} ps"

    window = plan.n_window * plan.interval
    told = {
        "Runs in each condition": str(plan.n_replicas),
        "Timestep": f"{number_text(plan.timestep)} fs",
        "Settling": picoseconds(plan.n_settle),
        "Measured": picoseconds(plan.n_steps),
        "Configurations": f"every {plan.sample_interval:g} fs",
        "Velocities": f"every {plan.interval:g} fs",
        "Window of vibrations": (
            f"Hann, {number_text(window / FS_PER_PS)} ps, half overlapping: resolution "
            f"{number_text(HANN_WIDTH * THZ / window)} THz"
        ),
        "g(r) up to": f"{plan.reach:g} Å",
        "Steps made by": plan.engine,
    }
    if plan.melt is not None:
        told["Melting"] = f"{plan.melt:g} K, {picoseconds(plan.n_melt)}"
    return told
