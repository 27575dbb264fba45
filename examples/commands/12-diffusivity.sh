#!/bin/sh
# How fast do the ions of a trajectory move? Here they hop at random between the sites of a lattice.
set -e
python - <<'PYTHON'
import ase.io
import numpy as np
from ase import Atoms

generator = np.random.default_rng(0)
sites = 3.0 * np.array(list(np.ndindex(4, 4, 4)), dtype=float)
ions, oxygen, frames = sites[::4].copy(), sites + 1.5, []
for _ in range(300):
    steps = generator.poisson(0.003, size=(len(ions), 3, 2))
    ions += 3.0 * (steps[..., 0] - steps[..., 1])
    positions = np.concatenate([ions, oxygen])
    positions += 0.1 * generator.normal(size=positions.shape)
    atoms = Atoms("Li16O64", positions, cell=[12.0] * 3, pbc=True)
    atoms.wrap()
    frames.append(atoms)
ase.io.write("hops.extxyz", frames)
PYTHON
atomgraft diffusivity hops.extxyz --mobile Li --temperature 800 --step 100 --out runs/hops
