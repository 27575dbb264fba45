"""What an ion meets at a point: distances, clearance and bond valence."""

import dataclasses

import numpy as np
from ase import Atoms
from jaxtyping import Bool, Float, Int

from atomgraft.transport.features.elements import (
    PROPERTIES,
    SOFTNESS,
    anions_of,
    bond_length,
    charge,
    ionic_radius,
    properties,
)
from atomgraft.transport.features.images import images_of
from atomgraft.transport.materials import Hop, Material

REACH = 6.0
"""Å; farther atoms do not count in sums."""

N_NEAREST = 4
FAR = 8.0
"""Å; in place of larger distances, and of those to atoms that are not there."""

OPEN = 5.0
"""Å; in place of larger clearances."""

KINDS = ("anion", "cation", "mobile ion")

ITSELF = 0.01
"""Å; an atom within it from a point is the ion itself."""

NEAR = 3.5
"""Å; anions within it are counted."""

SMALLEST_VALENCE = 0.05
"""Added before the logarithm."""

MEETING = (
    *(
        f"{what} to {kind}"
        for kind in KINDS
        for what in (*(f"distance {k + 1}" for k in range(N_NEAREST)), "clearance")
    ),
    "bond valence sum",
    "log of bond valence sum",
    "charges of cations over distances",
    "anions nearby",
    "electronegativity around",
)
"""Names of what `Surroundings.meeting` returns; Å, e, e/Å."""

BULK = tuple(
    f"{name}, {which} of sites" for which in ("mean", "spread") for name in MEETING
)

AT_ENDS, ASYMMETRY = "at the ends", "difference of the ends"
HALFWAY, RISE = "halfway", "halfway minus ends"
QUARTER, TOP, BOTTOM = "at a quarter minus ends", "highest", "lowest"
HOP = (
    "hop length",
    *(
        f"{name}, {which}"
        for which in (AT_ENDS, HALFWAY, RISE, QUARTER, ASYMMETRY, TOP, BOTTOM)
        for name in MEETING
    ),
)


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class Surroundings:
    """The atoms that an ion meets, and what it needs to know of them.

    Parameters
    ----------
    atoms
        Of a crystal; the ion may be one of them where it is on its site.
    ion
        Symbol of this ion.
    kinds
        Which atoms are of each of KINDS.
    radii, charges, bonds, negativities
        Of each atom: ionic radius, Å; common charge, e; length of a bond of valence
        one with the ion, Å; electronegativity.
    """

    atoms: Atoms
    ion: str
    kinds: Bool[np.ndarray, "kinds atoms"]
    radii: Float[np.ndarray, " atoms"]
    charges: Float[np.ndarray, " atoms"]
    bonds: Float[np.ndarray, " atoms"]
    negativities: Float[np.ndarray, " atoms"]

    def meeting(
        self, points: Float[np.ndarray, "points 3"]
    ) -> Float[np.ndarray, "points features"]:
        """Return what the ion meets at points, in the order of MEETING.

        Atoms of all cells count; one that is at the point is the ion itself.
        """
        places = np.linalg.solve(self.atoms.cell.array.T, points.T).T
        inside = (places % 1.0) @ self.atoms.cell.array
        positions, which = images_of(self.atoms, FAR)
        return np.array([self._at(one, positions, which) for one in inside])

    def _at(
        self,
        point: Float[np.ndarray, " 3"],
        positions: Float[np.ndarray, "images 3"],
        which: Int[np.ndarray, " images"],
    ) -> np.ndarray:
        apart = np.linalg.norm(positions - point, axis=1)
        counts = (apart > ITSELF) & (apart < FAR)
        apart, which = apart[counts], which[counts]
        anion, cation, _ = self.kinds[:, which]
        is_near = apart < REACH
        row: list[float] = []
        for kind in self.kinds[:, which]:
            nearest = np.full(N_NEAREST, FAR)
            found = np.sort(apart[kind])[:N_NEAREST]
            nearest[: len(found)] = found
            room = apart[kind] - self.radii[which][kind] - ionic_radius(self.ion)
            row += [*nearest, min(room.min(initial=OPEN), OPEN)]
        bonded = anion & is_near
        valence = np.exp((self.bonds[which][bonded] - apart[bonded]) / SOFTNESS).sum()
        far_off = cation & is_near
        fading = np.clip(1 - (apart / REACH) ** 2, 0, None) ** 3
        return np.array(
            [
                *row,
                valence,
                np.log(valence + SMALLEST_VALENCE),
                (self.charges[which][far_off] / apart[far_off]).sum(),
                (anion & (apart < NEAR)).sum(),
                (fading * self.negativities[which]).sum(),
            ]
        )


def surroundings(atoms: Atoms, ion: str) -> Surroundings:
    """Return what an ion needs to know of atoms.

    Parameters
    ----------
    atoms
        Of a crystal; the ion may be one of them where it is on its site.
    ion
        Its symbol.
    """
    symbols = atoms.get_chemical_symbols()
    anions = anions_of({*symbols, ion})
    is_anion = np.array([one in anions and one != ion for one in symbols], dtype=bool)
    is_mobile = np.array([one == ion for one in symbols], dtype=bool)
    place = PROPERTIES.index("electronegativity")
    return Surroundings(
        atoms=atoms,
        ion=ion,
        kinds=np.array([is_anion, ~is_anion & ~is_mobile, is_mobile]),
        radii=np.array([ionic_radius(one) for one in symbols]),
        charges=np.array([charge(one) for one in symbols]),
        bonds=np.array([bond_length(ion, one) for one in symbols]),
        negativities=np.array([properties(one)[place] for one in symbols]),
    )


def bulk(material: Material) -> Float[np.ndarray, " features"]:
    """Return what mobile ions meet on their sites, in the order of BULK; else NaN.

    Mean and spread over the ions of a structure, then the mean over structures.
    """
    rows = []
    for atoms in material.structures:
        ions = np.flatnonzero(atoms.symbols == material.mobile)
        if len(ions):
            around = surroundings(atoms, material.mobile)
            met = around.meeting(atoms.positions[ions])
            rows.append(np.concatenate([met.mean(axis=0), met.std(axis=0)]))
    return np.mean(rows, axis=0) if rows else np.full(len(BULK), np.nan)


def hop(material: Material) -> Float[np.ndarray, " features"]:
    """Return what an ion meets on its way, in the order of HOP; NaN without a hop."""
    if material.hop is None or len(material.structures) != 1:
        return np.full(len(HOP), np.nan)
    [atoms] = material.structures
    way = material.hop
    others = atoms[[i for i in range(len(atoms)) if i != way.atom]]
    around = surroundings(others, material.mobile)
    met = around.meeting(along(way, (0.0, 0.25, 0.5, 0.75, 1.0)))
    ends = (met[0] + met[4]) / 2
    return np.concatenate(
        [
            [way.length()],
            ends,
            met[2],
            met[2] - ends,
            (met[1] + met[3]) / 2 - ends,
            np.abs(met[0] - met[4]),
            met.max(axis=0),
            met.min(axis=0),
        ]
    )


def along(way: Hop, shares: tuple[float, ...]) -> Float[np.ndarray, "shares 3"]:
    """Return points on a path, by the share of its length.

    Examples
    --------
    >>> way = Hop(atom=0, path=np.array([[0.0, 0.0, 0.0], [2.0, 0.0, 0.0]]))
    >>> along(way, (0.25,)).tolist()
    [[0.5, 0.0, 0.0]]
    """
    steps = np.linalg.norm(np.diff(way.path, axis=0), axis=1)
    passed = np.concatenate([[0.0], np.cumsum(steps)])
    wanted = np.array(shares) * passed[-1]
    return np.array([np.interp(wanted, passed, one) for one in way.path.T]).T
