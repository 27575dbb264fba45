"""From trajectories to the record, resumable by temperature."""

import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from ase.formula import Formula

from atomgraft.core.errors import BadInputError
from atomgraft.core.outputs import examine, held
from atomgraft.core.progress import Progress
from atomgraft.core.provenance import file_fingerprint, now
from atomgraft.core.reading import check_file
from atomgraft.core.seeding import numpy_generator
from atomgraft.core.specs import changes, listed
from atomgraft.core.storage import is_file
from atomgraft.run.folders import inputs_of
from atomgraft.study.sessions import Clock, provenance
from atomgraft.transport.diffusivity.arrhenius import ArrheniusLine, fit_arrhenius
from atomgraft.transport.diffusivity.conduction import charge_of, conductivity
from atomgraft.transport.diffusivity.groups import (
    framework_of,
    interval_of,
    samples_of,
    single_run,
    temperature_of,
)
from atomgraft.transport.diffusivity.kinisi_fit import require_kinisi
from atomgraft.transport.diffusivity.motion import Motion, read_motion
from atomgraft.transport.diffusivity.record import (
    DIFFUSIVITY,
    ArrheniusRecord,
    DiffusivityResult,
    Settings,
    TemperatureRecord,
    TrajectoryRecord,
)
from atomgraft.transport.diffusivity.spec import DiffusivitySpec
from atomgraft.transport.diffusivity.wording import headline, notices_of

N_BAND = 25
"""Temperatures at which the line and its interval are kept for the plot."""


def diffusivity(
    spec: DiffusivitySpec, folder: Path, *, progress: Progress | None = None
) -> DiffusivityResult:
    """Measure diffusion in trajectories; go on where an earlier call stopped.

    Parameters
    ----------
    spec
        What is asked.
    folder
        Where the result goes; made if it is not there.
    progress
        Called with what is done, trajectories done and trajectories in all.

    Raises
    ------
    BadInputError
        Something cannot be used as it is, or the folder holds another result.
    """
    clock = Clock(started=now(), counter=time.perf_counter())
    read = inputs_of(spec)
    examine(folder, "diffusivity", inputs=read)
    if spec.estimator == "kinisi":
        require_kinisi()
    for element in spec.mobile:
        charge_of(element, spec.charge)
    for name in spec.files:
        check_file(Path(name))
    prints = [file_fingerprint(Path(one)) for one in spec.files]
    identity = spec.identity(*prints)
    stored = _stored(folder, spec, identity)
    if stored is not None and stored.finished:
        return stored
    work = _Work(spec, prints, clock, progress)
    started = work.begun(identity) if stored is None else stored
    with held(folder, "diffusivity", inputs=read):
        return work.run(folder, started)


def _stored(
    folder: Path, spec: DiffusivitySpec, identity: str
) -> DiffusivityResult | None:
    """Return what an earlier call left, or refuse to overwrite something else."""
    if not is_file(folder / DIFFUSIVITY.file):
        return None
    stored = DIFFUSIVITY.read(folder)
    if stored.identity != identity:
        differing = changes(
            stored.settings.model_dump(mode="json"),
            _settings(spec).model_dump(mode="json"),
        )
        what = (
            listed(differing)
            if differing
            else ("other trajectories, temperatures, steps or charges")
        )
        raise BadInputError(
            f"{folder} holds the diffusivity of other trajectories or settings: "
            f"{what}.",
            "A folder holds one result, which is not overwritten.",
            "Choose another folder with --out, or remove this one.",
        )
    return stored


def _settings(spec: DiffusivitySpec) -> Settings:
    given = spec.model_dump(include=set(Settings.model_fields))
    return Settings(**given)


class _Work:
    """Reads the trajectories of one temperature after the other."""

    def __init__(
        self,
        spec: DiffusivitySpec,
        prints: Sequence[str],
        clock: Clock,
        progress: Progress | None,
    ) -> None:
        self.spec, self.prints, self.clock = spec, prints, clock
        self.progress = progress
        places = range(len(spec.files))
        self.temperatures = sorted({spec.temperature_of(i) for i in places})
        self.of_temperature = {
            one: [i for i in places if spec.temperature_of(i) == one]
            for one in self.temperatures
        }

    def begun(self, identity: str) -> DiffusivityResult:
        """Return a result with the lowest temperature; nothing is written."""
        result = DiffusivityResult(
            name=Path(self.spec.files[0]).name,
            formula="",
            finished=False,
            identity=identity,
            reference="",
            settings=_settings(self.spec),
        )
        result = self._with(result, self.temperatures[0])
        if len(self.temperatures) == 1:
            _refuse_molten(result)
        return result

    def run(self, folder: Path, result: DiffusivityResult) -> DiffusivityResult:
        """Work through the temperatures that are left, and write after each."""
        earlier = result.provenance
        done = {one.temperature for one in result.trajectories}
        for temperature in self.temperatures:
            if temperature in done:
                continue
            self._written(folder, result, earlier)
            result = self._with(result, temperature)
        _refuse_molten(result)
        update = {"arrhenius": _arrhenius(result, self.spec), "finished": True}
        return self._written(folder, result.model_copy(update=update), earlier)

    def _with(self, result: DiffusivityResult, temperature: float) -> DiffusivityResult:
        """Return a result with one temperature more."""
        motions: list[Motion] = []
        for i in self.of_temperature[temperature]:
            self._tell(f"reading {Path(self.spec.files[i]).name}", i)
            motions.append(read_motion(self.spec, i))
        self._tell(f"analysing {temperature:g} K", self.of_temperature[temperature][-1])
        formula = _formula(motions, result.formula)
        records: list[TrajectoryRecord] = []
        used: list[Motion] = []
        for i, motion in zip(self.of_temperature[temperature], motions, strict=True):
            record = _trajectory(motion, self.spec, self.prints[i])
            records.append(record)
            used += [motion] if record.is_used else []
        more = (temperature_of(used, self.spec),) if used else ()
        return result.model_copy(
            update={
                "formula": formula,
                "reference": _reference(motions[0], self.spec),
                "trajectories": (*result.trajectories, *records),
                "temperatures": (*result.temperatures, *more),
            }
        )

    def _written(
        self, folder: Path, result: DiffusivityResult, earlier: tuple
    ) -> DiffusivityResult:
        session = provenance("diffusivity", self.clock, torch.device("cpu"), "float64")
        result = result.model_copy(update={"provenance": (*earlier, session)})
        said = {"headline": headline(result), "notices": notices_of(result)}
        result = result.model_copy(update=said)
        DIFFUSIVITY.write(folder, result)
        return result

    def _tell(self, what: str, i: int) -> None:
        if self.progress is None:
            return
        in_order = [i for one in self.temperatures for i in self.of_temperature[one]]
        self.progress(what, in_order.index(i), len(in_order))


def _trajectory(
    motion: Motion, spec: DiffusivitySpec, fingerprint: str
) -> TrajectoryRecord:
    framework = framework_of(motion, spec)
    return TrajectoryRecord(
        file=motion.file,
        fingerprint=fingerprint,
        temperature=motion.temperature,
        n_frames=motion.n_frames,
        step=1000 * motion.step,
        length=motion.length,
        drift=motion.drift,
        volume_change=100 * motion.volume_change,
        framework=framework.parts,
        is_molten=framework.is_molten,
        is_used=spec.keep_molten or not framework.is_molten,
        diffusivity=single_run(motion, spec),
        notes=motion.notes,
    )


def _formula(motions: Sequence[Motion], known: str) -> str:
    """Return the formula of all motions, or refuse several."""
    at_once = {"".join(sorted(one.symbols)) for one in motions}
    texts = [
        Formula.from_list(sorted(one.symbols)).reduce()[0].format("metal")
        for one in motions
    ]
    for text, motion in zip(texts, motions, strict=True):
        if text != (known or texts[0]):
            raise BadInputError(
                f"{motion.file} is of {text}, another trajectory of "
                f"{known or texts[0]}.",
                "Expected trajectories of one material.",
                "Run the command once for each material.",
            )
    if len(at_once) > 1:
        raise BadInputError(
            f"The trajectories at {motions[0].temperature:g} K have cells of "
            "different size: "
            + ", ".join(f"{one.file} {len(one.symbols)} atoms" for one in motions)
            + ".",
            "Runs at one temperature are averaged, and need the same number of atoms.",
            "Run the command once for each cell, which also shows the effect of size.",
        )
    return texts[0]


def _reference(motion: Motion, spec: DiffusivitySpec) -> str:
    if not motion.has_framework:
        return "centre of mass of all atoms (no species is immobile)"
    held = sorted(set(motion.symbols) - set(spec.mobile))
    return f"centre of mass of the framework: {', '.join(held)}"


def _refuse_molten(result: DiffusivityResult) -> None:
    """Raise BadInputError where every framework is molten."""
    runs = result.trajectories
    if any(one.is_used for one in runs):
        return
    parts = [part for one in runs for part in one.framework if part.diffuses]
    most = max(parts, key=lambda one: one.msd)
    whose = "The framework" if len(runs) == 1 else f"The framework of all {len(runs)}"
    place = f" of {runs[0].file}" if len(runs) == 1 else " trajectories"
    raise BadInputError(
        f"{whose}{place} is molten: {most.element} diffuses, with an MSD of "
        f"{most.msd:.3g} Å² at the longest window.",
        "Expected a solid in which only the mobile ions diffuse.",
        "Use a lower temperature, name all mobile species with --mobile, or analyse "
        "the melt with --keep-molten.",
    )


def _arrhenius(
    result: DiffusivityResult, spec: DiffusivitySpec
) -> tuple[ArrheniusRecord, ...]:
    found: list[ArrheniusRecord] = []
    for element in spec.mobile:
        points = [
            (one, ion)
            for one, ion in result.ions()
            if ion.element == element and ion.quantiles
        ]
        if len(points) > 1:
            temperatures = [one for one, _ in points]
            found.append(_line(element, temperatures, spec))
    return tuple(found)


def _line(
    element: str, records: Sequence[TemperatureRecord], spec: DiffusivitySpec
) -> ArrheniusRecord:
    temperatures = [one.temperature for one in records]
    ions = [next(i for i in one.ions if i.element == element) for one in records]
    samples = [
        samples_of(
            ion,
            numpy_generator(spec.seed, "arrhenius", element, f"{kelvin:g}").random(
                spec.n_samples
            ),
        )
        for ion, kelvin in zip(ions, temperatures, strict=True)
    ]
    line = fit_arrhenius(temperatures, samples)
    target = spec.extrapolate
    there = line.at(target)
    last = ions[0]
    factor = conductivity(1.0, last.n_ions * last.charge**2, records[0].volume, target)
    return ArrheniusRecord(
        element=element,
        temperatures=tuple(temperatures),
        energy=interval_of(line.energy),
        log10_prefactor=interval_of(line.log_prefactor / np.log(10)),
        p_line=line.p_line,
        widening=line.widening,
        extrapolated_to=target,
        diffusivity=interval_of(there),
        conductivity=interval_of(factor * there),
        is_extrapolation=not min(temperatures) <= target <= max(temperatures),
        band=_band(line, [*temperatures, target]),
    )


def _band(
    line: ArrheniusLine, temperatures: Sequence[float]
) -> tuple[tuple[float, float, float, float], ...]:
    """Return temperature, median and 95 % interval along a line."""
    inverse = np.linspace(1 / max(temperatures), 1 / min(temperatures), N_BAND)

    def point(kelvin: float) -> tuple[float, float, float, float]:
        middle, low, high = np.quantile(line.at(kelvin), (0.5, 0.025, 0.975))
        return kelvin, float(middle), float(low), float(high)

    return tuple(point(float(1 / one)) for one in inverse)
