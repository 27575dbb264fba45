"""From a stream of structures to a ranked list."""

import dataclasses
import json
import math
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float

from atomgraft.core.errors import BadInputError
from atomgraft.core.outputs import examine, held
from atomgraft.core.progress import Progress
from atomgraft.core.provenance import fingerprint, now
from atomgraft.core.signals import stopped_by_signal
from atomgraft.core.storage import is_file, write_atomically
from atomgraft.core.trust import NO_TRUST, Trust
from atomgraft.data.disorder.average import AverageStructure
from atomgraft.data.structure_streams import Exclusions, Named, structures_of
from atomgraft.study.clusters import ClusterPlan
from atomgraft.study.sessions import Clock, provenance
from atomgraft.study.streams import Group, Lost, streamed
from atomgraft.transport.features.cache import FeatureCache
from atomgraft.transport.features.elements import PROPERTIES, properties
from atomgraft.transport.features.ions import unpacked
from atomgraft.transport.features.table import FeatureTable
from atomgraft.transport.predictors.stored import (
    Predictor,
    PredictorCard,
    load_predictor,
    ready_folder,
)
from atomgraft.transport.screening.describing import Describer, Reason
from atomgraft.transport.screening.record import (
    SCREEN,
    LeftOut,
    Ranked,
    ScreenResult,
)
from atomgraft.transport.screening.spec import ScreenSpec
from atomgraft.transport.screening.tables import table_text
from atomgraft.transport.screening.wording import READY, headline, notices

LIST = "screen.csv"
CACHE = "features"
"""Folder of features within the output folder."""

AT_ONCE = 64
"""Structures that are predicted in one call, at most."""

TOGETHER = 8
"""Structures whose features are computed in one call of a worker."""

WHOLE = 1e-3
"""Amounts as near to whole numbers count as whole."""

NO_ION = "it does not contain the mobile ion"
LOST = Reason(
    "the process that computes its features dies",
    "perhaps because of too little memory",
)


class Entry(NamedTuple):
    """A structure on its way through a screen.

    Parameters
    ----------
    name
        In the list.
    amounts
        Of each element.
    is_disordered
        It has partial occupancies.
    key
        Of its features where they are kept.
    row
        Features, where they were kept.
    reason
        Why it has none, where that was kept.
    """

    name: str
    amounts: dict[str, float]
    is_disordered: bool
    key: str
    row: Float[np.ndarray, " features"] | None
    reason: Reason | None = None


Chunk = Group[tuple[Entry, ...], AverageStructure]


def screen(
    spec: ScreenSpec,
    folder: Path,
    *,
    trust: Trust = NO_TRUST,
    cluster: ClusterPlan | None = None,
    progress: Progress | None = None,
) -> ScreenResult:
    """Predict a property of many structures, and rank them.

    Structures are read one after the other; features that are computed are kept, and
    another call takes them from there.

    Parameters
    ----------
    spec
        What is asked.
    folder
        Of the result and of features.
    trust
        Which checkpoints may run code.
    cluster
        Where features are computed; none takes a process for each core.
    progress
        Called with what is done, and how many structures.

    Raises
    ------
    BadInputError
        A path does not exist, the predictor cannot be used, no structure can, or the
        folder holds another list.
    KeyboardInterrupt
        A signal came; what was computed is kept.
    """
    clock = Clock(started=now(), counter=time.perf_counter())
    told_by = Path(spec.predictor) if spec.predictor else ready_folder()
    inputs = (*spec.structures, str(told_by))
    examine(folder, "screen", inputs=inputs)
    predictor = load_predictor(told_by)
    ion = _ion(spec, predictor.card)
    _refuse_hops(predictor.card)
    _check_temperature(spec, predictor)
    _refuse_another(folder, spec)
    describer = _describer(spec, ion, predictor.card, trust)
    left_out = Exclusions()
    stream = structures_of(spec.structures, left_out)
    with held(folder, "screen", inputs=inputs), stopped_by_signal() as stop:
        cache = FeatureCache(Path(spec.cache) if spec.cache else folder / CACHE)
        work = _Screening(predictor, describer, cache, left_out)
        chunks = streamed(work.chunks(stream), describer, stop, plan=cluster)
        try:
            for entries, found in chunks:
                work.take(entries, found)
                if progress is not None:
                    progress("structures", work.n_seen, 0)
        finally:
            chunks.close()  # the cluster, where one was started
            cache.flush()
        if stop.is_set():
            raise KeyboardInterrupt
        result = _result(spec, predictor, ion, work)
        session = provenance("screen", clock, torch.device("cpu"), "float64")
        result = result.model_copy(update={"provenance": (session,)})
        SCREEN.write(folder, result)
        write_atomically(folder / LIST, table_text(result))
    return result


def _ion(spec: ScreenSpec, card: PredictorCard) -> str:
    """Return the mobile ion.

    Raises
    ------
    BadInputError
        None was given, and the predictor knows several.
    """
    known = card.mobile
    if spec.mobile:
        return spec.mobile
    if len(known) != 1:
        raise BadInputError(
            f"The predictor has learned from several mobile ions: {', '.join(known)}.",
            "Expected the one that is to move in the structures.",
            f"For example: --mobile {known[0]}",
        )
    return known[0]


def _refuse_hops(card: PredictorCard) -> None:
    if {"hop", "hop invariants"} & set(card.columns):
        raise BadInputError(
            "The predictor needs a given hop for each structure.",
            "Expected a predictor of whole structures.",
            "Make one without hops: a file with features: [composition, packing, "
            "sites, pathways] for atomgraft distil --spec FILE",
        )


def _describer(
    spec: ScreenSpec, ion: str, card: PredictorCard, trust: Trust
) -> Describer:
    path = Path(card.model)
    is_path = bool(card.model) and path.exists()
    return Describer(
        ion=ion,
        blocks=tuple(card.columns),
        model=str(path.resolve()) if is_path else card.model,
        model_hash=card.model_hash,
        trust=tuple(sorted(trust.items())),
        representatives=spec.representatives,
        max_atoms=spec.max_atoms,
        seed=spec.seed,
        sees_ions=bool(card.ions),
        temperature=spec.temperature,
    )


def _check_temperature(spec: ScreenSpec, predictor: Predictor) -> None:
    """Refuse to screen without a temperature, or with one that means nothing.

    Raises
    ------
    BadInputError
        The predictor has learned temperatures and none was given, or the other way
        round.
    """
    is_known = predictor.knows_temperature
    if is_known and spec.temperature is None:
        raise BadInputError(
            "The predictor has learned a property at several temperatures.",
            "Expected the one for which structures are ranked.",
            "For example: --temperature 1000",
        )
    if spec.temperature is not None and not is_known:
        raise BadInputError(
            f"{spec.temperature:g} K was given; the predictor knows no temperature.",
            "Expected none.",
            "Leave out --temperature.",
        )


def _refuse_another(folder: Path, spec: ScreenSpec) -> None:
    """Refuse to overwrite the list of another question.

    Raises
    ------
    BadInputError
        The folder holds one.
    """
    if not is_file(folder / SCREEN.file):
        return
    if SCREEN.read(folder).identity != spec.identity():
        raise BadInputError(
            f"{folder} holds a list from other structures, settings or another"
            " predictor.",
            "A folder holds one list.",
            f"Choose another folder with --out; --cache {folder / CACHE} keeps what was"
            " computed.",
        )


class _Screening:
    """What a screen knows so far: rows of the list, and what was left out."""

    def __init__(
        self,
        predictor: Predictor,
        describer: Describer,
        cache: FeatureCache,
        left_out: Exclusions,
    ) -> None:
        self.predictor, self.ion = predictor, describer.ion
        self.temperature = describer.temperature
        self.cache, self.left_out = cache, left_out
        self.rows: list[Ranked] = []
        self.n_known = 0
        about = dataclasses.asdict(describer)
        same = ("ion", "model_hash", "representatives", "max_atoms", "seed")
        names = {key: about[key] for key in same} | predictor.card.columns
        # only where they are: rows that were kept before stay known
        names |= {key: about[key] for key in ("sees_ions", "temperature") if about[key]}
        self.about = json.dumps(names).encode()

    @property
    def n_seen(self) -> int:
        """Structures that are in the list, or left out."""
        return len(self.rows) + self.left_out.total

    def chunks(self, stream: Iterator[Named]) -> Iterator[Chunk]:
        """Yield a few structures at a time; those without kept features to compute."""
        entries: list[Entry] = []
        unknown: list[AverageStructure] = []
        for name, structure in stream:
            if self.ion not in structure.composition:
                self.left_out.add(NO_ION, name, ", ".join(structure.composition))
                continue
            entry = self._entry(name, structure)
            entries.append(entry)
            if entry.row is None and entry.reason is None:
                unknown.append(structure)
            if len(entries) == AT_ONCE or len(unknown) == TOGETHER:
                yield Chunk(tuple(entries), tuple(unknown))
                entries, unknown = [], []
        if entries:
            yield Chunk(tuple(entries), tuple(unknown))

    def _entry(self, name: str, structure: AverageStructure) -> Entry:
        content = repr((structure.cell.round(6).tolist(), structure.sites))
        key = fingerprint([self.about, content.encode()])
        failure = self.cache.failure(key)
        return Entry(
            name=name,
            amounts=structure.composition,
            is_disordered=not structure.is_ordered,
            key=key,
            row=self.cache.get(key),
            reason=None if failure is None else Reason(*failure),
        )

    def take(
        self,
        entries: Sequence[Entry],
        found: Sequence[Float[np.ndarray, " features"] | Reason | Lost],
    ) -> None:
        """Keep new features, or why there are none, and predict."""
        new = iter(found)
        known: list[tuple[Entry, np.ndarray]] = []
        for one in entries:
            if one.row is not None:
                self.n_known += 1
                known.append((one, one.row))
                continue
            row = next(new) if one.reason is None else one.reason
            if isinstance(row, Lost):
                row = LOST
            if isinstance(row, Reason):
                self.left_out.add(row.kind, one.name, row.detail)
                if row.is_of_ordering and one.reason is None:
                    self.cache.keep_failure(one.key, (row.kind, row.detail))
            else:
                self.cache.keep(one.key, row)
                known.append((one, row))
        if known:
            self.rows += _ranked(self.predictor, known, self.temperature)


def _ranked(
    predictor: Predictor,
    known: Sequence[tuple[Entry, Float[np.ndarray, " features"]]],
    temperature: float | None,
) -> list[Ranked]:
    learned, names = predictor.examples.table, predictor.card.ions
    n = len(learned.columns)
    ions = unpacked([row[n:] for _, row in known], names, temperature)
    table = FeatureTable(
        rows=np.array([row[:n] for _, row in known]),
        columns=learned.columns,
        blocks=learned.blocks,
        ions=ions if names else None,
    )
    told, novelty = predictor.predict(table), predictor.novelty(table)
    elements = set(predictor.card.elements)
    return [
        Ranked(
            name=one.name,
            formula=formula_of(one.amounts),
            predicted=float(value),
            novelty=float(new),
            unseen=tuple(sorted(set(one.amounts) - elements)),
            is_disordered=one.is_disordered,
        )
        for (one, _), value, new in zip(known, told, novelty, strict=True)
    ]


def _most_first(counted: tuple[str, int]) -> tuple[int, str]:
    """Order reasons by count, whichever was met first."""
    return -counted[1], counted[0]


def _source(card: PredictorCard) -> str:
    """Return where examples are from, in a sentence, where they are not the user's."""
    return f"It has learned from {card.source}." if card.source else ""


def formula_of(amounts: dict[str, float]) -> str:
    """Return a formula by rising electronegativity; whole amounts are divided out.

    Examples
    --------
    >>> formula_of({"O": 2.0, "Li": 4.0}), formula_of({"Li": 2.5, "O": 1.0})
    ('Li2O', 'Li2.5O')
    """
    place = PROPERTIES.index("electronegativity")
    order = sorted(amounts, key=lambda one: (properties(one)[place], one))
    whole = [round(amounts[one]) for one in order]
    divisor = 1
    if all(abs(amounts[one] - n) < WHOLE for one, n in zip(order, whole, strict=True)):
        divisor = math.gcd(*whole) or 1
    numbers = [amounts[one] / divisor for one in order]
    return "".join(
        symbol if abs(n - 1) < WHOLE else f"{symbol}{n:.3g}"
        for symbol, n in zip(order, numbers, strict=True)
    )


def _result(
    spec: ScreenSpec,
    predictor: Predictor,
    ion: str,
    work: _Screening,
) -> ScreenResult:
    rows, left_out = work.rows, work.left_out
    if not rows:
        reasons = "; ".join(f"{n} {why}" for why, n in left_out.counts.items())
        first = next(iter(left_out.examples.values()), [("", "there is none")])[0]
        raise BadInputError(
            f"No structure can be predicted: {reasons} (first: {' '.join(first)}).",
            f"Expected crystals that contain {ion}.",
            "Check the path, or name another ion with --mobile.",
        )
    card = predictor.card
    sign = -1.0 if spec.best == "highest" else 1.0
    result = ScreenResult(
        identity=spec.identity(),
        predictor=spec.predictor or READY,
        method=card.method,
        target=card.target,
        unit=card.unit,
        mobile=ion,
        is_highest_best=spec.best == "highest",
        half_widths=card.half_widths,
        n_examples=card.n_examples,
        elements=card.elements,
        learned_ions=card.mobile,
        expected=f"{card.headline} {_source(card)}".strip(),
        ranked=tuple(sorted(rows, key=lambda one: (sign * one.predicted, one.name))),
        left_out=tuple(
            LeftOut(reason=why, n=n, examples=tuple(left_out.examples.get(why, ())))
            for why, n in sorted(left_out.counts.items(), key=_most_first)
        ),
        n_from_cache=work.n_known,
        headline="",
    )
    said = {"headline": headline(result), "notices": notices(result)}
    return result.model_copy(update=said)
