"""Mobile ions one by one: where they are, and how they moved where that is known.

Ions of a structure that are alike are one row with a larger share, so that a crystal
has a row for each kind of site, whatever its cell.
"""

import dataclasses
from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, Int

from atomgraft.core.progress import Progress
from atomgraft.transport.features.elements import PROPERTIES, properties
from atomgraft.transport.features.invariants import Invariants
from atomgraft.transport.features.sites import MEETING, surroundings
from atomgraft.transport.materials import Material

OWN = ("ionic radius", "electronegativity", "atomic number", "period")
"""Properties of the ion itself."""

SITE = (*MEETING, *OWN)
"""Names of features of an ion without a model."""

DIGITS = 4
"""Ions whose features agree to so many are alike."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class IonTable:
    """Ions by features, material after material.

    Parameters
    ----------
    rows
        One for each kind of ion; what is known of its place.
    columns
        Names of these features.
    owner
        Which material each row belongs to.
    share
        Of the ions of its material that a row stands for; they sum to one.
    temperature
        Of each material, K; NaN where there is none.
    motion
        How the ions of a row moved; NaN where it is not known.
    """

    rows: Float[np.ndarray, "ions features"]
    columns: tuple[str, ...]
    owner: Int[np.ndarray, " ions"]
    share: Float[np.ndarray, " ions"]
    temperature: Float[np.ndarray, " materials"]
    motion: Float[np.ndarray, "ions motion"]

    def __len__(self) -> int:
        """Return how many materials there are."""
        return len(self.temperature)

    @property
    def has_motion(self) -> np.ndarray:
        """Tell of which materials motion is known."""
        known = np.isfinite(self.motion).any(axis=1)
        return np.bincount(self.owner[known], minlength=len(self)) > 0

    @property
    def has_ions(self) -> np.ndarray:
        """Tell of which materials ions are known."""
        return np.bincount(self.owner, minlength=len(self)) > 0

    def take(self, materials: Int[np.ndarray, " some"]) -> "IonTable":
        """Return some of the materials, in a new order."""
        parts = [np.flatnonzero(self.owner == one) for one in materials]
        kept = np.concatenate([*parts, np.zeros(0, dtype=np.int64)]).astype(np.int64)
        owner = np.repeat(np.arange(len(parts)), [len(one) for one in parts])
        return dataclasses.replace(
            self,
            rows=self.rows[kept],
            owner=owner,
            share=self.share[kept],
            temperature=self.temperature[materials],
            motion=self.motion[kept],
        )

    def without_motion(self) -> "IonTable":
        """Return the same ions, of whose motion nothing is known."""
        return dataclasses.replace(self, motion=np.full_like(self.motion, np.nan))


def ions_of(
    materials: Sequence[Material],
    *,
    model: Invariants | None = None,
    progress: Progress | None = None,
) -> IonTable:
    """Describe the mobile ions of materials.

    Parameters
    ----------
    materials
        Those without a structure have no ions.
    model
        Whose features of ions are taken; none takes distances, clearance and bond
        valence around them.
    progress
        Called with what is done, materials done and materials in all.
    """
    width = max(
        (one.motion.shape[1] for one in materials if one.motion is not None), default=0
    )
    found = []
    for index, one in enumerate(materials):
        found.append(_described(one, model, width))
        if progress is not None:
            progress("ions", index + 1, len(materials))
    rows, share, motion = (np.concatenate(part) for part in zip(*found, strict=True))
    counts = [len(one[0]) for one in found]
    return IonTable(
        rows=rows,
        columns=SITE if model is None else model.ion_columns,
        owner=np.repeat(np.arange(len(materials)), counts),
        share=share,
        temperature=np.array(
            [
                np.nan if one.temperature is None else one.temperature
                for one in materials
            ],
            dtype=float,
        ),
        motion=motion,
    )


def _described(
    material: Material, model: Invariants | None, width: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return rows of a material, their shares and their motion."""
    parts = [
        _places(material, k, model)
        for k in range(len(material.structures))
        if material.mobile in material.structures[k].get_chemical_symbols()
    ]
    n_features = len(SITE if model is None else model.ion_columns)
    rows = np.concatenate([*parts, np.zeros((0, n_features))])
    motion = np.full((len(rows), width), np.nan)
    if material.motion is not None and len(rows):
        motion[:] = material.motion
    is_known = np.array(np.isfinite(rows).all(axis=1))
    return merged(rows[is_known], motion[is_known])


def _places(
    material: Material, k: int, model: Invariants | None
) -> Float[np.ndarray, "ions features"]:
    atoms = material.structures[k]
    if model is not None:
        return model.of_ions(atoms, material.mobile)
    ions = np.flatnonzero(atoms.symbols == material.mobile)
    met = surroundings(atoms, material.mobile).meeting(atoms.positions[ions])
    own = [properties(material.mobile)[PROPERTIES.index(one)] for one in OWN]
    return np.concatenate([met, np.tile(own, (len(ions), 1))], axis=1)


def merged(
    rows: Float[np.ndarray, "ions features"], motion: Float[np.ndarray, "ions motion"]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Merge ions whose features are alike; return rows, shares and mean motion.

    Examples
    --------
    >>> rows, share, motion = merged(np.array([[1.0], [2.0], [1.0]]), np.eye(3))
    >>> rows.ravel().tolist(), share.round(2).tolist(), motion[0].tolist()
    ([1.0, 2.0], [0.67, 0.33], [0.5, 0.0, 0.5])
    """
    if not len(rows):
        return rows, np.zeros(0), motion
    _, first, which, counts = np.unique(
        rows.round(DIGITS),
        axis=0,
        return_index=True,
        return_inverse=True,
        return_counts=True,
    )
    total = np.zeros((len(first), motion.shape[1]))
    np.add.at(total, which.ravel(), motion)
    return rows[first], counts / len(rows), total / counts[:, None]


def packed(ions: IonTable) -> Float[np.ndarray, " numbers"]:
    """Return the ions of one material as one row: features and share of each.

    Parameters
    ----------
    ions
        Of one material; its temperature and motion are not kept.
    """
    return np.concatenate([ions.rows, ions.share[:, None]], axis=1).ravel()


def unpacked(
    rows: Sequence[Float[np.ndarray, " numbers"]],
    columns: tuple[str, ...],
    temperature: float | None,
) -> IonTable:
    """Return ions of materials from what `packed` returned of each.

    Parameters
    ----------
    rows
        One for each material.
    columns
        Names of the features.
    temperature
        Of all, K; none where there is none.
    """
    parts = [one.reshape(-1, len(columns) + 1) for one in rows]
    whole = np.concatenate([*parts, np.zeros((0, len(columns) + 1))])
    return IonTable(
        rows=whole[:, :-1],
        columns=columns,
        owner=np.repeat(np.arange(len(parts)), [len(one) for one in parts]),
        share=whole[:, -1],
        temperature=np.full(
            len(parts), np.nan if temperature is None else temperature, dtype=float
        ),
        motion=np.zeros((len(whole), 0)),
    )
