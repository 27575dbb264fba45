"""A predictor on disk: numbers, settings and a check; no code, no pickle.

Trees and networks are stored as they are. Other methods are fitted again to their
examples, which takes seconds. What is predicted is compared with what was predicted
when it was stored.
"""

import dataclasses
import importlib.resources
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from jaxtyping import Float
from pydantic import Field
from safetensors.numpy import load_file, save
from scipy.spatial.distance import cdist

from atomgraft.core.errors import BadInputError, reason_of
from atomgraft.core.provenance import package_versions
from atomgraft.core.registry import unknown
from atomgraft.core.storage import is_file, write_atomically
from atomgraft.records.documents import Record, RecordFile
from atomgraft.transport.features.ions import IonTable
from atomgraft.transport.features.table import FeatureTable
from atomgraft.transport.predictors.choice import Examples, Fitted, fit
from atomgraft.transport.predictors.forests import Forest
from atomgraft.transport.predictors.methods import METHODS, preparation
from atomgraft.transport.predictors.scales import Scale

EXAMPLES = "predictor.safetensors"
NETWORK, TREES = "network.", "trees."
"""Before the names of arrays of methods that are stored as they are."""

N_CHECKED = 20
"""Examples whose predictions are stored."""

CLOSE = 1e-4
"""Of the spread of the targets: larger differences after loading are told."""


class PredictorCard(Record):
    """What a predictor predicts, of what, and how."""

    schema_version: Annotated[int, Field(ge=1)] = 1
    method: str
    settings: dict[str, Any]
    scale: Scale
    seed: int
    target: str
    unit: str
    mobile: tuple[str, ...]
    """Ions of the examples."""
    elements: tuple[str, ...]
    """Of the examples."""
    model: str = ""
    """Of which some features are; empty: none."""
    model_hash: str = ""
    """Of its weights."""
    columns: dict[str, tuple[str, ...]]
    """Names of the features of each block."""
    ions: tuple[str, ...] = ()
    """Names of the features of an ion, where the method sees ions."""
    half_widths: tuple[float, float]
    """Of intervals that hold 68 and 95 % of new groups."""
    reach: Annotated[float, Field(gt=0)]
    """Distance to the nearest example of another group that 95 % of examples have."""
    checks: tuple[float, ...]
    """Predictions for the first examples."""
    n_examples: int
    n_groups: int
    headline: str
    source: str = ""
    """Where its examples are from, and their licence; empty: the user's own."""
    versions: dict[str, str]


PREDICTOR = RecordFile(
    file="predictor.json",
    record=PredictorCard,
    version=1,
    upgrades={},
    title="predictor",
    command="atomgraft distil",
    broken="Make it again: atomgraft distil",
)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Predictor:
    """A fitted method with what is needed to judge its predictions.

    Parameters
    ----------
    card
        What it predicts.
    fitted
        The method.
    examples
        What it learned from.
    """

    card: PredictorCard
    fitted: Fitted
    examples: Examples

    @property
    def knows_temperature(self) -> bool:
        """Whether it predicts a property at a temperature."""
        ions = self.examples.table.ions
        of_ions = ions is not None and np.isfinite(ions.temperature).any()
        return "temperature" in self.card.columns or bool(of_ions)

    def predict(self, table: FeatureTable) -> Float[np.ndarray, " rows"]:
        """Return predictions in the unit of the card."""
        return self.fitted.predict(table)

    def novelty(self, table: FeatureTable) -> Float[np.ndarray, " rows"]:
        """Return distances to the nearest example, in units of the card's reach.

        Above one a material is farther from all examples than 95 % of these are from
        examples of other groups.
        """
        return nearest(self.examples.table, table) / self.card.reach


def save_predictor(
    folder: Path,
    fitted: Fitted,
    examples: Examples,
    *,
    seed: int,
    about: Mapping[str, Any],
) -> None:
    """Write a predictor into a folder.

    Parameters
    ----------
    folder
        Of card and examples.
    fitted
        The method, fitted to the examples.
    examples
        All that it learned from.
    seed
        With which it was fitted.
    about
        Further fields of the card: target, unit, mobile ions, elements ...
    """
    table = examples.table
    arrays = {
        "rows": table.rows,
        "targets": examples.targets,
        "groups": examples.groups.astype(np.int64),
        "weights": examples.weights,
        "is_limit": examples.is_limit,
    }
    checked = examples.take(np.arange(min(N_CHECKED, len(examples))))
    ions = checked.table.ions if fitted.method.sees_ions else None
    if ions is not None:
        arrays |= _network_arrays(fitted, ions)
    if hasattr(fitted.model, "estimators_") and fitted.method.takes_raw:
        of_trees = Forest.of(fitted.model).arrays()
        arrays |= {f"{TREES}{name}": one for name, one in of_trees.items()}
    write_atomically(folder / EXAMPLES, save(arrays))
    card = PredictorCard(
        method=fitted.method.name,
        settings=dict(fitted.settings),
        scale=fitted.scale,
        seed=seed,
        columns={name: table.columns[part] for name, part in table.blocks.items()},
        ions=() if ions is None else ions.columns,
        reach=reach_of(examples),
        checks=tuple(fitted.predict(checked.table).tolist()),
        n_examples=len(examples),
        n_groups=len(np.unique(examples.groups)),
        versions=package_versions(),
        **about,
    )
    PREDICTOR.write(folder, card)


def ready_folder() -> Path:
    """Return the folder of the predictor that ships with atomgraft."""
    return Path(str(importlib.resources.files("atomgraft.transport"))) / "ready"


def load_predictor(folder: Path) -> Predictor:
    """Read a predictor, and fit it again; networks have their weights.

    Raises
    ------
    BadInputError
        There is none, it is broken, its method is not known here, or it predicts
        something else than when it was stored.
    """
    card = PREDICTOR.read(folder)
    if card.method not in METHODS:
        raise unknown("method", card.method, [*METHODS])
    examples = _examples(folder, card)
    try:
        fitted = _stored(folder, card) or _fitted(card, examples)
        told = fitted.predict(examples.take(np.arange(len(card.checks))).table)
    except (ValueError, TypeError, IndexError, KeyError) as error:
        raise BadInputError(
            f"The predictor in {folder} cannot be fitted to its examples: "
            f"{reason_of(error)}.",
            "Expected both files as 'atomgraft distil' wrote them.",
            "Copy them again, or make the predictor again: atomgraft distil",
        ) from error
    apart = float(np.abs(told - card.checks).max(initial=0.0))
    spread = float(np.std(card.checks)) or 1.0
    if apart > CLOSE * spread:
        raise BadInputError(
            f"The predictor in {folder} predicts other numbers here than where it was "
            f"made: they differ by up to {apart:.2g} {card.unit}".rstrip()
            + ".",
            f"Expected the same numbers; it was made with scikit-learn "
            f"{card.versions.get('scikit-learn', '?')}.",
            "Install that version, or make the predictor again: atomgraft distil",
        )
    return Predictor(card=card, fitted=fitted, examples=examples)


def _fitted(card: PredictorCard, examples: Examples) -> Fitted:
    return fit(
        METHODS[card.method],
        examples,
        card.settings,
        scale=card.scale,
        seed=card.seed,
    )


IONS = ("rows", "owner", "share", "temperature")
"""Of the examples that are checked, where the method sees ions."""


def _network_arrays(fitted: Fitted, ions: IonTable) -> dict[str, np.ndarray]:
    """Return weights, and ions of the examples that are checked."""
    found = {f"{NETWORK}{name}": one for name, one in fitted.model.arrays().items()}
    found |= {f"ions.{name}": getattr(ions, name) for name in IONS}
    return {name: np.ascontiguousarray(one) for name, one in found.items()}


def _checked_ions(arrays: Mapping[str, np.ndarray], card: PredictorCard) -> IonTable:
    """Return ions of the first examples; of the others none are kept."""
    given = {name: arrays[f"ions.{name}"] for name in IONS}
    missing = card.n_examples - len(given["temperature"])
    given["temperature"] = np.append(given["temperature"], np.full(missing, np.nan))
    motion = np.zeros((len(given["rows"]), 0))
    return IonTable(**given, columns=card.ions, motion=motion)


def _stored(folder: Path, card: PredictorCard) -> Fitted | None:
    """Return a method that was stored as it is; none where it has to be fitted."""
    method = METHODS[card.method]
    arrays = load_file(folder / EXAMPLES)

    def part(start: str) -> dict[str, np.ndarray]:
        return {
            name.removeprefix(start): one
            for name, one in arrays.items()
            if name.startswith(start)
        }

    try:
        if card.ions:
            model: Any = method.make({}, card.seed)
            model.restored(part(NETWORK))
        elif part(TREES):
            model = Forest.restored(part(TREES))
        else:
            return None
    except KeyError as error:
        raise BadInputError(
            f"{folder / EXAMPLES} lacks weights: {error}.",
            "Expected the file as 'atomgraft distil' wrote it.",
            "Copy both files of one predictor.",
        ) from error
    return Fitted(
        method=method,
        settings=card.settings,
        scale=card.scale,
        ready=preparation(method, 1),
        model=model,
    )


def _examples(folder: Path, card: PredictorCard) -> Examples:
    path = folder / EXAMPLES
    if not is_file(path):
        raise BadInputError(
            f"{folder} holds no {EXAMPLES}.",
            "Expected a folder made by 'atomgraft distil'.",
            "Copy the whole folder.",
        )
    try:
        arrays = load_file(path)
        found = Examples(
            table=FeatureTable(
                rows=arrays["rows"],
                columns=tuple(one for part in card.columns.values() for one in part),
                blocks=_slices(card.columns),
                ions=_checked_ions(arrays, card) if card.ions else None,
            ),
            targets=_targets(arrays, card),
            groups=arrays["groups"],
            weights=arrays["weights"],
            is_limit=arrays["is_limit"].astype(bool),
        )
    except Exception as error:
        raise BadInputError(
            f"{path} cannot be read: {reason_of(error)}.",
            "Expected the file as 'atomgraft distil' wrote it.",
            "Copy it again, or make the predictor again.",
        ) from error
    shape = (card.n_examples, len(found.table.columns))
    others = (found.targets, found.groups, found.weights, found.is_limit)
    if found.table.rows.shape != shape or any(
        one.shape != (card.n_examples,) for one in others
    ):
        raise BadInputError(
            f"{path} holds {found.table.rows.shape} numbers and "
            f"{found.targets.shape} targets.",
            f"Its card says {card.n_examples} examples and "
            f"{len(found.table.columns)} features.",
            "Copy both files of one predictor.",
        )
    return found


def _targets(
    arrays: Mapping[str, np.ndarray], card: PredictorCard
) -> Float[np.ndarray, " rows"]:
    """Return targets; those of stored trees may be left out."""
    has_trees = any(name.startswith(TREES) for name in arrays)
    if "targets" in arrays or not has_trees:
        return arrays["targets"]
    return np.full(card.n_examples, np.nan)


def _slices(columns: Mapping[str, Sequence[str]]) -> dict[str, slice]:
    found, start = {}, 0
    for name, part in columns.items():
        found[name] = slice(start, start + len(part))
        start += len(part)
    return found


def reach_of(examples: Examples) -> float:
    """Return how far 95 % of examples are from the nearest of another group."""
    apart = nearest(examples.table, examples.table, examples.groups)
    return float(np.quantile(apart, 0.95)) or 1.0


def nearest(
    known: FeatureTable, new: FeatureTable, groups: np.ndarray | None = None
) -> Float[np.ndarray, " rows"]:
    """Return the distance of each row to the nearest known one.

    Root mean square over features, each in units of its spread among the known rows,
    where both are known.

    Parameters
    ----------
    known, new
        Features with the same columns.
    groups
        Of known rows that are the new rows as well: rows of one group do not count.
    """
    with np.errstate(invalid="ignore"):
        mean, spread = np.nanmean(known.rows, axis=0), np.nanstd(known.rows, axis=0)
    varies = np.isfinite(spread) & (spread > 0)
    scaled, others = (
        np.nan_to_num((one.rows[:, varies] - mean[varies]) / spread[varies])
        for one in (known, new)
    )
    apart = cdist(others, scaled) / np.sqrt(max(int(varies.sum()), 1))
    if groups is not None:
        apart[groups[:, None] == groups[None, :]] = np.inf
    return apart.min(axis=1)
