"""kinisi's regression of the mean-squared displacement; kinisi is imported here alone.

kinisi (A. R. McCluskey and co-workers, doi:10.1021/acs.jctc.4c01249) takes the variance
of the MSD as that of windows that do not overlap, and samples slope and intercept with
the covariance that follows. Its intervals are wider than the scatter: those of 95 %
hold the diffusivity of random walks in 98 of 100 cases.
"""

import importlib
import importlib.util
from typing import Any

import numpy as np
from jaxtyping import Float

from atomgraft.core.errors import MissingExtraError
from atomgraft.transport.diffusivity.windows import Displacements

N_BURN, N_WALKERS, THIN = 300, 32, 10


def require_kinisi() -> None:
    """Check that this Python can import kinisi.

    Raises
    ------
    MissingExtraError
        It cannot.
    """
    if importlib.util.find_spec("kinisi") is None:
        raise MissingExtraError(
            "--estimator kinisi needs kinisi, which is not installed here.",
            "The default estimator needs nothing more.",
            "Run: pip install 'atomgraft[transport]', or leave --estimator out.",
        )


def kinisi_samples(
    data: Displacements, first: int, n_samples: int, generator: np.random.Generator
) -> Float[np.ndarray, " samples"]:
    """Return samples of the slope of the MSD by kinisi's Bayesian regression, Å²/ps.

    Parameters
    ----------
    data
        What was measured.
    first
        Position of the shortest window of the fit.
    n_samples
        How many.
    generator
        Of random numbers.

    Raises
    ------
    MissingExtraError
        kinisi is not installed.
    """
    require_kinisi()
    diffusion: Any = importlib.import_module("kinisi.diffusion")
    fit = diffusion.Diffusion(_group(data))
    start = fit.dg["da"].coords["time interval"][first]
    state = np.random.get_state()  # noqa: NPY002 - kinisi draws from numpy's global state
    try:
        fit.bayesian_regression(
            start_dt=start,
            n_samples=-(-n_samples // N_WALKERS) * THIN,
            n_walkers=N_WALKERS,
            n_burn=N_BURN,
            n_thin=THIN,
            progress=False,
            random_state=np.random.RandomState(int(generator.integers(2**32))),
        )
    finally:
        np.random.set_state(state)  # noqa: NPY002
    return np.maximum(np.asarray(fit.gradient.values, dtype=float)[:n_samples], 1e-300)


def _group(data: Displacements) -> Any:  # noqa: ANN401 - of scipp
    """Return the MSD as kinisi holds it."""
    sc: Any = importlib.import_module("scipp")
    frames = sum(
        n * (length - 1)
        for n, length in zip(data.n_particles, data.n_frames, strict=True)
    )
    n_samples = frames / data.windows
    return sc.DataGroup(
        {
            "da": sc.DataArray(
                data=sc.Variable(
                    dims=["time interval"],
                    values=data.mean,
                    variances=data.spread / n_samples,
                    unit="angstrom^2",
                ),
                coords={
                    "time interval": sc.array(
                        dims=["time interval"], values=data.times, unit="ps"
                    ),
                    "n_samples": sc.array(dims=["time interval"], values=n_samples),
                },
            ),
            "dimensionality": sc.scalar(3),
        }
    )
