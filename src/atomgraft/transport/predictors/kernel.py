"""Kernel ridge regression with a weight for each block of features."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from jaxtyping import Float
from scipy.linalg import cho_factor, cho_solve
from scipy.spatial.distance import cdist
from sklearn.base import BaseEstimator, RegressorMixin


class BlockKernel(RegressorMixin, BaseEstimator):
    """Kernel ridge regression on standardised blocks.

    The squared distance of two rows is the sum over blocks of w d²/n, with d the
    Euclidean distance in the n features of a block and w its weight. The kernel is
    exp(-d/l) (Laplace) or exp(-d²/l²) (Gauss). The mean is the weighted median of the
    targets.

    Parameters
    ----------
    blocks
        Columns of each block.
    weights
        Of blocks that do not weigh one.
    kind
        ``laplace`` or ``gauss``.
    length
        l, in units of the distance.
    ridge
        Added to the diagonal, divided by the weight of a row.
    """

    def __init__(
        self,
        blocks: Mapping[str, slice] | None = None,
        weights: Mapping[str, float] | None = None,
        kind: str = "laplace",
        length: float = 3.0,
        ridge: float = 0.1,
    ) -> None:
        self.blocks, self.weights, self.kind = blocks, weights, kind
        self.length, self.ridge = length, ridge

    def fit(
        self,
        X: Float[np.ndarray, "rows features"],
        y: Float[np.ndarray, " rows"],
        sample_weight: Float[np.ndarray, " rows"] | None = None,
    ) -> "BlockKernel":
        """Solve for the coefficients of the rows."""
        weight = np.ones(len(y)) if sample_weight is None else np.asarray(sample_weight)
        self.rows_ = self._scaled(X)
        self.mean_ = _median(np.asarray(y), weight)
        matrix = self._kernel(self.rows_) + np.diag(self.ridge / weight)
        self.coefficients_ = cho_solve(cho_factor(matrix), np.asarray(y) - self.mean_)
        return self

    def predict(
        self, X: Float[np.ndarray, "rows features"]
    ) -> Float[np.ndarray, " rows"]:
        """Return predictions."""
        return self._kernel(self._scaled(X)) @ self.coefficients_ + self.mean_

    def _scaled(self, X: Any) -> np.ndarray:  # noqa: ANN401
        X = np.asarray(X, dtype=float)
        blocks = self.blocks or {"": slice(0, X.shape[1])}
        weights = self.weights or {}
        scale = np.zeros(X.shape[1])
        for name, columns in blocks.items():
            n = columns.stop - columns.start
            scale[columns] = np.sqrt(weights.get(name, 1.0) / max(n, 1))
        return X * scale

    def _kernel(self, rows: np.ndarray) -> np.ndarray:
        if self.kind == "laplace":
            return np.exp(-cdist(rows, self.rows_) / self.length)
        return np.exp(-cdist(rows, self.rows_, "sqeuclidean") / self.length**2)


def _median(values: np.ndarray, weights: np.ndarray) -> float:
    order = np.argsort(values)
    passed = np.cumsum(weights[order])
    return float(values[order][np.searchsorted(passed, passed[-1] / 2)])
