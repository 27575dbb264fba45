"""A crystal in closed form, under several contestants: what a phonon page is made of.

A chain of two kinds of atoms has bands that can be written down, so the example needs
no model: ``ω² = k (1/m + 1/M) ± k √((1/m + 1/M)² - 4 sin²(πq)/(mM))``.
"""

import math

import numpy as np

from atomgraft.phonons.record import (
    ConductivityRecord,
    DensityRecord,
    ExpansionRecord,
    LabelsRecord,
    LegRecord,
    PhononErrors,
    PhononResult,
    PhononSettings,
    RelaxationRecord,
    SoftMode,
    Spectrum,
    ThermalRecord,
)
from tests.example_result import HOSTILE, provenance

MASSES = (1.0, 2.5)
STIFFNESS = {"reference": 30.0, "base": 25.0, "adapted": 29.5, "scratch": 14.0}
"""Of each contestant; the highest frequency is the root of 2.8 times it."""

TITLES = {
    "reference": "DFT",
    "base": "Base",
    "adapted": "Adapted",
    "scratch": "From scratch",
}

LEGS = (("Γ", "X"), ("X", "U"), ("K", "Γ"), ("Γ", "L_2"), ("L_2", "W"))
"""One break, at U|K."""

TEMPERATURES = tuple(float(T) for T in range(0, 1001, 50))

ACOUSTIC = 3 / (3 * 2 * 20**3)
"""Share of the three modes at Γ among those of the mesh."""

EYE = ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0))
TWO = ((2.0, 0.0, 0.0), (0.0, 2.0, 0.0), (0.0, 0.0, 2.0))


def branches(q: np.ndarray, stiffness: float, shift: float = 0.0) -> np.ndarray:
    """Return both branches at wave vectors of -1/2 to 1/2, THz; `shift` softens."""
    light, heavy = MASSES
    mean = 1 / light + 1 / heavy
    root = np.sqrt(mean**2 - 4 * np.sin(np.pi * q) ** 2 / (light * heavy))
    squares = stiffness * np.stack([mean - root, mean + root], axis=1)
    squares[:, 0] -= shift * np.sin(np.pi * q) ** 2
    return np.sign(squares) * np.sqrt(np.abs(squares))


def legs(stiffness: float, shift: float, n: int = 15) -> tuple[LegRecord, ...]:
    found, start = [], 0.0
    for number, labels in enumerate(LEGS):
        length = 0.1 + 0.02 * number
        far = 0.5 if number % 2 == 0 else 0.35
        q = np.linspace(0.0, far, n)
        q = q[::-1] if labels[1] == "Γ" else q
        found.append(
            LegRecord(
                labels=labels,
                distances=tuple(start + length * i / (n - 1) for i in range(n)),
                frequencies=tuple(map(tuple, branches(q, stiffness, shift).tolist())),
                speeds=tuple((6.0 * math.cos(math.pi * x), 1.0) for x in q),
            )
        )
        start += length
    return tuple(found)


def density(frequencies: np.ndarray) -> DensityRecord:
    edges = np.linspace(frequencies.min() - 0.3, frequencies.max() + 0.3, 81)
    heights, _ = np.histogram(frequencies, bins=edges, density=True)
    return DensityRecord(
        frequencies=tuple(((edges[1:] + edges[:-1]) / 2).tolist()),
        densities=tuple((2 * heights).tolist()),
    )


def thermal(frequencies: np.ndarray) -> ThermalRecord:
    """Return the curves of independent oscillators, imaginary ones left out."""
    kept = frequencies[frequencies > 0.01]
    energies = 4.135667696 * kept  # meV
    free, entropy, heat = [], [], []
    for T in TEMPERATURES:
        if T == 0:
            free.append(float(energies.mean() / 2 * 3))
            entropy.append(0.0)
            heat.append(0.0)
            continue
        x = energies / (0.08617333 * T)
        log = np.log1p(-np.exp(-x))
        free.append(float(3 * (energies / 2 + 0.08617333 * T * log).mean()))
        entropy.append(float(3 * 8.314 * (x / np.expm1(x) - log).mean()))
        heat.append(float(3 * 8.314 * (x**2 / (4 * np.sinh(x / 2) ** 2)).mean()))
    return ThermalRecord(
        temperatures=TEMPERATURES,
        free_energy=tuple(free),
        entropy=tuple(entropy),
        heat_capacity=tuple(heat),
        share_left_out=max(1 - len(kept) / frequencies.size, ACOUSTIC),
    )


def expansion(stiffness: float) -> ExpansionRecord:
    warm = [T for T in TEMPERATURES if T <= 800]
    return ExpansionRecord(
        volumes=(9.0, 9.2, 9.4, 9.6),
        temperatures=tuple(warm),
        equilibrium_volumes=tuple(9.2 + 1e-4 * T for T in warm),
        expansion=tuple(stiffness * T / (T + 300) for T in warm),
        bulk_modulus=tuple(160 - 0.02 * T for T in warm),
        heat_capacity=tuple(25 * T / (T + 150) for T in warm),
        note="Volumes from minus to plus four per cent.",
    )


def conductivity(stiffness: float) -> ConductivityRecord:
    hot = [T for T in TEMPERATURES if T >= 100]
    rows = tuple(
        (2e2 * stiffness / T, 2e2 * stiffness / T, 3e2 * stiffness / T, 0.0, 0.0, 0.0)
        for T in hot
    )
    return ConductivityRecord(
        temperatures=tuple(hot),
        conductivity=rows,
        mesh=(11, 11, 11),
        n_supercells=111,
        n_atoms_supercell=64,
    )


def relaxation(**changes) -> RelaxationRecord:
    given = {
        "model": "7net-0",
        "is_converged": True,
        "largest_force": 8e-5,
        "n_steps": 14,
        "threshold": 1e-4,
        "space_group_before": "Fm-3m (225)",
        "space_group_after": "Fm-3m (225)",
        "energy": -5.9,
        "volume": 9.4,
    }
    return RelaxationRecord(**(given | changes))


def spectrum(contestant: str, *, shift: float = 0.0, **changes) -> Spectrum:
    """Return one contestant's vibrations; a large `shift` makes it unstable."""
    stiffness = STIFFNESS.get(contestant, 28.0)
    q = (np.arange(400) + 0.5) / 400 - 0.5
    found = branches(q, stiffness, shift)
    is_stable = bool(found.min() > -0.1)
    lowest = float(found.min())
    points = [(0.5, 0.0, 0.5), (0.5, 0.5, 0.0), (0.0, 0.5, 0.5), (1 / 3, 0.0, 0.1234)]
    modes = [SoftMode(q=q, frequency=lowest) for q in points[:3]]
    modes += [SoftMode(q=points[3], frequency=lowest / 2)]
    given = {
        "contestant": contestant,
        "title": TITLES.get(contestant, contestant),
        "minimum": lowest if not is_stable else 0.0,
        "maximum": float(found.max()),
        "mean": float(found.mean()),
        "is_stable": is_stable,
        "residual_force": None if contestant == "reference" else 0.0123,
        "drift": 3e-4,
        "soft_modes": () if is_stable else tuple(modes),
        "bands": legs(stiffness, shift),
        "density": density(found),
        "thermal": thermal(found.ravel()),
        "expansion": expansion(stiffness),
        "conductivity": conductivity(stiffness),
    }
    return Spectrum(**(given | changes))


def errors(contestant: str, mae: float, **changes) -> PhononErrors:
    given = {
        "contestant": contestant,
        "title": TITLES.get(contestant, contestant),
        "frequency_mae": mae,
        "frequency_rmse": 1.4 * mae,
        "frequency_bias": -0.8 * mae,
        "maximum_error": 6 * mae,
        "highest_error": -2 * mae,
        "density_distance": 0.9 * mae,
        "free_energy_error": -10 * mae,
        "entropy_error": 4 * mae,
        "heat_capacity_error": -mae,
        "slope": 1 - mae,
        "is_stable": True,
    }
    return PhononErrors(**(given | changes))


def baselines() -> tuple[PhononErrors, ...]:
    return (
        errors("base", 0.071, title="Base", baseline="global scalar", factor=1.12),
        errors("base", 0.062, title="Base", baseline="own scalar", factor=1.1667),
    )


def settings(**changes) -> PhononSettings:
    given = {
        "space_group": "Fm-3m (225)",
        "n_atoms_primitive": 2,
        "n_atoms_supercell": 64,
        "supercell_matrix": TWO,
        "primitive_matrix": EYE,
        "geometry": "reference",
        "displacement": 0.01,
        "n_displacements": 2,
        "kind": "one atom",
        "symmetrisation": "translations and indices, three rounds",
        "has_charges": True,
        "mesh": (20, 20, 20),
        "threshold": 0.1,
        "symprec": 1e-5,
        "dtype": "float64",
        "versions": {"phonopy": "4.10.0", "spglib": "2.8.0"},
    }
    return PhononSettings(**(given | changes))


def make_phonons(**changes) -> PhononResult:
    """Return a stable crystal under base, adapted and scratch, with a reference."""
    given = {
        "name": "rock salt",
        "formula": "MgO",
        "settings": settings(),
        "spectra": tuple(map(spectrum, STIFFNESS)),
        "errors": (
            errors("base", 0.093),
            errors("adapted", 0.045),
            errors("scratch", 0.51),
            *baselines(),
        ),
        "provenance": (provenance("prove"),),
    }
    return PhononResult(**(given | changes))


def make_unstable() -> PhononResult:
    """Return a crystal that DFT says is unstable and the base says is not."""
    bare = {"expansion": None, "conductivity": None}
    changed = relaxation(
        is_converged=False, largest_force=0.0031, space_group_after="R-3m (166)"
    )
    return make_phonons(
        name=f"perovskite {HOSTILE}",
        formula="KTaO3<b>",
        settings=settings(geometry="relaxed", has_charges=False),
        spectra=(
            spectrum("reference", shift=40.0, **bare),
            spectrum("base", title=f"Base {HOSTILE}", relaxation=changed, **bare),
            spectrum("adapted", shift=38.0, relaxation=relaxation(), **bare),
        ),
        errors=(
            errors("base", 0.9, free_energy_error=None),
            errors("adapted", 0.2, is_stable=False, free_energy_error=None),
        ),
        notices=(f"No Born charges were given for {HOSTILE}.",),
    )


def make_alone() -> PhononResult:
    """Return one model without a reference, and little of it."""
    bare = {"expansion": None, "conductivity": None, "density": None}
    only = spectrum("7net-0", title="7net-0", relaxation=relaxation(), **bare)
    return make_phonons(
        spectra=(only,), errors=(), settings=settings(geometry="relaxed"), provenance=()
    )


def with_deviations(found: Spectrum, sigma: float) -> Spectrum:
    """Return a spectrum whose bands are all as uncertain."""
    bands = tuple(
        leg.model_copy(
            update={
                "deviations": tuple(
                    tuple(sigma for _ in row) for row in leg.frequencies
                )
            }
        )
        for leg in found.bands
    )
    return found.model_copy(update={"bands": bands})


def joined_labels(**changes) -> LabelsRecord:
    given = {
        "n_labels": 2,
        "n_constants": 40,
        "shape": "blocks",
        "scale": 1.07,
        "noise": 0.0021,
        "frequency_deviation": 0.014,
        "free_energy_deviation": 0.05,
        "instability": 0.02,
    }
    return LabelsRecord(**(given | changes))


def make_labelled(**changes) -> PhononResult:
    """Return a crystal whose base is combined with two labels."""
    bare = {"expansion": None, "conductivity": None}
    alone = LabelsRecord(n_labels=2, n_constants=40, n_free=3)
    joined = spectrum(
        "base+labels", title="Base + 2 labels", labels=joined_labels(), **bare
    )
    given = {
        "spectra": (
            spectrum("reference", **bare),
            spectrum("base", **bare),
            spectrum("labels", title="2 labels, no model", labels=alone, **bare),
            with_deviations(joined, 0.1),
        ),
        "errors": (
            errors("base", 0.093),
            errors("labels", 0.06, title="2 labels, no model"),
            errors("base+labels", 0.012, title="Base + 2 labels"),
            *baselines(),
        ),
    }
    return make_phonons(**(given | changes))
