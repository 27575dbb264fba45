"""The interface of test suites: one test for several models.

What is imported here is light, so that pages can say what a suite has found where no
model can be loaded; a suite imports what computes when it is asked.
"""

import abc
import dataclasses
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

from pydantic import BaseModel, ConfigDict

from atomgraft.core.progress import Progress
from atomgraft.records.scores import ModelName, Score

if TYPE_CHECKING:
    from ase import Atoms

    from atomgraft.models.base import AbstractPotential
    from atomgraft.page.blocks import Section


BASE_ITSELF = "base"
"""As the reference of a suite: the source model."""


class SuiteWords(NamedTuple):
    """What the page says of a suite: over its section, and under its scores."""

    title: str
    caption: str


LABEL_WORDS = SuiteWords(
    "Held-out errors",
    "Errors on n held-out structures. Aligned energies have the best shift per element "
    "taken out. The change is adapted against base; 'within chance' means that its "
    "interval on the same structures contains zero.",
)

FORGETTING_WORDS = SuiteWords(
    "Forgetting",
    "Drift of predictions from the base on a fixed set of crystals across the periodic "
    "table, reference shifts taken off. Near crystals share an element with the "
    "training data and may move; far ones should stay where they were. After an "
    "element map, drift is measured from the base before the map, and the row of the "
    "base is the drift that the map alone has caused.",
)

CONSISTENCY_WORDS = SuiteWords(
    "Physical consistency",
    "Largest deviation of forces and stress from finite differences of the energy, "
    "and of predictions from those for a rotated copy, in double precision. Values "
    "well above the base's mean that forces are not the gradient of the energy, or "
    "that a symmetry is broken. Rounding is the error of the run's precision; "
    "held-out errors are not known better than that.",
)


class SuiteOptions(BaseModel):
    """Options of a suite; this one has none."""

    model_config = ConfigDict(frozen=True, extra="forbid")


OWN_HEAD = "target"
"""The head that a run was made for, among its heads."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class HeadSubject:
    """One level of theory of a run, and on what it was trained.

    Parameters
    ----------
    structures
        Held out, with labels of this level; those of the run's own head are the
        subject's.
    n_trained
        Structures that it was trained on.
    n_trained_forces
        Those of them with forces.
    """

    structures: "Sequence[Atoms]" = ()
    n_trained: int = 0
    n_trained_forces: int = 0


@dataclasses.dataclass(frozen=True, kw_only=True)
class Subject:
    """The subject of a test, before anything is computed.

    Parameters
    ----------
    files
        By name, what the run was trained and is tested on.
    structures
        Held out, with labels; may be empty.
    elements
        Atomic numbers of the training sets of all heads.
    base
        The source model, which tells what it knows.
    load
        Loads a model by its name, such as a run folder; none: published names and
        files.
    training_files
        Those of `files` that the run was trained on; none: all of them.
    heads
        Its heads, the own one among them as `OWN_HEAD`; none where they are not known.
    """

    files: tuple[str, ...]
    structures: "Sequence[Atoms]"
    elements: Collection[int]
    base: "AbstractPotential"
    load: "Callable[[str], AbstractPotential] | None" = None
    training_files: tuple[str, ...] = ()
    heads: Mapping[str, HeadSubject] = dataclasses.field(
        default_factory=dict[str, HeadSubject]
    )


@dataclasses.dataclass(frozen=True, kw_only=True)
class Contestants:
    """The tested models.

    Parameters
    ----------
    models
        With ``base``, which is the source that the others are compared with.
    reference_shifts
        By model, eV per atom by atomic number: its reference energies minus the
        base's. A model that is not named has not been shifted.
    seed
        Of whatever is drawn at random.
    folder
        Where a suite that takes long may keep its work, in a folder of its name; none
        keeps nothing.
    original
        The base before elements were mapped and scales applied; none where the base is
        the original.
    heads
        Further heads of the adapted model, each a model of its own.
    """

    models: "Mapping[ModelName, AbstractPotential]"
    reference_shifts: Mapping[ModelName, Mapping[int, float]]
    seed: int
    folder: Path | None = None
    original: "AbstractPotential | None" = None
    heads: "Mapping[str, AbstractPotential]" = dataclasses.field(
        default_factory=dict[str, "AbstractPotential"]
    )


@dataclasses.dataclass(frozen=True, kw_only=True)
class Answers:
    """What a suite has found.

    Parameters
    ----------
    scores
        One row a number; all of them under the name of the suite.
    details
        What the page shows besides, as JSON would hold it.
    unanswered
        Sentences on what could not be told, and why.
    """

    scores: tuple[Score, ...] = ()
    details: dict[str, Any] = dataclasses.field(default_factory=dict[str, Any])
    unanswered: tuple[str, ...] = ()


class AbstractSuite(abc.ABC):
    """One question, put to all contestants in the same way.

    Parameters
    ----------
    subject
        What is judged.
    options
        What the user has chosen, of the class `Options`.

    Raises
    ------
    BadInputError
        What the question needs is not there, or cannot be used. Nothing has been
        computed or written yet.
    """

    name: ClassVar[str]
    """As it is typed, and on the scores."""
    title: ClassVar[str]
    """Of its section on the page."""
    caption: ClassVar[str]
    """Under the table of its scores: what they mean, and which is better."""
    Options: ClassVar[type[SuiteOptions]] = SuiteOptions

    @abc.abstractmethod
    def __init__(self, subject: Subject, options: SuiteOptions) -> None: ...

    @abc.abstractmethod
    def ask(
        self, contestants: Contestants, progress: Progress | None = None
    ) -> Answers:
        """Return what was found, for all contestants.

        Parameters
        ----------
        contestants
            Who is asked; not changed.
        progress
            Called with what comes next, steps done and steps in all.

        Raises
        ------
        AtomgraftError
            A model fails.
        """

    @classmethod
    def sections(cls, details: Mapping[str, Any]) -> "list[Section]":
        """Return what the page shows besides the table of scores.

        Parameters
        ----------
        details
            As :meth:`ask` returned them.
        """
        return []

    @classmethod
    def kept(cls, earlier: Sequence[Score], scores: Sequence[Score]) -> list[Score]:
        """Return rows of earlier answers that stay beside new ones; none for most.

        Parameters
        ----------
        earlier
            Rows of this suite, of the same model.
        scores
            Its new rows.
        """
        return []

    @classmethod
    def sentences(cls, scores: Sequence[Score]) -> list[str]:
        """Return sentences of this suite for the verdict.

        Parameters
        ----------
        scores
            Its rows.
        """
        return []
