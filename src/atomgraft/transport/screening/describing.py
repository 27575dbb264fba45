"""From a structure to its features, in the process that computes them."""

import dataclasses
import functools

import numpy as np
from ase.cell import Cell
from jaxtyping import Float

from atomgraft.core.errors import BadInputError, reason_of
from atomgraft.core.trust import Trust
from atomgraft.data.disorder.average import AverageStructure
from atomgraft.data.disorder.ordering import ordered
from atomgraft.run.inputs import load_base
from atomgraft.transport.features.invariants import Invariants
from atomgraft.transport.features.ions import ions_of, packed
from atomgraft.transport.features.table import describe
from atomgraft.transport.materials import Material

MAX_ATOMS = 5000
"""Of a structure; more take minutes and gigabytes."""

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
    a, b, c, alpha, beta, gamma = Cell(structure.cell).cellpar().tolist()
    return Material(
        name=structure.name,
        amounts=dict(structure.composition),
        mobile=ion,
        cell=(a, b, c, alpha, beta, gamma),
        structures=examples,
    )
