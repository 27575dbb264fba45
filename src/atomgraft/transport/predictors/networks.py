"""Small networks on bags of ions, several of them trained side by side.

A network maps the features X of an ion to h = X W of width 8, normalises h, takes the
mean over the ions of a material, and decodes the mean to a number. The architecture is
that of Kim, Lee and Shin (arXiv 2605.09311, 2026). Members of a batch see the same
ions and differ in the weights of materials: each holds out others.
"""

import dataclasses
from collections.abc import Callable, Mapping, Sequence

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn.functional import layer_norm, silu

from atomgraft.transport.features.ions import IonTable

WIDTH, HIDDEN = 8, 16
"""Of h, and of the hidden layer of the decoder."""

FARTHEST = 5.0
"""Standard deviations; standardised features are cut there, so that the powers of an
unusual ion do not decide."""

TAU = 5000.0
"""K; the unit of temperatures in features."""

POWERS = (1, 2, 3)

DTYPE = torch.float32
"""Of training; the closed form is in double precision."""

Weights = dict[str, Tensor]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Scaling:
    """Mean and spread of the columns of a matrix.

    Parameters
    ----------
    mean, spread
        Of each column. A column that does not vary becomes zero.
    """

    mean: Float[np.ndarray, " columns"]
    spread: Float[np.ndarray, " columns"]

    @classmethod
    def of(
        cls, rows: Float[np.ndarray, "rows columns"], share: Float[np.ndarray, " rows"]
    ) -> "Scaling":
        """Measure columns, unknown values left out.

        Parameters
        ----------
        rows
            NaN where a value is not known.
        share
            Weight of each row.
        """
        weight = np.isfinite(rows) * share[:, None]
        total = np.maximum(weight.sum(axis=0), 1e-300)
        known = np.nan_to_num(rows)
        mean = (weight * known).sum(axis=0) / total
        spread = np.sqrt((weight * (known - mean) ** 2).sum(axis=0) / total)
        return cls(mean=mean, spread=spread)

    def __call__(
        self, rows: Float[np.ndarray, "rows columns"]
    ) -> Float[np.ndarray, "rows columns"]:
        """Return standardised rows; unknown values are zero, the mean."""
        varies = self.spread > 1e-9 * np.maximum(np.abs(self.mean), 1.0)
        scaled = (rows - self.mean) / np.where(varies, self.spread, 1.0)
        return np.nan_to_num(scaled * varies).clip(-FARTHEST, FARTHEST)


def expanded(ions: IonTable) -> Float[np.ndarray, "ions columns"]:
    """Return [e, e², e³, tau, tau², tau³] of each ion, tau = T/5000 K.

    Examples
    --------
    >>> table = IonTable(
    ...     rows=np.array([[2.0]]),
    ...     columns=("a",),
    ...     owner=np.array([0]),
    ...     share=np.ones(1),
    ...     temperature=np.array([500.0]),
    ...     motion=np.zeros((1, 0)),
    ... )
    >>> expanded(table).round(3).tolist()
    [[2.0, 4.0, 8.0, 0.1, 0.01, 0.001]]
    """
    tau = (ions.temperature / TAU)[ions.owner]
    return np.concatenate(
        [
            *(ions.rows**k for k in POWERS),
            np.stack([tau**k for k in POWERS], axis=1),
        ],
        axis=1,
    )


def with_ones(rows: Float[np.ndarray, "rows columns"]) -> Tensor:
    """Return rows with a last column of ones."""
    return tensor(np.concatenate([rows, np.ones((len(rows), 1))], axis=1))


def tensor(values: np.ndarray) -> Tensor:
    """Return numbers as training takes them."""
    return torch.from_numpy(np.ascontiguousarray(values)).to(DTYPE)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Bags:
    """Which ions belong together.

    Parameters
    ----------
    owner
        Material of each ion.
    share
        Of the ions of its material.
    n
        Materials.
    """

    owner: Tensor
    share: Tensor
    n: int

    @classmethod
    def of(cls, ions: IonTable) -> "Bags":
        """Return the bags of a table."""
        return cls(
            owner=torch.from_numpy(ions.owner.astype(np.int64)),
            share=tensor(ions.share),
            n=len(ions),
        )

    def mean(
        self, h: Float[Tensor, "members ions width"]
    ) -> Float[Tensor, "members materials width"]:
        """Return means over the ions of each material."""
        found = h.new_zeros(h.shape[0], self.n, h.shape[2])
        return found.index_add(1, self.owner, h * self.share[:, None])


def fresh(n_columns: int, n_members: int, seed: int, *, encoder: str = "w") -> Weights:
    """Return weights at the start of training, the same for all members.

    Parameters
    ----------
    n_columns
        Of the matrix that the encoder multiplies.
    n_members
        Of the batch.
    seed
        Of the draw.
    encoder
        Name of its weights.
    """
    generator = torch.Generator().manual_seed(seed)

    def drawn(*shape: int) -> Tensor:
        one = torch.randn(shape, generator=generator, dtype=DTYPE)
        one = one / shape[0] ** 0.5
        return one.expand(n_members, *shape).clone()

    if encoder != "w":
        return {encoder: drawn(n_columns, WIDTH)}
    zeros = torch.zeros(n_members, 1, HIDDEN, dtype=DTYPE)
    return {
        "w": drawn(n_columns, WIDTH),
        "a": drawn(WIDTH, HIDDEN),
        "b": zeros,
        "c": drawn(HIDDEN, 1),
        "d": zeros[:, :, :1].clone(),
    }


DECODER = ("a", "b", "c", "d")
"""Names of its weights."""


def decoded(
    weights: Mapping[str, Tensor], h: Float[Tensor, "members ions width"], bags: Bags
) -> Float[Tensor, "members materials"]:
    """Return numbers of materials from h of their ions."""
    mean = bags.mean(layer_norm(h, (WIDTH,)))
    hidden = silu(mean @ weights["a"] + weights["b"])
    return (hidden @ weights["c"] + weights["d"])[..., 0]


class Noise:
    """Normal noise on the columns of a matrix, in units of each member.

    Noise of variance s² on standardised columns is to a linear map what a penalty s² on
    its squared weights is (Bishop, Neural Comput. 7, 108 (1995)). Where h is normalised
    afterwards a penalty has no effect, and noise has.

    Parameters
    ----------
    sizes
        s of each member.
    seed
        Of the draws.
    """

    def __init__(self, sizes: Float[Tensor, " members"], seed: int) -> None:
        self._sizes = sizes[:, None, None]
        self._generator = torch.Generator().manual_seed(seed)

    def product(
        self,
        x: Float[Tensor, "ions columns"],
        w: Float[Tensor, "members columns width"],
    ) -> Float[Tensor, "members ions width"]:
        """Return the product of a matrix with noise and weights; ones stay."""
        clean = x @ w
        if not self._sizes.any():
            return clean
        drawn = torch.randn(
            x.shape[0], x.shape[1] - 1, generator=self._generator, dtype=x.dtype
        )
        return clean + self._sizes * (drawn @ w[:, :-1])


def absolute_error(
    told: Float[Tensor, "members materials"],
    wanted: Float[Tensor, " materials"],
    weight: Float[Tensor, "members materials"],
) -> Float[Tensor, " members"]:
    """Return weighted mean absolute errors of all members."""
    total = weight.sum(dim=1).clamp_min(1e-300)
    return ((told - wanted).abs() * weight).sum(dim=1) / total


def trained(
    start: Weights,
    loss: Callable[[Weights], Float[Tensor, " members"]],
    *,
    steps: int,
    rates: Mapping[str, float],
    seen_at: Sequence[int] = (),
) -> tuple[Weights, list[Weights]]:
    """Minimise the losses of all members with Adam; the rate falls to zero.

    Parameters
    ----------
    start
        Weights; they are not changed.
    loss
        Of each member.
    steps
        Of the optimiser, each on all materials.
    rates
        Learning rate by name of weights.
    seen_at
        Steps after which weights are kept.

    Returns
    -------
    :
        Weights at the end, and those that were kept.
    """
    weights = {name: one.clone().requires_grad_() for name, one in start.items()}
    groups = [{"params": [one], "lr": rates[name]} for name, one in weights.items()]
    optimiser = torch.optim.Adam(groups)
    shares = [group["lr"] for group in optimiser.param_groups]
    kept: list[Weights] = []
    for step in range(steps + 1):
        if step in seen_at:
            kept.append({k: v.detach().clone() for k, v in weights.items()})
        if step == steps:
            break
        for group, rate in zip(optimiser.param_groups, shares, strict=True):
            group["lr"] = rate * (1 - step / steps) ** 0.5
        optimiser.zero_grad()
        # members do not share weights: the gradient of the sum is that of each
        loss(weights).sum().backward()
        optimiser.step()
    return {k: v.detach() for k, v in weights.items()}, kept


def transferred(
    x: Float[Tensor, "ions columns"],
    h: Float[Tensor, "ions width"],
    weight: Float[Tensor, " ions"],
    penalty: float,
) -> Float[Tensor, "columns width"]:
    """Return W with which X W is nearest to h.

    W = (Xᵀ D X + rho I)⁻¹ Xᵀ D h with D the weights of the ions and rho the penalty
    times the mean of the diagonal of Xᵀ D X, by Cholesky decomposition.

    Parameters
    ----------
    x
        Features.
    h
        What the teacher makes of features and motion.
    weight
        Of each ion.
    penalty
        lambda

    Examples
    --------
    >>> x = torch.eye(3, dtype=torch.float64)
    >>> transferred(x, 2 * x, torch.ones(3, dtype=torch.float64), 1.0)[0, 0]
    tensor(1.0000, dtype=torch.float64)
    """
    x, h, weight = (one.double() for one in (x, h, weight))
    weighted = x * weight[:, None]
    gram = x.T @ weighted
    rho = penalty * gram.diagonal().mean().clamp_min(1e-12)
    gram = gram + rho * torch.eye(len(gram), dtype=x.dtype)
    return torch.cholesky_solve(weighted.T @ h, torch.linalg.cholesky(gram))


def chosen_penalty(
    x: Float[Tensor, "ions columns"],
    h: Float[Tensor, "ions width"],
    weight: Float[Tensor, " ions"],
    fold: Int[Tensor, " ions"],
    penalties: Sequence[float],
) -> float:
    """Return the penalty with which X W is nearest to h of groups that are left out.

    Parameters
    ----------
    x, h, weight
        As for :func:`transferred`.
    fold
        In which each ion is left out; no group is divided.
    penalties
        Candidates.
    """
    wrong = dict.fromkeys(penalties, 0.0)
    for k in fold.unique().tolist():
        held, rest = fold == k, fold != k
        if not (weight[rest] > 0).any():
            continue
        for one in penalties:
            w = transferred(x[rest], h[rest], weight[rest], one).to(x.dtype)
            apart = ((x[held] @ w - h[held]) ** 2).sum(dim=1)
            wrong[one] += float((apart * weight[held]).sum())
    return min(penalties, key=lambda one: wrong[one])
