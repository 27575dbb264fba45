"""Ions whose diffusivity is known in closed form, and trajectories of them."""

import numpy as np
from ase import Atoms

SPACING = 3.0
"""Å, of a simple cubic lattice of sites."""


def brownian(n_frames, n_ions, *, variance=1.0, seed=0, axes=(1.0, 1.0, 1.0)):
    """Return positions whose MSD along each axis is variance times axes a frame."""
    generator = np.random.default_rng(seed)
    moves = generator.normal(size=(n_frames, n_ions, 3)) * np.sqrt(variance)
    moves[0] = 0
    return np.cumsum(moves * np.sqrt(axes), axis=0)


def hops(n_frames, n_ions, *, rate, seed=0, length=SPACING):
    """Return positions of ions that hop along each half axis at a rate a frame.

    The diffusivity is rate times length squared, Å² a frame: six directions, a mean
    squared displacement of 6 rate length², divided by six.
    """
    generator = np.random.default_rng(seed)
    counts = generator.poisson(rate, size=(n_frames, n_ions, 3, 2))
    counts[0] = 0
    return np.cumsum((counts[..., 0] - counts[..., 1]) * length, axis=0)


def crystal(
    n_frames=300,
    *,
    rate=0.005,
    seed=0,
    size=5,
    n_ions=30,
    vibration=0.1,
    drift=0.0,
    melting=0.0,
    breathing=0.0,
    ion="Li",
    is_wrapped=True,
):
    """Return frames of ions that hop between the sites of an oxygen lattice.

    Parameters
    ----------
    rate
        As in `hops`; sites are not blocked by other ions.
    vibration
        Å; standard deviation of every atom along each axis.
    drift
        Å a frame; of the whole crystal along x.
    melting
        Å; of the steps of a random walk of the oxygen atoms.
    breathing
        Relative change of the cell length, at most.
    """
    generator = np.random.default_rng((seed, 1))
    sites = SPACING * np.array(list(np.ndindex(size, size, size)), dtype=float)
    start = sites[generator.permutation(len(sites))[:n_ions]]
    ions = start + hops(n_frames, n_ions, rate=rate, seed=seed)
    steps = melting * generator.normal(size=(n_frames, len(sites), 3))
    oxygen = sites + SPACING / 2 + np.cumsum(steps, axis=0)
    paths = np.concatenate([ions, oxygen], axis=1)
    paths = paths + vibration * generator.normal(size=paths.shape)
    paths[..., 0] += drift * np.arange(n_frames)[:, None]
    frames = []
    for i, positions in enumerate(paths):
        scale = 1 + breathing * np.sin(0.3 * i)
        atoms = Atoms(
            [ion] * n_ions + ["O"] * len(sites),
            positions * scale,
            cell=np.eye(3) * size * SPACING * scale,
            pbc=True,
        )
        if is_wrapped:
            atoms.wrap()
        frames.append(atoms)
    return frames


def diffusivity_of(rate, step, length=SPACING):
    """Return the diffusivity of `hops`, cm²/s, for a time between frames in ps."""
    return rate * length**2 / step * 1e-4
