"""From a structure to its features, in the process that computes them."""

import dataclasses
import functools

import numpy as np
from ase.cell import Cell
from jaxtyping import Float

from atomgraft.core.errors import BadInputError, reason_of
from atomgraft.core.trust import Trust
from atomgraft.data.disorder.average import AverageStructure
from atomgraft.data.disorder.ordering import Exclusion, ordered
from atomgraft.data.space_groups import searched
from atomgraft.run.inputs import load_base
from atomgraft.transport.features.invariants import Invariants
from atomgraft.transport.features.ions import ions_of, packed
from atomgraft.transport.features.table import describe
from atomgraft.transport.materials import Material
from atomgraft.transport.predictors.methods import FORMULA

MAX_ATOMS = 5000
"""Of a structure; more take minutes and gigabytes."""

SYMPREC = 0.01
"""Å; tolerance of space groups, as in `distil`."""

NO_FEATURES = "its features cannot be computed"
ROUNDED_AWAY = "in whole numbers of atoms, none of the mobile ion is left"
TOO_LARGE = f"more than {MAX_ATOMS} atoms"


@dataclasses.dataclass(frozen=True)
class Reason:
    """Why a structure has no features.

    Parameters
    ----------
    kind
        Of a short list, to count by.
    detail
        What was found.
    """

    kind: str
    detail: str

    @property
    def is_of_ordering(self) -> bool:
        """Whether another try ends in the same: no ordered example contains the ion."""
        return self.kind in {*Exclusion, ROUNDED_AWAY}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Describer:
    """Computes features; plain values, so that it can be sent to another process.

    Parameters
    ----------
    ion
        Symbol of the mobile ion.
    blocks
        Of features.
    model, model_hash
        Whose features are among them; empty: none.
    trust
        Which checkpoints may run code: paths and hashes.
    representatives, max_atoms, seed
        Of ordered examples where there are partial occupancies.
    sees_ions
        Features of single ions follow those of the structure.
    temperature
        Of the property, K; none where there is none.
    """

    ion: str
    blocks: tuple[str, ...]
    model: str = ""
    model_hash: str = ""
    trust: tuple[tuple[str, str], ...] = ()
    representatives: int = 3
    max_atoms: int = 400
    seed: int = 0
    sees_ions: bool = False
    temperature: float | None = None

    def __call__(
        self, structure: AverageStructure
    ) -> Float[np.ndarray, " features"] | Reason:
        """Return the features of a structure, or why it has none.

        Raises
        ------
        BadInputError
            The model cannot be used.
        """
        model = None
        if self.model:
            model = invariants(self.model, self.model_hash, self.trust)
        n_atoms = sum(structure.composition.values())
        if n_atoms > MAX_ATOMS:
            return Reason(TOO_LARGE, f"{n_atoms:.0f} atoms")
        try:
            if not self.sees_ions and set(self.blocks) <= set(FORMULA):
                alone = material_of(structure, (), self.ion)
                alone = dataclasses.replace(alone, temperature=self.temperature)
                return describe([alone], self.blocks).rows[0]
            found = ordered(structure, self.representatives, self.seed, self.max_atoms)
            if found.exclusion is not None:
                return Reason(str(found.exclusion), "; ".join(found.notes))
            if any(
                self.ion not in one.get_chemical_symbols() for one in found.structures
            ):
                return Reason(ROUNDED_AWAY, "; ".join(found.notes))
            material = dataclasses.replace(
                material_of(structure, found.structures, self.ion),
                temperature=self.temperature,
            )
            row = describe([material], self.blocks, model=model).rows[0]
            if not self.sees_ions:
                return row
            return np.concatenate([row, packed(ions_of([material], model=model))])
        except (BadInputError, ArithmeticError, ValueError, RuntimeError) as error:
            return Reason(NO_FEATURES, reason_of(error))


@functools.lru_cache(maxsize=1)
def invariants(
    name: str, weights_hash: str, trust: tuple[tuple[str, str], ...]
) -> Invariants:
    """Return the model whose features a predictor knows; loaded once in a process.

    Parameters
    ----------
    name
        As for `load_base`.
    weights_hash
        Of the model with which the predictor was made.
    trust
        Which checkpoints may run code.

    Raises
    ------
    BadInputError
        It has other weights.
    """
    allowed: Trust = dict(trust)
    found = Invariants(load_base(name, trust=allowed))
    if found.weights_hash != weights_hash:
        raise BadInputError(
            f"{name} has other weights than where the predictor was made.",
            "Expected the same model.",
            "Name the predictor that was made with it, or make it again.",
        )
    return found


def material_of(structure: AverageStructure, examples: tuple, ion: str) -> Material:
    """Return a structure as a material, its property unknown.

    Parameters
    ----------
    structure
        With its composition and cell.
    examples
        Ordered structures that stand for it.
    ion
        Symbol of the mobile ion.
    """
    cell, space_group = standard_setting(structure)
    return Material(
        name=structure.name,
        amounts=dict(structure.composition),
        mobile=ion,
        cell=cell,
        space_group=space_group,
        structures=examples,
    )


CellParameters = tuple[float, float, float, float, float, float]


def standard_setting(
    structure: AverageStructure,
) -> tuple[CellParameters, int | None]:
    """Return the standard cell of a structure, Å and degrees, and its space group.

    Sites with other occupants are of other kinds, so that partial occupancies keep the
    symmetry that a file states. Predictors that know cells know those of tables of
    crystals, not the primitive or larger ones that files may have. Where no symmetry
    is found, the cell is that of the structure.

    Parameters
    ----------
    structure
        With at least one site.

    Examples
    --------
    >>> from ase.build import bulk
    >>> from atomgraft.data.disorder.average import average_of
    >>> cell, number = standard_setting(average_of(bulk("Si", a=5.43), "silicon"))
    >>> round(cell[0], 2), number
    (5.43, 227)
    """
    kinds: dict[tuple, int] = {}
    numbers = [
        kinds.setdefault(
            tuple((one.symbol, round(one.occupancy, 3)) for one in site.occupants),
            len(kinds) + 1,
        )
        for site in structure.sites
    ]
    given = structure.cell, structure.positions, np.array(numbers)
    found = searched("get_symmetry_dataset", given, SYMPREC)
    cell = structure.cell if found is None else np.asarray(found.std_lattice)
    a, b, c, alpha, beta, gamma = Cell(cell).cellpar().tolist()
    number = None if found is None else int(found.number)
    return (a, b, c, alpha, beta, gamma), number
