"""A tree of distortions by hand, for tests of what reads one."""

from atomgraft.run.record import BaseCard
from atomgraft.stabilise.record import (
    CrystalRecord,
    SoftSpace,
    StabiliseResult,
    StabiliseSettings,
    StepRecord,
    StructureRecord,
)

UNIT = ((4.0, 0.0, 0.0), (0.0, 4.0, 0.0), (0.0, 0.0, 4.0))

SETTINGS = StabiliseSettings(
    depth=2,
    max_daughters=3,
    threshold=0.1,
    supercell=((2.0, 0.0, 0.0), (0.0, 2.0, 0.0), (0.0, 0.0, 2.0)),
    length=7.6,
    fmax=1e-4,
    max_steps=500,
    displacement=0.01,
    amplitudes=(0.02, 0.2),
    symprecs=(1e-2, 1e-3),
    same_energy=0.1,
    same_distance=0.03,
    dtype="float64",
)

CARD = BaseCard(
    name="7net-0",
    framework="sevennet",
    head=None,
    weights_hash="ab" * 32,
    licence="MIT",
    n_weights=842440,
    cutoff=5.0,
    elements=("Ba", "O", "Ti"),
)


def crystal(number, group, energy, lowest, **changes):
    """Return a crystal; unstable where its lowest frequency says so."""
    soft = (
        ()
        if lowest is None or lowest > -0.1
        else (
            SoftSpace(
                label="Γ", arms=((0.0, 0.0, 0.0),), frequency=lowest, degeneracy=3
            ),
        )
    )
    known = {
        "number": number,
        "depth": min(number, 1),
        "structure": StructureRecord(
            symbols=("Ba",), cell=UNIT, positions=((0.0, 0.0, 0.0),)
        ),
        "file": f"structures/{number:02d}-{group}",
        "space_group": group,
        "space_group_number": 1,
        "symprec": 0.01,
        "energy": -8.0 + energy / 1000,
        "energy_change": energy,
        "volume_change": 1.5 * number,
        "is_converged": lowest is not None,
        "largest_force": 5e-5,
        "n_steps": 20,
        "is_stable": None if lowest is None else not soft,
        "lowest_frequency": lowest,
        "soft": soft,
    }
    return CrystalRecord(**known | changes)


def step(parent, daughter, **changes):
    """Return the way from one crystal to another."""
    known = {
        "parent": parent,
        "daughter": daughter,
        "label": "Γ",
        "frequency": -7.47,
        "direction": "(a,a,0)",
        "amplitudes": (0.7, 0.7, 0.0),
        "n_domains": 12,
        "is_fixed": True,
        "amplitude": 0.1,
        "line_energy": -6.7,
        "trial_space_group": "Amm2",
        "energy_change": -13.0,
        "is_first": True,
    }
    return StepRecord(**known | changes)


def tree(crystals, steps=(), **changes):
    """Return a finished tree."""
    known = {
        "name": "BaTiO3",
        "formula": "BaTiO3",
        "finished": True,
        "identity": "x",
        "model": CARD,
        "settings": SETTINGS,
        "crystals": tuple(crystals),
        "steps": tuple(steps),
        "headline": "BaTiO3 is unstable.",
    }
    return StabiliseResult(**known | changes)


def perovskite():
    """Return a cubic crystal with three daughters, one of which did not relax."""
    return tree(
        [
            crystal(0, "Pm-3m", 0.0, -7.47),
            crystal(1, "P4mm", -12.0, -3.0, counts={"relaxed": 2, "fell back": 1}),
            crystal(2, "Amm2", -13.0, 0.0),
            crystal(3, "R<3>m", -13.5, None, notes=("not converged after 3 steps",)),
        ],
        [
            step(0, 1, direction="(a,0,0)"),
            step(0, 2),
            step(1, 2, frequency=-3.0, is_first=False, energy_change=-1.0),
            step(0, 3, is_fixed=False),
        ],
        notices=("Not converged, and not followed further: crystal 3.",),
    )
