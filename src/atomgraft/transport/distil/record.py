"""The layout of ``distil.json``."""

from typing import Annotated, Literal

from pydantic import Field

from atomgraft.records.documents import Provenance, Record, RecordFile

DISTIL_VERSION = 1

LOGARITHM = "log10 of "
"""Before the name of a property whose decimal logarithm is learned."""

Interval = tuple[float, float]

Answer = Literal["yes", "no", "unresolved"]


class ErrorRecord(Record):
    """Errors of a method on some materials."""

    n: int
    """Materials."""
    mean: float
    """Mean absolute error, in the unit of the property."""
    interval: Interval | None
    """95 %, whole groups resampled by a Student interval over groups."""
    root_mean_square: float
    rank: float | None
    """Spearman's correlation; none where predictions are all alike."""


class MethodRecord(Record):
    """One method in the table."""

    name: str
    summary: str
    is_control: bool
    validation: ErrorRecord
    """Groups held out, settings chosen inside each fold."""
    against_control: float | None
    """Error of the best control minus its own, mean over materials; positive is
    better. None for this control itself."""
    against_interval: Interval | None
    """Of this difference, 95 %, paired and over groups."""
    test: ErrorRecord | None
    test_against_control: float | None
    test_against_interval: Interval | None
    settings: dict[str, str]
    """Chosen on all materials that are learned from."""


class MotionRecord(Record):
    """Whether seeing motion helps a student that sees structure alone.

    Errors are those of validation, of the same divisions and seeds; differences are
    paired and over groups, with intervals of 95 %.
    """

    best: str
    """Of the students, the one with the smallest error."""
    second: str
    lead: float
    """Error of the second minus that of the best."""
    lead_interval: Interval | None
    gain: float
    """Error of a student whose teacher saw the motion of other materials, minus that of
    one whose teacher saw the right motion."""
    interval: Interval | None
    answer: Answer
    """``yes``: the interval is above zero; ``no``: it is below 5 % of the error."""


class PredictionRecord(Record):
    """A material, and what the chosen method said without having seen its group."""

    name: str
    group: int
    value: float
    is_limit: bool
    predicted: float
    is_test: bool


class DistilResult(Record):
    """Methods compared, and the one that was chosen."""

    schema_version: Annotated[int, Field(ge=1)] = DISTIL_VERSION
    identity: str
    """Hash of files and settings."""
    target: str
    unit: str
    mobile: tuple[str, ...]
    """Ions that move."""
    n_materials: int
    n_groups: int
    n_shared: int = 0
    """Test materials of groups that are learned from."""
    n_limits: int
    """Materials of which only an upper limit is known."""
    left_out: dict[str, str]
    """Materials that could not be used, with the reason."""
    bare: dict[str, str] = Field(default_factory=dict[str, str])
    """Materials that are described by their formula, because their structure could not
    be used, with the reason."""
    n_motion: int = 0
    """Materials that are learned from with known motion; each temperature counts."""
    motion: MotionRecord | None = None
    """None where no motion is known, or methods were not asked for."""
    unmet: tuple[str, ...] = ()
    """Methods that were asked for and need motion or a teacher, where there is none."""
    blocks: tuple[str, ...]
    """Of features."""
    n_features: int
    methods: tuple[MethodRecord, ...]
    """By their error in validation, the smallest first."""
    chosen: str
    """The method with the smallest error in validation."""
    best_control: str
    half_widths: tuple[float, float]
    """Of intervals around predictions that hold 68 and 95 % of new groups."""
    coverage: tuple[float, float] | None
    """Shares of the test materials inside; none without a test."""
    predictions: tuple[PredictionRecord, ...]
    headline: str
    notices: tuple[str, ...] = ()
    provenance: tuple[Provenance, ...] = ()


DISTIL = RecordFile(
    file="distil.json",
    record=DistilResult,
    version=DISTIL_VERSION,
    upgrades={},
    title="result",
    command="atomgraft distil",
    broken="Remove it and run 'atomgraft distil' again; finished folds are kept.",
)
