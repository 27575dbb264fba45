"""Fitting a method to examples, and choosing among methods by grouped validation.

Rows of one group are of one family, paper or element set; they are never divided
between training and validation. Settings of a method are chosen inside each fold of the
outer validation, so that its error is that of the whole procedure.
"""

import dataclasses
import warnings
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import GroupKFold

from atomgraft.core.errors import BadInputError
from atomgraft.transport.features.table import FeatureTable
from atomgraft.transport.predictors.methods import METHODS, Method, preparation
from atomgraft.transport.predictors.scales import SCALES, Scale

N_INNER = 5
"""Folds in which settings are chosen."""

ROUNDS = 2
"""Of filling in values that are known as limits only."""

LEAST_GROUPS = 4


@dataclasses.dataclass(frozen=True, kw_only=True)
class Examples:
    """Materials with their features and targets.

    Parameters
    ----------
    table
        Features.
    targets
        In the unit of the report.
    groups
        A number for each group.
    weights
        Of each row.
    is_limit
        The target is only known to be at most this.
    """

    table: FeatureTable
    targets: Float[np.ndarray, " rows"]
    groups: Int[np.ndarray, " rows"]
    weights: Float[np.ndarray, " rows"]
    is_limit: Bool[np.ndarray, " rows"]

    def __len__(self) -> int:
        return len(self.targets)

    def take(self, rows: Int[np.ndarray, " some"]) -> "Examples":
        """Return some of the rows."""
        return Examples(
            table=self.table.take(rows),
            targets=self.targets[rows],
            groups=self.groups[rows],
            weights=self.weights[rows],
            is_limit=self.is_limit[rows],
        )


@dataclasses.dataclass(frozen=True, kw_only=True)
class Fitted:
    """A method with its settings, fitted to examples.

    Parameters
    ----------
    method
        What was fitted.
    settings
        Chosen of its candidates.
    scale
        On which targets were fitted.
    ready
        What features go through first.
    model
        The regression.
    """

    method: Method
    settings: Mapping[str, Any]
    scale: Scale
    ready: Any
    model: Any

    @property
    def chosen(self) -> Mapping[str, Any]:
        """Settings, and what the regression has chosen itself."""
        return {**self.settings, **getattr(self.model, "chosen_", {})}

    def predict(self, table: FeatureTable) -> Float[np.ndarray, " rows"]:
        """Return predictions in the unit of the targets."""
        rows = self.ready.transform(_read(self.method, table))
        return SCALES[self.scale].back(self.model.predict(rows))


def fit(
    method: Method,
    examples: Examples,
    settings: Mapping[str, Any],
    *,
    scale: Scale,
    seed: int,
) -> Fitted:
    """Fit a method with settings.

    A target that is a limit is first taken as it is, then replaced by the prediction
    where this is lower (`ROUNDS` times).

    Parameters
    ----------
    method
        What is fitted.
    examples
        To these.
    settings
        One of its candidates.
    scale
        On which targets are fitted.
    seed
        Of methods that draw numbers.
    """
    rows = _read(method, examples.table, with_motion=True)
    ready = _prepared(method, rows)
    model = _solved(method, ready.transform(rows), examples, settings, scale, seed)
    return Fitted(
        method=method, settings=settings, scale=scale, ready=ready, model=model
    )


def _prepared(method: Method, rows: Any) -> Any:  # noqa: ANN401 - of scikit-learn
    """Return what features go through, fitted."""
    with warnings.catch_warnings():
        # a feature that no material of a fold has is zero afterwards
        warnings.filterwarnings("ignore", "All-NaN slice", RuntimeWarning)
        return preparation(method, len(rows)).fit(rows)


def _solved(
    method: Method,
    rows: Any,  # noqa: ANN401 - an array, or a table of ions
    examples: Examples,
    settings: Mapping[str, Any],
    scale: Scale,
    seed: int,
) -> Any:  # noqa: ANN401 - any regression of scikit-learn
    """Fit the regression of a method to prepared features."""
    model = method.make(_seen(method, examples.table).blocks, seed)
    model.set_params(**settings)
    wanted = SCALES[scale].there(examples.targets)
    values, limited = wanted.copy(), examples.is_limit
    counts = method.takes_weights and np.ptp(examples.weights) > 0
    told = {"sample_weight": examples.weights} if counts else {}
    if method.sees_ions:
        told["groups"] = examples.groups
    for _ in range(ROUNDS if limited.any() else 1):
        with warnings.catch_warnings():
            # marginal likelihood may be flat in a length, which harms nothing
            warnings.simplefilter("ignore", ConvergenceWarning)
            model = _fresh(model).fit(rows, values, **told)
        if limited.any():
            lower = model.predict(rows)[limited]
            values[limited] = np.minimum(wanted[limited], lower)
    return model


def _fresh(model: Any) -> Any:  # noqa: ANN401 - any regression of scikit-learn
    return clone(model)


def _read(method: Method, table: FeatureTable, *, with_motion: bool = False) -> Any:  # noqa: ANN401
    """Return what a method reads: rows of features, or ions.

    Motion is there for fitting alone, so that no prediction can depend on it.
    """
    if not method.sees_ions:
        return _seen(method, table).rows
    if table.ions is None:
        raise BadInputError(
            f"{method.name} needs what is known of single ions.",
            "Expected a table with ions.",
            "Describe the materials with ions_of.",
        )
    return table.ions if with_motion else table.ions.without_motion()


def _seen(method: Method, table: FeatureTable) -> FeatureTable:
    names = [*table.blocks] if method.blocks is None else method.blocks
    return table.of([one for one in names if one in table.blocks])


def folds(
    groups: Int[np.ndarray, " rows"], n_folds: int, seed: int
) -> list[tuple[Int[np.ndarray, " train"], Int[np.ndarray, " held"]]]:
    """Return rows for training and rows held out, groups undivided.

    Parameters
    ----------
    groups
        A number for each row.
    n_folds
        No more than there are groups.
    seed
        Of the order of groups.

    Raises
    ------
    BadInputError
        There are too few groups.
    """
    n_groups = len(np.unique(groups))
    if n_groups < LEAST_GROUPS:
        raise BadInputError(
            f"The examples are of {n_groups} groups.",
            f"Validation keeps groups together and needs at least {LEAST_GROUPS}.",
            "Name a column with more groups, or add examples.",
        )
    divided = GroupKFold(min(n_folds, n_groups), shuffle=True, random_state=seed)
    return list(divided.split(np.zeros((len(groups), 1)), groups=groups))


def choose(
    method: Method, examples: Examples, *, scale: Scale, seed: int
) -> tuple[Mapping[str, Any], float]:
    """Return the settings with the smallest grouped error, and this error."""
    if method.parts:
        chosen: dict[str, Any] = {}
        for part, name in method.parts.items():
            found, _ = choose(METHODS[name], examples, scale=scale, seed=seed)
            chosen |= {f"{part}__{key}": value for key, value in found.items()}
        return chosen, float("nan")
    if len(method.candidates) == 1:
        return method.candidates[0], float("nan")
    errors = np.zeros(len(method.candidates))
    for train, held in folds(examples.groups, N_INNER, seed):
        part, rest = examples.take(train), examples.take(held)
        rows = _read(method, part.table, with_motion=True)
        other = _read(method, rest.table)
        ready = _prepared(method, rows)
        rows, other = ready.transform(rows), ready.transform(other)
        for k, settings in enumerate(method.candidates):
            model = _solved(method, rows, part, settings, scale, seed)
            wrong = misses(SCALES[scale].back(model.predict(other)), rest)
            errors[k] += (wrong * rest.weights).sum()
    best = int(np.argmin(errors))
    return method.candidates[best], float(errors[best] / examples.weights.sum())


def misses(
    predicted: Float[np.ndarray, " rows"], examples: Examples
) -> Float[np.ndarray, " rows"]:
    """Return absolute errors; below a limit nothing is wrong."""
    apart = predicted - examples.targets
    return np.where(examples.is_limit, np.maximum(apart, 0.0), np.abs(apart))


def learned(method: Method, examples: Examples, *, scale: Scale, seed: int) -> Fitted:
    """Choose the settings of a method on examples, and fit it to all of them."""
    settings, _ = choose(method, examples, scale=scale, seed=seed)
    return fit(method, examples, settings, scale=scale, seed=seed)


def validated(
    method: Method,
    examples: Examples,
    *,
    scale: Scale,
    n_folds: int,
    seed: int,
    tell: Callable[[str, int, int], None] | None = None,
) -> Float[np.ndarray, " rows"]:
    """Return out-of-fold predictions of a method, its settings chosen in each fold.

    Parameters
    ----------
    method
        What is judged.
    examples
        All that may be learned from.
    scale
        On which targets are fitted.
    n_folds
        Of the outer validation.
    seed
        Of folds and method.
    tell
        Called with what is done, folds done and folds in all.

    Raises
    ------
    BadInputError
        There are too few groups.
    """
    parts = folds(examples.groups, n_folds, seed)
    found = np.full(len(examples), np.nan)
    for k, (train, held) in enumerate(parts):
        fitted = learned(method, examples.take(train), scale=scale, seed=seed)
        found[held] = fitted.predict(examples.take(held).table)
        if tell is not None:
            tell("validation", k + 1, len(parts))
    return found
