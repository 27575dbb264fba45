"""The layout of ``fidelity.json``."""

from typing import Annotated, Any, Literal

from pydantic import Field

from atomgraft.records.documents import Provenance, Record, RecordFile
from atomgraft.records.scores import Score
from atomgraft.run.record import BaseCard, DataCard

FIDELITY_VERSION = 1

Interval = tuple[float, float]

Answer = Literal["yes", "no", "not resolved"]


class LevelCard(Record):
    """One level of theory."""

    name: str
    """``target``, or the name of a source."""
    n_pool: int
    """Structures to train on."""
    n_test: int
    """Held-out structures with labels of this level."""
    seconds: float | None
    """Processor time of one label, s."""


class Model(Record):
    """One trained model: of a source, or of the target."""

    name: str
    """Its folder under ``cells``."""
    strategy: str
    """``source``, ``alone``, ``fine-tuning``, ``multi-head``, ``all-heads``,
    ``delta``."""
    base: str
    recipe: str
    """By which it was trained last."""
    source: str | None = None
    """The other level of theory; several are joined by ``+``."""
    n_source: int = 0
    """Structures of each source."""
    kept: str = "all"
    """Labels of the source that were used."""
    n_target: int = 0
    seed: int
    starts_from: str | None = None
    """The model that was fine-tuned."""
    status: Literal["done", "failed", "open"]
    reason: str | None = None
    scores: tuple[Score, ...] = ()
    """Errors on held-out structures of its own level; of ``adapted``, and of ``base``:
    the model before it was trained, with reference energies fitted."""
    n_trainable: int | None = None
    seconds: float | None = None
    """Of training."""
    versions: dict[str, str] = Field(default_factory=dict[str, str])
    device: str = ""


class Target(Record):
    """The error that is shown."""

    quantity: str
    metric: str
    unit: str


class Row(Record):
    """The same model over its seeds."""

    strategy: str
    base: str
    recipe: str
    source: str | None
    n_source: int
    kept: str
    n_target: int
    value: float
    """Geometric mean of the errors."""
    interval: Interval | None = None
    """95 %, Student's on the logarithms; none for fewer than five seeds."""
    range: Interval | None = None
    n_seeds: int
    over_alone: float | None = None
    """Error over that of the target alone with the same base, labels and seeds:
    geometric mean."""
    over_alone_range: Interval | None = None
    """Smallest and largest of the seeds."""
    source_error: float | None = None
    """Of the model it was fine-tuned from, on the source's own labels."""
    untrained: float | None = None
    """The same before fine-tuning, on the target."""
    is_at_floor: bool = False
    """The line between errors does not hold here: fine-tuning limits the error."""


class Line(Record):
    """A straight line of logarithms: error after fine-tuning by error before."""

    base: str | None
    """None: of several bases together."""
    recipe: str
    kept: str
    n_target: int
    source: str | None
    """None: of all sources together."""
    n_points: int
    n_at_floor: int
    """Points that were left out."""
    slope: float | None = None
    slope_interval: Interval | None = None
    amplitude: float | None = None
    """Error after fine-tuning where the source's model has an error of one unit."""
    r_squared: float | None = None
    reason: str
    """What was fitted, or why nothing was."""


class Claim(Record):
    """A question that the table answers."""

    question: str
    answer: Answer
    sentence: str
    """With numbers."""


class Fidelity(Record):
    """The result of a study of levels of theory; written by ``fidelity``."""

    schema_version: Annotated[int, Field(ge=1)] = FIDELITY_VERSION
    name: str
    finished: bool
    spec: dict[str, Any]
    bases: tuple[BaseCard, ...]
    data: tuple[DataCard, ...]
    levels: tuple[LevelCard, ...]
    source_sizes: tuple[int, ...]
    sizes: tuple[int, ...]
    models: tuple[Model, ...]
    target: Target | None
    """None until a cell is done."""
    rows: tuple[Row, ...]
    lines: tuple[Line, ...]
    claims: tuple[Claim, ...]
    headline: str
    sentences: tuple[str, ...]
    provenance: tuple[Provenance, ...]


FIDELITY = RecordFile(
    file="fidelity.json",
    record=Fidelity,
    version=FIDELITY_VERSION,
    upgrades={},
    title="study of levels of theory",
    command="atomgraft fidelity",
    broken="Run 'atomgraft fidelity' on its folder again; finished cells are kept.",
)
