"""From a stream of structures to a ranked list."""

import json
import math
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float

from atomgraft.core.errors import BadInputError, reason_of
from atomgraft.core.outputs import examine, held
from atomgraft.core.progress import Progress
from atomgraft.core.provenance import fingerprint, now
from atomgraft.core.storage import is_file, write_atomically
from atomgraft.core.trust import NO_TRUST, Trust
from atomgraft.data.disorder.average import AverageStructure
from atomgraft.data.disorder.ordering import ordered
from atomgraft.data.structure_streams import Exclusions, Named, structures_of
from atomgraft.run.inputs import load_base
from atomgraft.study.sessions import Clock, provenance
from atomgraft.transport.features.cache import FeatureCache
from atomgraft.transport.features.elements import PROPERTIES, properties
from atomgraft.transport.features.invariants import Invariants
from atomgraft.transport.features.table import FeatureTable, describe
from atomgraft.transport.materials import Material
from atomgraft.transport.predictors.stored import (
    Predictor,
    PredictorCard,
    load_predictor,
)
from atomgraft.transport.screening.record import (
    SCREEN,
    LeftOut,
    Ranked,
    ScreenResult,
)
from atomgraft.transport.screening.spec import ScreenSpec
from atomgraft.transport.screening.tables import table_text
from atomgraft.transport.screening.wording import headline, notices

LIST = "screen.csv"
CACHE = "features"
"""Folder of features within the output folder."""

AT_ONCE = 64
"""Structures that are predicted in one call."""

WHOLE = 1e-3
"""Amounts as near to whole numbers count as whole."""

NO_ION = "it does not contain the mobile ion"
NO_FEATURES = "its features cannot be computed"


class Described(NamedTuple):
    """A structure and its features.

    Parameters
    ----------
    name
        In the list.
    amounts
        Of each element.
    is_disordered
        It has partial occupancies.
    row
        Features.
    is_known
        They were there.
    """

    name: str
    amounts: dict[str, float]
    is_disordered: bool
    row: Float[np.ndarray, " features"]
    is_known: bool


def screen(
    spec: ScreenSpec,
    folder: Path,
    *,
    trust: Trust = NO_TRUST,
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
    progress
        Called with what is done, and how many structures.

    Raises
    ------
    BadInputError
        A path does not exist, the predictor cannot be used, no structure can, or the
        folder holds another list.
    """
    clock = Clock(started=now(), counter=time.perf_counter())
    examine(folder, "screen", inputs=(*spec.structures, spec.predictor))
    predictor = load_predictor(Path(spec.predictor))
    ion = _ion(spec, predictor.card)
    _refuse_hops(predictor.card)
    model = _model(predictor, trust)
    _refuse_another(folder, spec)
    left_out = Exclusions()
    stream = structures_of(spec.structures, left_out)
    with held(folder, "screen", inputs=(*spec.structures, spec.predictor)):
        cache = FeatureCache(Path(spec.cache) if spec.cache else folder / CACHE)
        work = _Describer(spec, ion, predictor, model, cache, left_out)
        rows: list[Ranked] = []
        n_known = 0
        for batch in _batches(work.all(stream)):
            rows += _ranked(predictor, batch)
            n_known += sum(one.is_known for one in batch)
            if progress is not None:
                progress("structures", len(rows) + left_out.total, 0)
        cache.flush()
        result = _result(spec, predictor, ion, rows, left_out, n_known)
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


def _model(predictor: Predictor, trust: Trust) -> Invariants | None:
    """Return the model whose features the predictor knows.

    Raises
    ------
    BadInputError
        It has other weights than where the predictor was made.
    """
    card = predictor.card
    if not card.model:
        return None
    potential = load_base(card.model, trust=trust)
    if potential.weights_hash() != card.model_hash:
        raise BadInputError(
            f"{card.model} has other weights than where the predictor was made.",
            "Expected the same model.",
            "Name the predictor that was made with it, or make it again.",
        )
    return Invariants(potential)


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


class _Describer:
    """Computes features, or takes them from where they are kept."""

    def __init__(
        self,
        spec: ScreenSpec,
        ion: str,
        predictor: Predictor,
        model: Invariants | None,
        cache: FeatureCache,
        left_out: Exclusions,
    ) -> None:
        self.spec, self.ion, self.cache, self.left_out = spec, ion, cache, left_out
        self.model = model
        self.blocks = [*predictor.card.columns]
        about = [ion, spec.representatives, spec.max_atoms, spec.seed]
        about.append(predictor.card.model_hash)
        self.about = json.dumps([*about, predictor.card.columns])

    def all(self, stream: Iterator[Named]) -> Iterator[Described]:
        """Yield what can be described, and count the rest."""
        for name, structure in stream:
            if self.ion not in structure.composition:
                self.left_out.add(NO_ION, name, ", ".join(structure.composition))
                continue
            if (found := self._one(name, structure)) is not None:
                yield found

    def _one(self, name: str, structure: AverageStructure) -> Described | None:
        key = fingerprint([self.about.encode(), repr(_content(structure)).encode()])
        row = self.cache.get(key)
        is_known = row is not None
        if row is None:
            row = self._computed(name, structure)
            if row is None:
                return None
            self.cache.keep(key, row)
        return Described(
            name=name,
            amounts=dict(structure.composition),
            is_disordered=not structure.is_ordered,
            row=row,
            is_known=is_known,
        )

    def _computed(
        self, name: str, structure: AverageStructure
    ) -> Float[np.ndarray, " features"] | None:
        spec = self.spec
        found = ordered(structure, spec.representatives, spec.seed, spec.max_atoms)
        if found.exclusion is not None:
            self.left_out.add(str(found.exclusion), name, "; ".join(found.notes))
            return None
        try:
            material = material_of(name, structure, found.structures, self.ion)
            return describe([material], self.blocks, model=self.model).rows[0]
        except (BadInputError, ArithmeticError, ValueError) as error:
            self.left_out.add(NO_FEATURES, name, reason_of(error))
            return None


def material_of(
    name: str, structure: AverageStructure, examples: tuple, ion: str
) -> Material:
    """Return a structure as a material, its property unknown."""
    from ase.cell import Cell

    a, b, c, alpha, beta, gamma = Cell(structure.cell).cellpar().tolist()
    return Material(
        name=name,
        amounts=dict(structure.composition),
        mobile=ion,
        cell=(a, b, c, alpha, beta, gamma),
        structures=examples,
    )


def _content(structure: AverageStructure) -> tuple:
    return structure.cell.round(6).tolist(), structure.sites


def _batches(found: Iterator[Described]) -> Iterator[list[Described]]:
    batch: list[Described] = []
    for one in found:
        batch.append(one)
        if len(batch) == AT_ONCE:
            yield batch
            batch = []
    if batch:
        yield batch


def _ranked(predictor: Predictor, batch: list[Described]) -> list[Ranked]:
    known = predictor.examples.table
    table = FeatureTable(
        rows=np.array([one.row for one in batch]),
        columns=known.columns,
        blocks=known.blocks,
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
        for one, value, new in zip(batch, told, novelty, strict=True)
    ]


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
    rows: list[Ranked],
    left_out: Exclusions,
    n_known: int,
) -> ScreenResult:
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
        predictor=spec.predictor,
        method=card.method,
        target=card.target,
        unit=card.unit,
        mobile=ion,
        is_highest_best=spec.best == "highest",
        half_widths=card.half_widths,
        n_examples=card.n_examples,
        expected=card.headline,
        ranked=tuple(sorted(rows, key=lambda one: (sign * one.predicted, one.name))),
        left_out=tuple(
            LeftOut(reason=why, n=n, examples=tuple(left_out.examples.get(why, ())))
            for why, n in left_out.counts.most_common()
        ),
        n_from_cache=n_known,
        headline="",
    )
    said = {"headline": headline(result), "notices": notices(result)}
    return result.model_copy(update=said)
