"""Heads of a run side by side: their errors, and how far apart their forces are."""

from collections.abc import Mapping, Sequence
from typing import final

import numpy as np
from ase import Atoms

from atomgraft.core.errors import BadInputError
from atomgraft.core.progress import Progress
from atomgraft.core.properties import Property
from atomgraft.evaluation.deviations import Differences, predicted_values, score
from atomgraft.evaluation.labels import label_scores
from atomgraft.evaluation.suite import (
    OWN_HEAD,
    AbstractSuite,
    Answers,
    Contestants,
    HeadSubject,
    Subject,
    SuiteOptions,
)
from atomgraft.evaluation.suites import finite_predictions, require_known
from atomgraft.evaluation.trajectories import find_relatives
from atomgraft.models.prediction import StructurePrediction
from atomgraft.page.wording import counted, number_text
from atomgraft.records.scores import Score

SUITE = "heads"

GROUP = "head"
"""What the groups of the scores divide by."""

APART = "difference"
"""Metric: mean absolute difference of a head's forces from those of the target head."""

TRAINED = "training_labels"
"""Metric: training structures of a head with forces."""

UNTESTED = frozenset({APART, TRAINED})
"""Metrics that need no label of a head."""

DECIMALS = 6
"""Å; positions that agree to them are one geometry, with labels of several levels."""


class HeadOptions(SuiteOptions):
    """Which head test structures are of."""

    head: str | None = None
    """The further head that all test structures belong to; none: the head that a
    structure names, or the target head."""


@final
class HeadSuite(AbstractSuite):
    """Errors of every head on labels of its own, and differences between heads."""

    name = SUITE
    title = "Heads"
    caption = (
        "Adapted model only. Errors of each head on test structures with labels of its "
        "own level of theory; the mean absolute difference of its forces from those of "
        "the target head, on the test structures of all heads; and its training "
        "structures with forces. Forces of a head without any follow from its energies "
        "and from the weights that heads share."
    )
    Options = HeadOptions

    def __init__(self, subject: Subject, options: SuiteOptions) -> None:
        self.heads = {OWN_HEAD: HeadSubject(), **subject.heads}
        self.structures: dict[str, Sequence[Atoms]] = {
            name: one.structures for name, one in self.heads.items()
        }
        self.structures[OWN_HEAD] = subject.structures
        if not any(map(len, self.structures.values())):
            raise BadInputError(
                "The suite 'heads' needs held-out structures, and none were given.",
                "Expected structures that were not used for training of any head.",
                "Name the files: --test FILE",
            )

    def ask(
        self, contestants: Contestants, progress: Progress | None = None
    ) -> Answers:
        """Ask every head about the test structures of all heads."""
        models = {OWN_HEAD: contestants.models["adapted"], **contestants.heads}
        frames = [atoms for ones in self.structures.values() for atoms in ones]
        require_known(contestants.models, frames)
        found = {
            head: finite_predictions(f"head {head}", model, frames, progress, "forces")
            for head, model in models.items()
        }
        scores: list[Score] = []
        begin = 0
        for head, own in self.structures.items():
            end = begin + len(own)
            if head in found and own:
                rows = label_scores("adapted", found[head][begin:end], own)
                scores += [_of(head, one) for one in rows if one.group is None]
            begin = end
        scores += _apart(found, frames)
        scores += [
            _trained(head, self.heads[head]) for head in models if head in self.heads
        ]
        told = () if contestants.heads else ("The run has one head.",)
        return Answers(
            scores=tuple(one for one in scores if one.n > 0), unanswered=told
        )

    @classmethod
    def kept(cls, earlier: Sequence[Score], scores: Sequence[Score]) -> list[Score]:
        """Keep errors of heads of which no test structure came this time."""
        tested = {_head_of(one) for one in scores if one.metric not in UNTESTED}
        return [
            one
            for one in earlier
            if one.metric not in UNTESTED and _head_of(one) not in tested
        ]

    @classmethod
    def sentences(cls, scores: Sequence[Score]) -> list[str]:
        """Give errors of further heads; say whether untrained forces were tested."""
        heads = list(dict.fromkeys(map(_head_of, scores)))
        rows = {
            (_head_of(one), one.metric): one
            for one in scores
            if one.quantity == Property.FORCES.value
        }
        untrained = [
            head
            for head in heads
            if (found := rows.get((head, TRAINED))) is not None and found.value == 0
        ]
        errors = [_errors(head, scores) for head in heads if head != OWN_HEAD]
        return [one for one in errors if one] + [
            " ".join([_tested(head, rows), *_differences(head, heads, rows)])
            for head in untrained
        ]


Rows = Mapping[tuple[str, str], Score]
"""Rows on forces by head and metric."""


def _of(head: str, row: Score) -> Score:
    return row.model_copy(update={"suite": SUITE, "group": f"{GROUP}:{head}"})


def _head_of(row: Score) -> str:
    return (row.group or "").removeprefix(f"{GROUP}:")


def _words(head: str) -> str:
    return "the target head" if head == OWN_HEAD else f"the head '{head}'"


def _apart(
    found: Mapping[str, Sequence[StructurePrediction]], frames: Sequence[Atoms]
) -> list[Score]:
    """Return how far the forces of further heads are from those of the target."""
    first: dict[bytes, int] = {}
    for i, atoms in enumerate(frames):
        parts = (atoms.positions.round(DECIMALS) + 0.0, atoms.cell.array, atoms.numbers)
        first.setdefault(b"".join(map(np.ndarray.tobytes, parts)), i)
    kept = tuple(first.values())
    relatives = find_relatives(frames)
    own = {i: predicted_values(found[OWN_HEAD][i], Property.FORCES) for i in kept}
    rows: list[Score] = []
    for head, predictions in found.items():
        if head == OWN_HEAD:
            continue
        values = [predicted_values(predictions[i], Property.FORCES) for i in kept]
        differences = Differences(
            quantity=Property.FORCES,
            frames=kept,
            values=tuple(one - own[i] for i, one in zip(kept, values, strict=True)),
        )
        row = score(
            differences, "mae", model="adapted", suite=SUITE, relatives=relatives
        )
        rows.append(_of(head, row.model_copy(update={"metric": APART})))
    return rows


def _trained(head: str, known: HeadSubject) -> Score:
    return Score(
        model="adapted",
        suite=SUITE,
        quantity=Property.FORCES.value,
        metric=TRAINED,
        value=known.n_trained_forces,
        unit="structures",
        n=known.n_trained,
        group=f"{GROUP}:{head}",
    )


def _errors(head: str, scores: Sequence[Score]) -> str:
    """Return the errors of a further head in words; empty where it was not tested."""
    own = {(one.quantity, one.metric): one for one in scores if _head_of(one) == head}
    said: list[str] = []
    for quantity in Property:
        flat = own.get((quantity.value, "mae_aligned"))
        row = flat or own.get((quantity.value, "mae"))
        if row is not None:
            after = " (best shift per element subtracted)" * (flat is not None)
            said.append(f"{quantity.value} {number_text(row.value)} {row.unit}{after}")
    if not said:
        return ""
    n = max(one.n for (_, metric), one in own.items() if metric == "mae")
    return (
        f"Mean absolute errors of {_words(head)} on {counted(n, 'structure')}: "
        f"{', '.join(said)}."
    )


def _tested(head: str, rows: Rows) -> str:
    error = rows.get((head, "mae"))
    whose = f"Forces of {_words(head)} were"
    if error is None:
        return (
            f"{whose} neither trained nor tested: none of its labels has forces, and "
            "they follow from its energies and from the weights that heads share."
        )
    tested = f"tested on {counted(error.n, 'structure')}"
    size = f"{number_text(error.value)} {error.unit}"
    return f"{whose} not trained, and {tested}: their mean absolute error is {size}."


def _differences(head: str, heads: Sequence[str], rows: Rows) -> list[str]:
    """Say how far the forces of a head are from those of others."""
    others = [one for one in heads if one != OWN_HEAD] if head == OWN_HEAD else [head]
    said: list[str] = []
    for other in others:
        if (row := rows.get((other, APART))) is not None:
            against = _words(other if head == OWN_HEAD else OWN_HEAD)
            size = f"{number_text(row.value)} {row.unit}"
            said.append(
                f"They differ from those of {against} by {size} on "
                f"{counted(row.n, 'structure')} (mean absolute difference)."
            )
    return said
