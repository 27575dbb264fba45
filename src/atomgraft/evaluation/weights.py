"""How many weights differ between two models; reference energies do not count."""

import torch

from atomgraft.models.base import REFERENCE_ENERGIES, AbstractPotential
from atomgraft.records.scores import MovedWeights


def moved_weights(base: AbstractPotential, model: AbstractPotential) -> MovedWeights:
    """Compare the weights of a model with those of the base it started from.

    Parameters
    ----------
    base, model
        Of one architecture.

    Examples
    --------
    >>> from atomgraft.models.pair import lennard_jones
    >>> argon = lennard_jones(["Ar"], epsilon=[0.0103], sigma=[3.4], cutoff=8.5)
    >>> moved_weights(argon, argon.clone()).n_moved
    0
    """
    references = frozenset(base.roles.get(REFERENCE_ENERGIES, ()))
    n_weights, n_moved, change, size = 0, 0, 0.0, 0.0
    moved = dict(model.module.named_parameters())
    for name, weight in base.module.named_parameters():
        if name in references:
            continue
        before = weight.detach().double().cpu()
        after = moved[name].detach().double().cpu()
        n_weights += before.numel()
        n_moved += int((after != before).sum())
        change += float(((after - before) ** 2).sum())
        size += float(torch.sum(before**2))
    return MovedWeights(
        n_weights=n_weights,
        n_moved=n_moved,
        relative_change=(change / size) ** 0.5 if size else 0.0,
    )
