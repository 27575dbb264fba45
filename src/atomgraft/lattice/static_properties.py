"""Equation of state, elastic tensor and surfaces of a crystal at rest, by matcalc.

matcalc deforms and relaxes with ASE, and fits with pymatgen. It is imported here alone,
and only when it is asked. Energies are in eV, lengths in Å, stresses in eV/Å³.
"""

import contextlib
import dataclasses
import importlib
import importlib.util
import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np
from ase import Atoms
from jaxtyping import Float

from atomgraft.core.errors import AtomgraftError, MissingExtraError, foreign
from atomgraft.lattice.relaxation import FMAX, MAX_STEPS
from atomgraft.models.base import AbstractPotential
from atomgraft.models.calculator import GraftCalculator
from atomgraft.models.prediction import predict_structures

LARGEST_STRAIN = 0.02
"""Of each edge in the equation of state: 6 % of the volume, where the curve of third
order still holds."""

N_VOLUMES = 7

STRAINS = (-0.002, -0.001, 0.001, 0.002)
"""Of the elastic tensor; in pairs, so that even orders cancel. At 1 % C12 of
Stillinger-Weber silicon is 0.05 GPa larger, and soft modes matter more."""

STRAINED_FMAX = 2e-5
"""eV/Å; a fifth of what is usual, as strains are small."""

LEAST_R2 = 0.99
"""Of the equation of state; a smooth energy has more than 0.9999."""

MOST_ASYMMETRIC = 0.05
"""Of an elastic tensor, as a share of its largest component. It is symmetric where the
stress is a derivative of one energy, whose strain is small."""

SLAB_FMAX = 1e-3
"""eV/Å; what is left to gain in energy is far below 1e-4 eV for each atom."""

VACUUM = 15.0
"""Å between two slabs, or the model's cutoff where that is longer."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class EquationOfState:
    """Energy over volume, fitted by Birch and Murnaghan's equation of third order.

    Parameters
    ----------
    volumes
        Å³ per atom, ascending.
    energies
        eV per atom.
    volume
        At the minimum, Å³ per atom.
    modulus
        Bulk modulus at the minimum, eV/Å³.
    derivative
        Of the modulus by the pressure.
    """

    volumes: tuple[float, ...]
    energies: tuple[float, ...]
    volume: float
    modulus: float
    derivative: float


@dataclasses.dataclass(frozen=True, kw_only=True)
class Elasticity:
    """The elastic response of a crystal, atoms relaxed at each strain.

    Parameters
    ----------
    tensor
        Voigt order xx, yy, zz, yz, xz, xy; eV/Å³.
    shear
        Shear modulus by Voigt, Reuss and Hill, eV/Å³.
    youngs
        Young's modulus from the same averages, eV/Å³.
    """

    tensor: Float[np.ndarray, "6 6"]
    shear: float
    youngs: float

    @property
    def smallest(self) -> float:
        """Smallest eigenvalue of the tensor, eV/Å³; Born's criterion wants it positive.

        Shears count by their tensor components, so that it depends on no axes.
        """
        weights = np.sqrt([1, 1, 1, 2, 2, 2])
        return float(np.linalg.eigvalsh(self.tensor * np.outer(weights, weights))[0])


def require_matcalc() -> None:
    """Check that this Python can import matcalc.

    Raises
    ------
    MissingExtraError
        It cannot.
    """
    if importlib.util.find_spec("matcalc") is None:
        raise MissingExtraError(
            "Bulk properties need matcalc, which is not installed here.",
            "It is an extra of atomgraft.",
            "Run: pip install 'atomgraft[bulk]'",
        )


def equation_of_state(potential: AbstractPotential, crystal: Atoms) -> EquationOfState:
    """Return energy over volume, shape and atoms relaxed at each volume.

    Parameters
    ----------
    potential
        In float64.
    crystal
        Relaxed under the potential; not changed.

    Raises
    ------
    MissingExtraError
        matcalc is not installed.
    AtomgraftError
        A relaxation does not end, or the curve is not smooth or has no minimum.
    """
    from ase.eos import EquationOfState as Fit

    found = _asked(
        "EOSCalc",
        potential,
        crystal,
        max_abs_strain=LARGEST_STRAIN,
        n_points=N_VOLUMES,
        optimizer=_strict_optimizer(),
        max_steps=MAX_STEPS,
        fmax=FMAX,
        allow_shape_change=True,
        relax_structure=False,
    )
    if not found["r2_score_bm"] > LEAST_R2:
        raise _rough(crystal, "energy over volume", "Birch and Murnaghan's equation")
    volumes = np.array(found["eos"]["volumes"]) / len(crystal)
    energies = np.array(found["eos"]["energies"]) / len(crystal)
    fit = Fit(volumes, energies, eos="birchmurnaghan")
    with _guarded("The fit of the equation of state", crystal):
        volume, _, modulus = fit.fit(warn=False)
    if not volumes[0] < volume < volumes[-1] or modulus <= 0:
        raise AtomgraftError(
            f"The energy of {crystal.get_chemical_formula()} over volume has no "
            "minimum where the relaxation ended.",
            "A crystal that withstands compression is needed.",
            "Look at the forces of the model.",
        )
    _, _, derivative, _ = fit.eos_parameters
    return EquationOfState(
        volumes=tuple(volumes.tolist()),
        energies=tuple(energies.tolist()),
        volume=float(volume),
        modulus=float(modulus),
        derivative=float(derivative),
    )


def elasticity(potential: AbstractPotential, crystal: Atoms) -> Elasticity:
    """Return the elastic tensor from the stress at small strains.

    Parameters
    ----------
    potential
        In float64.
    crystal
        Relaxed under the potential, in the orientation of the tensor; not changed.

    Raises
    ------
    MissingExtraError
        matcalc is not installed.
    AtomgraftError
        A relaxation does not end, or the stress is no derivative of one energy.
    """
    found = _asked(
        "ElasticityCalc",
        potential,
        crystal,
        norm_strains=STRAINS,
        shear_strains=STRAINS,
        fmax=STRAINED_FMAX,
        relax_structure=False,
        relax_deformed_structures=True,
        relax_calc_kwargs={"optimizer": _strict_optimizer(), "max_steps": MAX_STEPS},
    )
    tensor = np.asarray(found["elastic_tensor"].voigt, dtype=float)
    if not np.abs(tensor - tensor.T).max() < MOST_ASYMMETRIC * np.abs(tensor).max():
        raise _rough(crystal, "stress over strain", "a symmetric elastic tensor")
    return Elasticity(
        tensor=(tensor + tensor.T) / 2,
        shear=float(found["shear_modulus_vrh"]),
        youngs=float(found["youngs_modulus"]),
    )


def surface_energy(
    potential: AbstractPotential,
    crystal: Atoms,
    miller: tuple[int, int, int],
    *,
    thickness: float,
    relaxed: bool = True,
) -> float:
    """Return the energy of the cheapest cut along a plane, eV/Å².

    Slabs keep the composition of the crystal. Where their two sides differ it is the
    mean of both. Sides keep the periodicity of the crystal, so that they do not
    reconstruct into larger cells.

    Parameters
    ----------
    potential
        In float64.
    crystal
        Conventional cell, relaxed under the potential; not changed.
    miller
        Indices of the plane in that cell.
    thickness
        Of the slabs, at least, Å.
    relaxed
        Let the atoms move.

    Raises
    ------
    MissingExtraError
        matcalc is not installed.
    AtomgraftError
        A relaxation does not end, or there is no slab.
    """
    require_matcalc()
    [whole] = predict_structures(potential, [crystal])
    per_atom = whole.energy / len(crystal)
    energies = [
        _asked(
            "SurfaceCalc",
            potential,
            {"slab": slab, "bulk_energy_per_atom": per_atom},
            relax_bulk=False,
            relax_slab=relaxed,
            fmax=SLAB_FMAX,
            optimizer=_strict_optimizer(),
            max_steps=MAX_STEPS,
        )["surface_energy"]
        for slab in _slabs(crystal, miller, thickness, max(VACUUM, potential.cutoff))
    ]
    return float(min(energies))


def _rough(crystal: Atoms, curve: str, law: str) -> AtomgraftError:
    return AtomgraftError(
        f"The {curve} of {crystal.get_chemical_formula()} does not follow {law}.",
        "A smooth model is needed, and a crystal that keeps its structure when it is "
        "strained.",
        "Look for soft modes (--suite phonons), and at the suite consistency.",
    )


def _slabs(
    crystal: Atoms, miller: tuple[int, int, int], thickness: float, vacuum: float
) -> list[Any]:
    """Return pymatgen's slabs of a plane, one for each different cut.

    Raises
    ------
    AtomgraftError
        There is none.
    """
    surface: Any = importlib.import_module("pymatgen.core.surface")
    adaptor: Any = importlib.import_module("pymatgen.io.ase").AseAtomsAdaptor
    with _guarded("Cutting", crystal):
        bulk = adaptor.get_structure(crystal)
        generator = surface.SlabGenerator(bulk, miller, thickness, vacuum)
        found = [
            slab
            for slab in generator.get_slabs()
            if slab.composition.reduced_formula == bulk.composition.reduced_formula
        ]
    if not found:
        raise AtomgraftError(
            f"No slab of {crystal.get_chemical_formula()} along {miller} has the "
            "composition of the crystal.",
            "A plane that cuts the crystal into equal slabs is needed.",
            "Name other planes: --set bulk.surfaces=110",
        )
    return found


def _asked(
    calculation: str,
    potential: AbstractPotential,
    structure: Atoms | dict[str, Any],
    **settings: Any,  # noqa: ANN401 - matcalc's own
) -> dict[str, Any]:
    """Return what one of matcalc's calculations finds."""
    require_matcalc()
    with _guarded(f"matcalc's {calculation}", structure):
        matcalc: Any = importlib.import_module("matcalc")
        calculator = GraftCalculator(potential)
        return getattr(matcalc, calculation)(calculator, **settings).calc(structure)


def _strict_optimizer() -> Any:  # noqa: ANN401 - a class of ASE
    """Return BFGS that raises where it does not converge; matcalc would go on."""
    from ase.optimize import BFGS

    base: Any = BFGS

    class Strict(base):
        def run(self, fmax: float = FMAX, steps: int = MAX_STEPS) -> bool:
            if not super().run(fmax=fmax, steps=steps):
                raise AtomgraftError(
                    f"A relaxation did not end within {steps} steps.",
                    f"Forces below {fmax:g} eV/Å are needed.",
                    "Look at the forces of the model.",
                )
            return True

    return Strict


@contextlib.contextmanager
def _guarded(what: str, structure: Atoms | dict[str, Any]) -> Iterator[None]:
    """Pass our own errors, name those of matcalc, and silence its notices."""
    formula = (
        structure.get_chemical_formula() if isinstance(structure, Atoms) else "a slab"
    )

    def refusal(why: str) -> AtomgraftError:
        return AtomgraftError(
            f"{what} of {formula} failed: {why}.",
            "A model under which the crystal is a crystal is needed.",
            "Look at the forces of the model.",
        )

    with foreign(refusal), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
