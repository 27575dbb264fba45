"""MACE's symmetric contraction as a polynomial with few terms.

The layer turns the features x of an atom (for each channel, n components) into

    out[m] = sum_k sum_i w1[k] U1[m, i, k] x_i
           + sum_k sum_ij w2[k] U2[m, i, j, k] x_i x_j + ...

with weights w of the atom's element. The products of x do not depend on the order of
their factors, so most of the terms are written several times. Here each is written
once, as (product of two) times (one), with x_0 = 1 for what has fewer factors:

    out[m] = sum_c x_c sum_p pair_p V[p, c, m],    V = sum_k table[k, p, c, m] w[k]

For every element and channel the inner sum is one matrix product, small and shared
by all atoms, instead of a tensor with n³ entries for each atom and channel.
"""

import itertools
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from atomgraft.models.mace.species import AtomsByElement

MOST_FACTORS = 3
"""Pairs times one factor make products of up to three."""


class _Weights(nn.Module):
    """The weights of one output irrep, under the names that MACE gives them."""

    def __init__(self, theirs: Any) -> None:  # noqa: ANN401 - mace's
        super().__init__()
        self.weights_max = theirs.weights_max
        self.weights = theirs.weights

    def of(self, present: Tensor) -> Tensor:
        """Return weights of some elements, shape (elements, terms, channels)."""
        every = (self.weights_max, *self.weights)
        return torch.cat([one.index_select(0, present) for one in every], dim=1)


class ElementContraction(nn.Module):
    """All output irreps of a symmetric contraction.

    Parameters
    ----------
    theirs
        MACE's ``SymmetricContraction``.
    """

    def __init__(self, theirs: Any) -> None:  # noqa: ANN401 - mace's
        super().__init__()
        parts = list(theirs.contractions)
        self.contractions = nn.ModuleList(_Weights(one) for one in parts)
        terms = [_terms(one) for one in parts]
        pairs = sorted({(a, b) for some in terms for _, a, b, _ in some})
        self.n_components = [_n_outputs(one) for one in parts]
        self.register_buffer("pairs", torch.tensor(pairs).T, persistent=False)
        self._exact = [
            _table(one, some, pairs) for one, some in zip(parts, terms, strict=True)
        ]
        self._cast: dict[tuple[torch.dtype, torch.device], list[Tensor]] = {}

    @staticmethod
    def fits(layer: Any) -> bool:  # noqa: ANN401 - mace's
        """Return whether a layer's products have few enough factors."""
        parts = getattr(layer, "contractions", [])
        return len(parts) > 0 and all(
            getattr(one, "correlation", MOST_FACTORS + 1) <= MOST_FACTORS
            for one in parts
        )

    def forward(self, features: Tensor, attributes: Tensor) -> Tensor:
        """Return the contracted features, shape (atoms, output components).

        Parameters
        ----------
        features
            Shape (atoms, channels, components).
        attributes
            One-hot vectors of the elements, shape (atoms, elements).
        """
        atoms = AtomsByElement.of(attributes)
        tables = self._tables(features)
        weights = [one.of(atoms.present) for one in self._parts()]
        return atoms.joined(
            [
                self._contracted(group, [some[i] for some in weights], tables)
                for i, group in enumerate(atoms.groups(features))
            ]
        )

    def _contracted(
        self, features: Tensor, weights: Sequence[Tensor], tables: Sequence[Tensor]
    ) -> Tensor:
        """Contract the features of one element's atoms."""
        x = torch.nn.functional.pad(features.transpose(0, 1), (1, 0), value=1.0)
        first, second = self.get_buffer("pairs")
        pairs = x.index_select(2, first) * x.index_select(2, second)
        outputs: list[Tensor] = []
        for n_out, some, table in zip(self.n_components, weights, tables, strict=True):
            matrices = (some.T @ table).view(len(x), pairs.shape[2], -1)
            inner = torch.bmm(pairs, matrices).unflatten(2, (x.shape[2], n_out))
            summed = (inner * x[..., None]).sum(2)
            outputs.append(summed.transpose(0, 1).flatten(1))
        return torch.cat(outputs, dim=1)

    def _parts(self) -> list[_Weights]:
        return [one for one in self.contractions if isinstance(one, _Weights)]

    def _tables(self, like: Tensor) -> list[Tensor]:
        """Return the coefficients in the precision asked for, rounded once."""
        key = (like.dtype, like.device)
        if key not in self._cast:
            self._cast[key] = [one.to(like) for one in self._exact]
        return self._cast[key]


def _n_outputs(part: Any) -> int:  # noqa: ANN401 - mace's
    """Return the components of an output irrep; a scalar's are not in the shape."""
    table = part.U_tensors(1)
    return table.shape[0] if table.dim() == 3 else 1


def _coefficients(part: Any, n_factors: int) -> Tensor:  # noqa: ANN401 - mace's
    """Return coefficients, shape (outputs, factor, ..., factor, terms)."""
    table = part.U_tensors(n_factors).detach().to("cpu", torch.float64)
    return table if table.dim() == n_factors + 2 else table[None]


_Term = tuple[int, int, int, int]
"""Number of factors, and three places among (1, x)."""


def _terms(part: Any) -> set[_Term]:  # noqa: ANN401 - mace's
    """Return every product that has a coefficient."""
    found: set[_Term] = set()
    for n_factors in range(1, part.correlation + 1):
        table = _coefficients(part, n_factors)
        places = table.abs().sum((0, -1)).nonzero().tolist()
        found |= {(n_factors, *_places(place)) for place in places}
    return found


def _places(factors: Sequence[int]) -> tuple[int, int, int]:
    """Return the sorted places of factors among (1, x), padded with ones."""
    ones = [0] * (MOST_FACTORS - len(factors))
    a, b, c = ones + sorted(one + 1 for one in factors)
    return a, b, c


def _table(
    part: Any,  # noqa: ANN401 - mace's
    terms: set[_Term],
    pairs: Sequence[tuple[int, int]],
) -> Tensor:
    """Return coefficients, shape (terms, pairs * (1 + factors) * outputs)."""
    number = {pair: i for i, pair in enumerate(pairs)}
    blocks: list[Tensor] = []
    for n_factors in range(part.correlation, 0, -1):  # in the order of the weights
        table = _coefficients(part, n_factors)
        n_out, n_in, n_terms = table.shape[0], table.shape[1], table.shape[-1]
        block = table.new_zeros(n_terms, len(pairs), 1 + n_in, n_out)
        for _, a, b, c in (one for one in terms if one[0] == n_factors):
            factors = [one - 1 for one in (a, b, c) if one]
            for place in set(itertools.permutations(factors)):
                block[:, number[a, b], c] += table[:, *place].T
        blocks.append(block.flatten(1))
    return torch.cat(blocks)
