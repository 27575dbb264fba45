"""A diffusivity by hand, for tests of what reads one."""

from atomgraft.transport.diffusivity.record import (
    PROBABILITIES,
    ArrheniusRecord,
    Bound,
    ConductionRecord,
    Curve,
    DiffusivityResult,
    FrameworkMotion,
    Interval,
    IonRecord,
    Settings,
    TemperatureRecord,
    TrajectoryRecord,
)

SETTINGS = Settings(
    mobile=("Li",),
    skip=0.0,
    start=None,
    unwrapped=False,
    smallest_msd=1.0,
    melt_limit=2.0,
    keep_molten=False,
    estimator="overlapping",
    n_samples=4000,
    seed=0,
)

CAGED = "the MSD grows as time to the power 0.10: ions move in cages or hop back"


def interval(value):
    """Return an interval of 10 % around a value."""
    return Interval(
        median=value,
        low68=0.95 * value,
        high68=1.05 * value,
        low95=0.9 * value,
        high95=1.1 * value,
    )


def known(value):
    return Bound(value=interval(value), limit=None)


def limited(value, reason=CAGED):
    return Bound(value=None, limit=value, reason=reason)


def ion(diffusivity, **changes):
    """Return lithium; without a diffusivity, in its cage."""
    bound = limited(2e-7) if diffusivity is None else known(diffusivity)
    times = (0.1, 1.0, 10.0, 20.0, 50.0)
    slope = 6e4 * (diffusivity or 0.0)
    values = {
        "element": "Li",
        "n_ions": 32,
        "charge": 1.0,
        "diffusivity": bound,
        "axes": (bound, bound, bound),
        "tensor": None,
        "exponent": 0.1 if diffusivity is None else 0.98,
        "exponent_error": 0.03,
        "start": None if diffusivity is None else 1.0,
        "end": 50.0,
        "curve": Curve(
            times=times,
            msd=tuple(0.3 + slope * one for one in times),
            errors=() if diffusivity is None else (0.01, 0.1, 0.2, 0.5),
            slope=slope or None,
            intercept=0.3 if slope else None,
        ),
        "quantiles": ()
        if diffusivity is None
        else tuple(diffusivity * (0.9 + 0.2 * one) for one in PROBABILITIES),
        "scatter_p": None,
    }
    return IonRecord(**(values | changes))


def conduction(conductivity, collective=None):
    """Return a conductivity; without a collective one, as of a short run."""
    if conductivity is None:
        nothing = limited(0.001)
        return ConductionRecord(
            nernst_einstein=nothing, diffusivity=nothing, collective=nothing,
            haven=limited(None),
        )  # fmt: skip
    short = limited(None, "too short for the collective motion: few samples")
    flow = short if collective is None else known(collective)
    ratio = short if collective is None else known(conductivity / collective)
    return ConductionRecord(
        nernst_einstein=known(conductivity),
        diffusivity=flow,
        collective=flow,
        haven=ratio,
    )


def at(temperature, diffusivity, conductivity=None, collective=None, **changes):
    """Return one temperature with one element."""
    values = {
        "temperature": temperature,
        "n_runs": 1,
        "length": 100.0,
        "volume": 3000.0,
        "thickness": 14.4,
        "ions": (ion(diffusivity),),
        "conduction": conduction(conductivity, collective),
    }
    return TemperatureRecord(**(values | changes))


def trajectory(temperature, diffusivity, **changes):
    """Return one file."""
    bound = limited(2e-7) if diffusivity is None else known(diffusivity)
    values = {
        "file": f"run-{temperature:g}.extxyz",
        "fingerprint": "ab" * 32,
        "temperature": temperature,
        "n_frames": 1001,
        "step": 100.0,
        "length": 100.0,
        "drift": 0.2,
        "volume_change": 0.0,
        "framework": (FrameworkMotion(element="O", msd=0.2, diffuses=False),),
        "is_molten": False,
        "is_used": True,
        "diffusivity": {"Li": bound},
    }
    return TrajectoryRecord(**(values | changes))


def line(**changes):
    """Return an Arrhenius line through 800 and 1000 K, extended to 300 K."""
    values = {
        "element": "Li",
        "temperatures": (800.0, 1000.0),
        "energy": interval(0.3),
        "log10_prefactor": Interval(
            median=-3.0, low68=-3.1, high68=-2.9, low95=-3.2, high95=-2.8
        ),
        "p_line": None,
        "widening": 1.0,
        "extrapolated_to": 300.0,
        "diffusivity": interval(9e-9),
        "conductivity": interval(4e-4),
        "is_extrapolation": True,
        "band": ((300.0, 9e-9, 4e-9, 2e-8), (1000.0, 3e-5, 2.5e-5, 3.5e-5)),
    }
    return ArrheniusRecord(**(values | changes))


def lithium(**changes):
    """Return three temperatures, of which the lowest has a limit alone."""
    molten = trajectory(
        1500.0,
        5e-5,
        is_molten=True,
        is_used=False,
        framework=(FrameworkMotion(element="O", msd=31.0, diffuses=True),),
    )
    values = {
        "name": "run-600.extxyz",
        "formula": "Li3PO4",
        "finished": True,
        "identity": "cd" * 32,
        "reference": "centre of mass of the framework: O, P",
        "settings": SETTINGS,
        "trajectories": (
            trajectory(600.0, None),
            trajectory(800.0, 1e-5),
            trajectory(1000.0, 3e-5),
            molten,
        ),
        "temperatures": (
            at(600.0, None),
            at(800.0, 1e-5, 0.2),
            at(1000.0, 3e-5, 0.5, 0.8),
        ),
        "arrhenius": (line(),),
        "headline": "Li diffuses with an activation energy of 0.30 eV.",
        "notices": ("One of four trajectories is molten.",),
    }
    return DiffusivityResult(**(values | changes))
