"""Leave-out folds: what belongs together stays on one side."""

from collections.abc import Sequence

import numpy as np

from atomgraft.core.errors import BadInputError


def balanced_folds(
    groups: Sequence[str], n_folds: int, rng: np.random.Generator
) -> tuple[int, ...]:
    """Deal members out to folds of about equal size; a group is never torn apart.

    Parameters
    ----------
    groups
        The group of each member; members of one group share a fold.
    n_folds
        Two at least.
    rng
        Decides the order in which groups are dealt out.

    Returns
    -------
    :
        The fold of each member, from zero; no fold is empty.

    Raises
    ------
    BadInputError
        There are fewer groups than folds.

    Examples
    --------
    >>> folds = balanced_folds(["a", "b", "a", "c"], 2, np.random.default_rng(0))
    >>> folds[0] == folds[2], sorted(set(folds))
    (True, [0, 1])
    """
    names = sorted(set(groups))
    if len(names) < n_folds:
        raise BadInputError(
            f"{n_folds} folds were asked for, and the materials make {len(names)} "
            "groups that must not be torn apart.",
            "Each fold needs a group of its own.",
            f"Ask for {len(names)} folds or fewer with --folds."
            if len(names) > 1
            else "Give more materials.",
        )
    shuffled = [names[i] for i in rng.permutation(len(names))]
    sizes = {name: sum(one == name for one in groups) for name in names}
    filled = [0] * n_folds
    fold_of: dict[str, int] = {}
    for name in sorted(shuffled, key=lambda one: -sizes[one]):  # stable: order kept
        fold = int(np.argmin(filled))
        fold_of[name] = fold
        filled[fold] += sizes[name]
    return tuple(fold_of[one] for one in groups)
