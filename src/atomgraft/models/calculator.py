"""An ASE calculator for every adapter."""

from collections.abc import Sequence
from typing import Any, final

from ase import Atoms
from ase.calculators.calculator import Calculator, all_changes
from ase.data import chemical_symbols

from atomgraft.core.errors import BadInputError
from atomgraft.models.base import AbstractPotential
from atomgraft.models.prediction import predict_structures


@final
class GraftCalculator(Calculator):
    """Energy (eV), forces (eV/Å) and stress (eV/Å³, ASE's Voigt order and sign).

    The neighbour list is rebuilt on every call. The stress of a structure without
    a cell is zero.

    Parameters
    ----------
    potential
        Evaluated with its own weights, precision and device.
    settings
        What ASE's own `Calculator` accepts, `directory` for example.

    Examples
    --------
    >>> from ase.build import bulk
    >>> from atomgraft.models.pair import stillinger_weber
    >>> silicon = bulk("Si", a=5.431)
    >>> silicon.calc = GraftCalculator(stillinger_weber(["Si"]))
    >>> round(silicon.get_potential_energy() / len(silicon), 3)
    -4.337
    """

    implemented_properties = ["energy", "free_energy", "forces", "stress"]  # noqa: RUF012 - ASE's own

    def __init__(self, potential: AbstractPotential, **settings: Any) -> None:  # noqa: ANN401 - ASE's own
        super().__init__(**settings)
        self.potential = potential

    def calculate(
        self,
        atoms: Atoms | None = None,
        properties: Sequence[str] = ("energy",),
        system_changes: Sequence[str] = tuple(all_changes),
    ) -> None:
        """Compute all properties, whichever are asked for.

        Parameters
        ----------
        atoms
            The structure; the one of the last call if none.
        properties
            Names in `implemented_properties`.
        system_changes
            What ASE saw change.

        Raises
        ------
        BadInputError
            The potential does not know an element.
        """
        super().calculate(atoms, list(properties), list(system_changes))
        structure = self.atoms
        if not isinstance(structure, Atoms):
            raise TypeError("no structure has been given to the calculator yet")
        _require_known(structure, self.potential)
        [prediction] = predict_structures(self.potential, [structure])
        self.results = {
            "energy": prediction.energy,
            "free_energy": prediction.energy,
            "forces": prediction.forces,
            "stress": prediction.stress,
        }


def _require_known(atoms: Atoms, potential: AbstractPotential) -> None:
    unknown = sorted(set(atoms.numbers.tolist()) - potential.elements)
    if unknown:
        names = ", ".join(chemical_symbols[number] for number in unknown)
        known = ", ".join(chemical_symbols[one] for one in sorted(potential.elements))
        raise BadInputError(
            f"The structure {atoms.get_chemical_formula()} holds {names}.",
            f"{potential.card.name} supports {known}.",
            "Choose a potential that supports these elements, or leave the "
            "structure out.",
        )
