"""The layout of ``result.json``, read without torch."""

from typing import Annotated, Any, Literal

from pydantic import Field

from atomgraft.records.documents import Provenance, Record, RecordFile
from atomgraft.records.scores import MovedWeights, Parity, Score, Verdict, with_sureness

SCHEMA_VERSION = 6


class RoleCoverage(Record):
    """How much of one role of the model moves."""

    role: str
    n_tensors: int
    n_tensors_moving: int
    n_weights: int
    n_weights_moving: int
    n_trainable: int
    """Trained numbers; fewer than the weights they move for low-rank deltas."""


class ElementMapRecord(Record):
    """Elements that started from others, and scales."""

    donors: dict[str, str]
    """By element."""
    length: float
    energy: float
    notes: tuple[str, ...]


class BaseCard(Record):
    """The model the run started from."""

    name: str
    framework: str
    head: str | None = None
    weights_hash: str
    licence: str
    n_weights: int
    cutoff: float
    """Å"""
    elements: tuple[str, ...]
    element_map: ElementMapRecord | None = None
    """What was done to the base before; hash, cutoff and elements are those after."""

    @property
    def map_text(self) -> str:
        """What was done to the base before, in words; empty for nothing."""
        if (done := self.element_map) is None:
            return ""
        parts = [f"{element} from {donor}" for element, donor in done.donors.items()]
        parts += [f"lengths × {done.length:g}"] if done.length != 1 else []
        parts += [f"energies × {done.energy:g}"] if done.energy != 1 else []
        return ", ".join(parts)


class SeenRecord(Record):
    """What a set of structures spans; pairs are the smallest and the largest."""

    formulas: dict[str, int]
    """Structures by reduced formula, the most frequent first."""
    kinds: dict[str, int]
    """Structures by ``config_type``, the most frequent first."""
    sizes: tuple[float, float] | None
    """Atoms of a structure."""
    temperatures: tuple[float, float] | None
    """K, where the files state it."""
    volumes: tuple[float, float] | None
    """Å³ per atom, of periodic structures."""
    strain: float | None
    """Largest principal strain at constant volume, among cells of one formula."""
    spreads: dict[str, float]
    """Standard deviation of the labels by quantity, in units of reports; energies
    per atom, without what the compositions alone explain."""


class DataCard(Record):
    """One set of labelled structures."""

    role: Literal["train", "validation", "test", "rehearsal"]
    head: str | None = None
    """Of a further level of theory; none is the head the run is made for."""
    files: tuple[str, ...]
    fingerprint: str
    n_structures: int
    n_atoms: int
    n_energies: int
    n_forces: int
    """Structures with forces."""
    n_stresses: int
    elements: tuple[str, ...]
    seen: SeenRecord | None = None
    """None in records that were written before it was kept."""


class DifferenceRecord(Record):
    """Which structures of a set train as force differences."""

    role: Literal["train", "validation"]
    head: str | None = None
    """Of a further level of theory; none is the head the run is made for."""
    n_structures: int
    n_by_symmetry: int = 0
    """F(u) - F(-u), where a symmetry of the undisplaced crystal gives F(-u)."""
    n_opposite: int = 0
    """F(u) - F(-u), where another structure has F(-u)."""
    n_undisplaced: int = 0
    """F(u) - F(0)."""
    n_reference: int = 0
    """The undisplaced crystals themselves: their forces are F(0), and teach nothing."""
    n_plain: int
    """Trained as they are."""


class ReferenceRefit(Record):
    """The closed-form shift of reference energies before the first step."""

    was_refitted: bool
    method: Literal["residual", "labels", "isolated"] = "residual"
    """What was fitted, if anything was: see ``axes.starts.references``."""
    shifts: dict[str, float]
    """eV per atom, by element symbol; added to the base's reference energies."""
    energies: dict[str, float] = Field(default_factory=dict[str, float])
    """Reference energies that follow, eV, by element symbol; none in older records."""
    isolated: dict[str, float] = Field(default_factory=dict[str, float])
    """Label energies of isolated atoms that took part, eV, by element symbol."""
    rank: int
    """Independent combinations of elements in the structures."""
    n_from_atoms: int = 0
    """Further combinations that isolated atoms determine."""
    condition: float
    n_energies: int
    is_identifiable: bool
    """False: compositions cannot tell the elements apart; minimum-norm is used."""
    residual_before: float | None = None
    """RMS energy residual of the base, meV/atom."""
    residual_after: float | None = None
    """The same after the shift, meV/atom."""
    note: str


class CurvePoint(Record):
    """One point of the learning curve."""

    step: int
    learning_rate: float
    loss: float
    validation: dict[str, float] | None = None
    """MAE by property in report units, where this step was validated."""


class StreamRecord(Record):
    """What one stream of structures took of the training."""

    name: str
    """``target``, ``rehearsal``, or the name of a further head."""
    n_structures: int
    """Different structures in it."""
    n_seen: int
    """Structures that the steps have seen, with repetition."""
    seconds: float
    share: float
    """Of the time of all streams."""


class HeadRecord(Record):
    """A further level of theory, trained beside the target."""

    name: str
    source_head: str | None = None
    """The head of the base it started from; none is the target's."""
    ratio: float
    weight: float
    reference: ReferenceRefit


class RehearsalRecord(Record):
    """What was rehearsed."""

    kind: Literal["pseudo", "data"]
    n_structures: int
    n_by_kind: dict[str, int]
    """Crystals, strained and substituted relatives; or frames of data."""
    note: str


class RidgeRecord(Record):
    """The readout solved in closed form before the first step."""

    strength: float
    """λ chosen by generalised cross-validation, in units of the mean square of X."""
    degrees_of_freedom: float
    n_directions: int
    n_rows: int
    residual_before: float
    """Root-mean-square residual in units of error."""
    residual_after: float
    seconds: float


class TrainingRecord(Record):
    """How the training went."""

    n_steps_planned: int
    n_steps_done: int
    best_step: int
    ended: str
    """Why it ended, in words."""
    seconds: float
    seconds_per_step: float
    peak_memory_mib: float
    n_split_batches: int = 0
    """Batches that were cut in two because memory ran out."""
    curve: tuple[CurvePoint, ...]
    streams: tuple[StreamRecord, ...] = ()
    """Where the structures of the steps came from."""


class RunResult(Record):
    """The result of a run; written by ``adapt``, extended by ``prove``."""

    schema_version: Annotated[int, Field(ge=1)] = SCHEMA_VERSION
    name: str
    finished: bool
    spec: dict[str, Any]
    base: BaseCard
    data: tuple[DataCard, ...]
    differences: tuple[DifferenceRecord, ...] = ()
    """Sets in which structures train as force differences; none trains as it is."""
    coverage: tuple[RoleCoverage, ...]
    reference: ReferenceRefit
    heads: tuple[HeadRecord, ...] = ()
    rehearsal: RehearsalRecord | None = None
    ridge: RidgeRecord | None = None
    training: TrainingRecord
    graft_bytes: int
    base_bytes: int
    """Size of the base's weights alone, for comparison with the graft."""
    scores: tuple[Score, ...] = ()
    details: dict[str, dict[str, Any]] = Field(
        default_factory=dict[str, dict[str, Any]]
    )
    """What suites show besides scores, by suite."""
    unanswered: dict[str, tuple[str, ...]] = Field(
        default_factory=dict[str, tuple[str, ...]]
    )
    """What suites could not tell, in words, by suite."""
    asked: dict[str, str] = Field(default_factory=dict[str, str])
    """When each suite was asked, by suite: `started` of that entry of `provenance`."""
    made_in: dict[str, str] = Field(default_factory=dict[str, str])
    """Working directory and run folder when it was made, for relative paths."""
    moved: MovedWeights | None = None
    """None until the run is judged."""
    verdict: Verdict
    provenance: tuple[Provenance, ...]
    """One entry for each command that added numbers."""


def _with_streams(known: dict[str, Any]) -> dict[str, Any]:
    """Version 2 has heads, rehearsal and streams; version 1 had none of them."""
    return known | {"schema_version": 2}


def _with_phonons(known: dict[str, Any]) -> dict[str, Any]:
    """Version 3 has phonons; version 2 had none."""
    return known | {"schema_version": 3}


def _with_scales(known: dict[str, Any]) -> dict[str, Any]:
    """Version 4 has moved weights, degrees of forgetting and what they rest on."""
    return known | {"schema_version": 4}


def _with_sureness(known: dict[str, Any]) -> dict[str, Any]:
    """Version 5 says what an interval is over, or why there is none."""
    return known | {
        "schema_version": 5,
        "scores": with_sureness(known.get("scores", [])),
    }


def _with_suites(known: dict[str, Any]) -> dict[str, Any]:
    """Version 6 has what a suite shows under its name, and rounding with labels."""
    kept = {k: one for k, one in known.items() if k not in {"parity", "phonons"}}
    details = {
        "labels": {"parity": known.get("parity", [])},
        "phonons": {"crystals": known.get("phonons", [])},
    }
    scores = [
        row | {"suite": "labels"} if row.get("metric") == "rounding" else row
        for row in known.get("scores", [])
    ]
    return kept | {
        "schema_version": 6,
        "scores": scores,
        "details": {k: one for k, one in details.items() if any(one.values())},
    }


RESULT = RecordFile(
    file="result.json",
    record=RunResult,
    version=SCHEMA_VERSION,
    upgrades={
        1: _with_streams,
        2: _with_phonons,
        3: _with_scales,
        4: _with_sureness,
        5: _with_suites,
    },
    title="result",
    command="atomgraft adapt",
    broken="Run the command that made it again.",
)


def parity_of(result: RunResult) -> tuple[Parity, ...]:
    """Return the points of the parity plots, of held-out labels."""
    rows = result.details.get("labels", {}).get("parity", ())
    return tuple(Parity.model_validate(one) for one in rows)
