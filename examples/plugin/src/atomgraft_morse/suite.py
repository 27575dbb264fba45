"""A suite: how stiff a crystal is under pressure, beside the base."""

from typing import final

import numpy as np
from ase import Atoms
from ase.units import GPa

from atomgraft.core.errors import BadInputError
from atomgraft.evaluation.suite import (
    AbstractSuite,
    Answers,
    Contestants,
    Progress,
    Subject,
    SuiteOptions,
)
from atomgraft.models.base import AbstractPotential
from atomgraft.models.prediction import predict_structures
from atomgraft.records.scores import Score


class StiffnessOptions(SuiteOptions):
    """How far the crystal is squeezed."""

    strain: float = 0.01
    """Of each edge, in both directions."""


@final
class StiffnessSuite(AbstractSuite):
    """The bulk modulus of the first held-out crystal."""

    name = "stiffness"
    title = "Stiffness"
    caption = (
        "Bulk modulus of the first held-out crystal, from its pressure at two volumes, "
        "atoms moved along. There is no reference: the base's own is beside it."
    )
    Options = StiffnessOptions

    def __init__(self, subject: Subject, options: SuiteOptions) -> None:
        assert isinstance(options, StiffnessOptions)
        crystals = [one for one in subject.structures if one.pbc.all()]
        if not crystals:
            raise BadInputError(
                "The suite 'stiffness' was asked for, and no crystal is held out.",
                "A structure that is periodic in all directions is needed.",
                "Name a file that has one: --test FILE",
            )
        self.crystal, self.strain = crystals[0], options.strain

    def ask(
        self, contestants: Contestants, progress: Progress | None = None
    ) -> Answers:
        """Return one number for each model."""
        rows: list[Score] = []
        n = len(contestants.models)
        for i, (name, potential) in enumerate(contestants.models.items()):
            if progress is not None:
                progress(f"{name}: stiffness", i, n)
            rows.append(
                Score(
                    model=name,
                    suite=self.name,
                    quantity="bulk modulus",
                    metric="value",
                    value=bulk_modulus(potential, self.crystal, self.strain),
                    unit="GPa",
                    n=1,
                )
            )
        return Answers(scores=tuple(rows))


def bulk_modulus(potential: AbstractPotential, crystal: Atoms, strain: float) -> float:
    """Return -V dp/dV of a crystal by central differences, GPa."""
    squeezed = [_scaled(crystal, 1 - strain), _scaled(crystal, 1 + strain)]
    found = list(predict_structures(potential, squeezed))
    pressures = [-np.asarray(one.stress)[:3].mean() for one in found]
    volumes = [one.get_volume() for one in squeezed]
    slope = (pressures[1] - pressures[0]) / (volumes[1] - volumes[0])
    return float(-crystal.get_volume() * slope / GPa)


def _scaled(crystal: Atoms, factor: float) -> Atoms:
    atoms = crystal.copy()
    atoms.set_cell(crystal.cell.array * factor, scale_atoms=True)
    return atoms
