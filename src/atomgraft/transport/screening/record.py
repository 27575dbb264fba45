"""The layout of ``screen.json``."""

from typing import Annotated

from pydantic import Field

from atomgraft.records.documents import Provenance, Record, RecordFile

SCREEN_VERSION = 1


class Ranked(Record):
    """A structure and its prediction."""

    name: str
    """File, and frame or block where it holds several."""
    formula: str
    predicted: float
    novelty: float
    """Distance to the nearest material that was learned from, in units of that which
    95 % of these have to the nearest of another group. Above one it is new."""
    unseen: tuple[str, ...] = ()
    """Elements that no material had that was learned from."""
    is_disordered: bool = False
    """It stands for several ordered structures."""


class LeftOut(Record):
    """A reason for which structures were not predicted."""

    reason: str
    n: int
    examples: tuple[tuple[str, str], ...]
    """Names, and what was found."""


class ScreenResult(Record):
    """A ranked list."""

    schema_version: Annotated[int, Field(ge=1)] = SCREEN_VERSION
    identity: str
    predictor: str
    """Its folder, as it was given."""
    method: str
    target: str
    unit: str
    mobile: str
    is_highest_best: bool
    half_widths: tuple[float, float]
    """Of intervals around predictions that hold 68 and 95 % of materials of new
    groups."""
    n_examples: int
    """Materials that the predictor has learned from."""
    elements: tuple[str, ...] = ()
    """Of these materials."""
    learned_ions: tuple[str, ...] = ()
    """Mobile ions of these materials."""
    expected: str
    """What the predictor's own validation says."""
    ranked: tuple[Ranked, ...]
    """The best first."""
    left_out: tuple[LeftOut, ...]
    n_from_cache: int
    """Structures whose features were there."""
    headline: str
    notices: tuple[str, ...] = ()
    provenance: tuple[Provenance, ...] = ()


SCREEN = RecordFile(
    file="screen.json",
    record=ScreenResult,
    version=SCREEN_VERSION,
    upgrades={},
    title="result",
    command="atomgraft screen",
    broken="Remove it and run 'atomgraft screen' again; computed features are kept.",
)
