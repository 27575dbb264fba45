"""The readout solved in closed form on energies and forces: one pass, no epochs.

Atom energies are linear in the last linear map of a readout, so energies and forces
are linear in its change c. With residuals y of the labels against the source, rows X
of derivatives of the predictions in c, and both divided by their units of error,

    c = argmin |y - X c|² + r λ |c|²,

ridge regression towards the source (Hoerl and Kennard, Technometrics 12, 55 (1970)),
or with |c + c₀|² towards zero (c₀: coefficients of the source's own readout),
with λ where generalised cross-validation is smallest (Golub, Heath and Wahba,
Technometrics 21, 215 (1979), eq. 2.1),

    V(λ) = n |y - X c|² / (n - α tr H)²,   H = X (XᵀX + r λ)⁻¹ Xᵀ.

There n is the number r of rows, and α = 1. The components of the forces in one frame
are not independent, so that the data hold less than n labels and plain cross-validation
fits too closely; α > 1 counts each degree of freedom for more (Kim and Gu, J. R. Stat.
Soc. B 66, 337 (2004), eq. 7).

Energies enter after the best shift of reference energies: where the zero of energy
lies is no matter of the readout. Frames that train as force differences enter as such:
a difference is linear in c as forces are. Both frames of an opposite pair enter, with
the same numbers but for the sign, and n counts them once. In a frame that a symmetry
turns into its partner most numbers are copies too - the response of rock salt to one
displaced atom of 64 has 21 different ones of 192 - and n counts half of them: more than
there are, so that λ is rather too small.
"""

import dataclasses
import time
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Protocol, runtime_checkable

import numpy as np
import torch
from ase import Atoms
from jaxtyping import Float
from torch import Tensor

from atomgraft.adaptation.movement import AbstractMovement
from atomgraft.core.errors import BadInputError
from atomgraft.core.progress import Progress, part, told
from atomgraft.data.labels import energy_of, forces_of
from atomgraft.data.partners import Partner
from atomgraft.data.reference_energies import count_elements
from atomgraft.models.base import AbstractPotential
from atomgraft.models.graph import Graph, find_neighbours, make_graph
from atomgraft.models.prediction import (
    batches_by_atoms,
    interaction_energies,
    reference_sums,
)

MAX_ATOMS = 256
"""Atoms of structures that are worked on together."""

KEPT_EVERY = 60.0
"""Seconds of work after which rows are kept, where there is a place for them."""

DERIVATIVES = "differentiating in the readout"

INFLATION = 2.0
"""α: between the 1.4 of Kim and Gu and what ten frames of a crystal need. With plain
cross-validation the readout of 7net-0 on germanium kept 116 of 128 directions, made
twice the force error on other frames, and forgot everything else."""

STRENGTHS = np.logspace(-14, 2, 161)
"""λ among which cross-validation chooses, in units of the mean square of X."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class RidgeFit:
    """A readout in closed form.

    Parameters
    ----------
    changes
        What to add to each parameter of the readout, by name.
    strength
        λ, in units of the mean square of X.
    degrees_of_freedom
        tr H: numbers that the data determine, at most `n_directions`.
    n_directions
        Length of c.
    n_rows
        Labels used: energies, and components of forces.
    n_counted
        How many of them count, n of the above.
    residual_before, residual_after
        Root-mean-square residual of the rows in their unit of error, before and after.
    """

    changes: Mapping[str, Tensor]
    strength: float
    degrees_of_freedom: float
    n_directions: int
    n_rows: int
    n_counted: float
    residual_before: float
    residual_after: float


@dataclasses.dataclass(frozen=True, kw_only=True)
class RidgeUnits:
    """How labels of different kinds are made comparable.

    Parameters
    ----------
    energy
        eV per atom that count as one.
    forces
        eV/Å that count as one.
    energy_weight
        Of a squared energy residual beside the mean squared one of its forces.
    """

    energy: float
    forces: float
    energy_weight: float


@dataclasses.dataclass(frozen=True, kw_only=True)
class Difference:
    """A frame whose forces enter as a difference.

    Parameters
    ----------
    partner
        Whose forces are subtracted.
    weights
        What an error of the difference counts, 1 per eV/Å, by atom; the sum of their
        squares over components is the frame's squared error. Zeros leave it out.
    """

    partner: Partner
    weights: Float[np.ndarray, "atoms 1"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Rows:
    """What one structure says: predictions and their derivatives in c.

    Parameters
    ----------
    energy
        eV
    energy_row
        Its derivatives.
    forces
        eV/Å
    forces_rows
        Their derivatives.
    """

    energy: float
    energy_row: Float[np.ndarray, " directions"]
    forces: Float[np.ndarray, "atoms 3"]
    forces_rows: Float[np.ndarray, "atoms 3 directions"]


@runtime_checkable
class RowStore(Protocol):
    """Where rows are kept, so that a solve that was stopped goes on."""

    def read(self) -> list[Rows]:
        """Return the rows of the first structures, in their order."""
        ...

    def keep(self, first: int, rows: Sequence[Rows]) -> None:
        """Keep rows of consecutive structures, of which `first` is the number."""
        ...


def solve_readout(
    potential: AbstractPotential,
    structures: Sequence[Atoms],
    units: RidgeUnits,
    differences: Mapping[int, Difference] = MappingProxyType({}),
    *,
    is_from_zero: bool = False,
    kept: RowStore | None = None,
    progress: Progress | None = None,
) -> RidgeFit:
    """Solve for the readout that fits energies and forces best.

    Parameters
    ----------
    potential
        The source with reference energies put right; not changed.
    structures
        Labelled structures.
    units
        How energies and forces are weighed.
    differences
        The structures whose forces enter as differences, by number.
    is_from_zero
        Pull the readout towards zero, not towards the source's: a linear model of the
        source's features that does not depend on the last layer of its readout.
    kept
        Has the rows of an earlier call about the same structures, and keeps those of
        this one.
    progress
        Is told how many derivatives are known, of all directions in all groups.

    Raises
    ------
    BadInputError
        The model has no readout in which energies are linear, or no structure has
        energies or forces.
    """
    directions = potential.readout_directions()
    if not directions:
        raise BadInputError(
            f"The energies of {potential.card.name} are not linear in a readout.",
            "A closed-form solution needs a linear readout.",
            "Choose another recipe, for example 'readout'.",
        )
    pieces = _all_rows(potential, directions, structures, kept, progress)
    if progress is not None:
        progress("solving for the readout", 0, 0)
    X, y, n = _weighed(pieces, structures, units, differences)
    if not len(y):
        raise BadInputError(
            "No training structure has energies or forces.",
            "A closed-form solution needs labels.",
            "Give labelled structures, or choose another recipe.",
        )
    before = _own_coefficients(potential, directions) if is_from_zero else 0.0
    c, strength, freedom = ridge(X, y + X @ before if is_from_zero else y, n)
    c = c - before
    coefficients = torch.as_tensor(c)
    return RidgeFit(
        changes={
            name: torch.tensordot(coefficients.to(one), one, dims=1)
            for name, one in directions.items()
        },
        strength=strength,
        degrees_of_freedom=freedom,
        n_directions=len(c),
        n_rows=len(y),
        n_counted=n,
        residual_before=float(np.sqrt(np.mean(y**2))),
        residual_after=float(np.sqrt(np.mean((y - X @ c) ** 2))),
    )


def _own_coefficients(
    potential: AbstractPotential, directions: Mapping[str, Tensor]
) -> np.ndarray:
    """Return the source's readout in units of its directions, which are orthonormal."""
    parts = [
        torch.tensordot(
            one.double(),
            potential.module.get_parameter(name).detach().double(),
            dims=one.ndim - 1,
        )
        for name, one in directions.items()
    ]
    return torch.stack(parts).sum(0).cpu().numpy()


def put_readout(movement: AbstractMovement, fit: RidgeFit) -> None:
    """Add a solved readout to what moves, in place.

    Raises
    ------
    BadInputError
        The readout does not move as a whole.
    """
    trainables = movement.named_trainables()
    missing = sorted(fit.changes.keys() - trainables.keys())
    if missing:
        raise BadInputError(
            f"The readout cannot be solved in closed form, because {missing[0]} is "
            "not trained as a whole.",
            "The trained roles must include the readout.",
            "Add 'readout' to axes.moves.roles, or set axes.starts.readout to source.",
        )
    with torch.no_grad():
        for name, change in fit.changes.items():
            trainables[name].add_(change.to(trainables[name]))


def ridge(
    X: Float[np.ndarray, "rows columns"],
    y: Float[np.ndarray, " rows"],
    n: float | None = None,
) -> tuple[Float[np.ndarray, " columns"], float, float]:
    """Solve a ridge regression, its strength chosen by generalised cross-validation.

    Parameters
    ----------
    X, y
        Rows and what they shall give.
    n
        How many rows count, where some are copies of others; all by default.

    Returns
    -------
    np.ndarray
        Coefficients.
    float
        λ, in units of the mean square of X.
    float
        Effective degrees of freedom.

    Examples
    --------
    >>> X = np.eye(3)[[0, 1, 2] * 4]
    >>> c, _, freedom = ridge(X, X @ np.array([1.0, 2.0, 3.0]))
    >>> c.round(6).tolist(), round(freedom, 6)
    ([1.0, 2.0, 3.0], 3.0)
    """
    U, s, V = np.linalg.svd(X, full_matrices=False)
    projected = U.T @ y
    outside = max(0.0, float(y @ y - projected @ projected))
    n_rows = len(y)
    n = n_rows if n is None else n
    unit = float(np.mean(X**2)) or 1.0
    best = (np.inf, float(STRENGTHS[-1]), 0.0)
    for strength in STRENGTHS:
        kept = s**2 / (s**2 + n_rows * strength * unit)
        freedom = float(kept.sum())
        if INFLATION * freedom >= n:
            continue
        squares = outside + float((((1 - kept) * projected) ** 2).sum())
        score = n * squares / (n - INFLATION * freedom) ** 2
        if score < best[0]:
            best = (score, float(strength), freedom)
    _, strength, freedom = best
    c = V.T @ (s / (s**2 + n_rows * strength * unit) * projected)
    return c, strength, freedom


def _all_rows(
    potential: AbstractPotential,
    directions: Mapping[str, Tensor],
    structures: Sequence[Atoms],
    kept: RowStore | None,
    progress: Progress | None,
) -> list[Rows]:
    """Return the rows of all structures: those that were kept, and the others."""
    found = [] if kept is None else kept.read()
    groups = list(batches_by_atoms(structures, MAX_ATOMS))
    n_passed, n_kept, last = 0, len(found), time.monotonic()
    for i, group in enumerate(groups):
        n_passed += len(group)
        if n_passed <= n_kept:
            continue
        mine = part(progress, i, len(groups))
        found += _rows(potential, directions, group, mine)
        if kept is not None and time.monotonic() - last >= KEPT_EVERY:
            kept.keep(n_kept, found[n_kept:])
            n_kept, last = len(found), time.monotonic()
    return found


def _rows(
    potential: AbstractPotential,
    directions: Mapping[str, Tensor],
    group: Sequence[Atoms],
    progress: Progress | None,
) -> list[Rows]:
    """Differentiate energies and forces of structures in c, at c = 0.

    Structures do not feel each other, so one backward pass gives a column for all.
    """
    graph = make_graph(
        group,
        [find_neighbours(atoms, potential.cutoff) for atoms in group],
        dtype=potential.dtype,
        device=potential.device,
    )
    with torch.enable_grad():
        positions = graph.positions.detach().clone().requires_grad_()
        some = next(iter(directions.values()))
        c = some.new_zeros(len(some)).requires_grad_()
        energies = _energies_at(potential, directions, c, graph, positions)
        own = [_gradient(energy, c) for energy in energies]
        [features] = torch.autograd.grad(energies.sum(), c, create_graph=True)
        forces = -_gradient(energies.sum(), positions)
        counted = told(features, DERIVATIVES, len(features), progress)
        columns = torch.stack([-_gradient(one, positions) for one in counted], dim=-1)
    sizes = [len(atoms) for atoms in group]
    totals = energies.detach().double() + reference_sums(potential, graph)
    return [
        Rows(
            energy=float(energy),
            energy_row=row.double().cpu().numpy(),
            forces=some_forces.double().cpu().numpy(),
            forces_rows=some_columns.double().cpu().numpy(),
        )
        for energy, row, some_forces, some_columns in zip(
            totals,
            own,
            forces.split(sizes),
            columns.split(sizes),
            strict=True,
        )
    ]


def _energies_at(
    potential: AbstractPotential,
    directions: Mapping[str, Tensor],
    c: Tensor,
    graph: Graph,
    positions: Tensor,
) -> Tensor:
    """Return the interactions of each structure with the readout changed by c."""
    weights = {
        name: potential.module.get_parameter(name).detach()
        + torch.tensordot(c, one, dims=1)
        for name, one in directions.items()
    }
    moved = dataclasses.replace(graph, positions=positions)
    atom_energies = interaction_energies(potential, moved, weights)
    empty = atom_energies.new_zeros(graph.n_structures)
    return empty.index_add(0, graph.owner, atom_energies)


def _gradient(value: Tensor, variable: Tensor) -> Tensor:
    """Differentiate; zero where nothing depends on the variable."""
    if not value.requires_grad:
        return torch.zeros_like(variable)
    [gradient] = torch.autograd.grad(
        value, variable, retain_graph=True, allow_unused=True, materialize_grads=True
    )
    return gradient.detach()


def _weighed(
    pieces: Sequence[Rows],
    structures: Sequence[Atoms],
    units: RidgeUnits,
    differences: Mapping[int, Difference],
) -> tuple[np.ndarray, np.ndarray, float]:
    """Return rows and residuals in units of error, a mean over each structure.

    The number counts every row once, and half those of which there are copies.
    """
    X, y = _energies(pieces, structures)
    factor = units.energy_weight**0.5 / units.energy
    X_rows, y_rows, n = [factor * X], [factor * y], float(len(y))
    missing = [
        None if (labels := forces_of(atoms)) is None else labels - one.forces
        for one, atoms in zip(pieces, structures, strict=True)
    ]
    for i, (one, own) in enumerate(zip(pieces, missing, strict=True)):
        if own is None:
            continue
        if i not in differences:
            factor = 1 / (units.forces * own.size**0.5)
            X_rows.append(factor * one.forces_rows.reshape(own.size, -1))
            y_rows.append(factor * own.ravel())
            n += own.size
            continue
        partner, weights = differences[i].partner, differences[i].weights
        if not weights.any():  # the undisplaced crystal has no difference
            continue
        other = missing[partner.index]
        assert other is not None  # frames without forces are nobody's partner
        columns = partner.difference(one.forces_rows, pieces[partner.index].forces_rows)
        X_rows.append((weights[:, :, None] * columns).reshape(own.size, -1))
        y_rows.append((weights * partner.difference(own, other)).ravel())
        n += own.size * (0.5 if partner.has_copies else 1.0)
    return np.concatenate(X_rows), np.concatenate(y_rows), n


def _energies(
    pieces: Sequence[Rows], structures: Sequence[Atoms]
) -> tuple[np.ndarray, np.ndarray]:
    """Return energies per atom without what shifts of reference energies explain."""
    known = [
        (one, atoms)
        for one, atoms in zip(pieces, structures, strict=True)
        if energy_of(atoms) is not None
    ]
    if not known:
        return np.zeros((0, len(pieces[0].energy_row))), np.zeros(0)
    n_atoms = np.array([len(atoms) for _, atoms in known])
    X = np.stack([one.energy_row for one, _ in known]) / n_atoms[:, None]
    labels = np.array([energy_of(atoms) for _, atoms in known], dtype=float)
    y = (labels - np.array([one.energy for one, _ in known])) / n_atoms
    compositions, _ = count_elements([atoms for _, atoms in known])
    basis, sizes, _ = np.linalg.svd(
        compositions / n_atoms[:, None], full_matrices=False
    )
    basis = basis[:, sizes > 1e-6 * sizes[0]]
    return X - basis @ (basis.T @ X), y - basis @ (basis.T @ y)
