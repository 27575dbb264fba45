"""Small MACE models of every architecture that published ones have, unpublished."""

import functools
import subprocess
import sys
from pathlib import Path

import ase.io
import numpy as np
import torch
from ase.build import bulk

from atomgraft.core.seeding import numpy_generator
from atomgraft.models.base import PotentialCard
from atomgraft.models.mace.files import with_mace
from atomgraft.models.mace.potential import MacePotential
from atomgraft.models.pair import PRESETS
from atomgraft.models.prediction import predict_structures

NUMBERS = (8, 14, 32)

DENSITY = "RealAgnosticDensity{}InteractionBlock"
RESIDUAL = "RealAgnosticResidualInteractionBlock"
NONLINEAR = "RealAgnosticResidualNonLinearInteractionBlock"

VARIANTS = {
    # as MACE-MP-0 and what is trained from nothing
    "residual": {},
    # as MACE-MP-0b3
    "repulsion": {
        "first": DENSITY.format(""),
        "later": DENSITY.format("Residual"),
        "pair_repulsion": True,
        "distance_transform": "Agnesi",
    },
    # as MACE-MH-1
    "nonlinear": {
        "first": NONLINEAR,
        "later": NONLINEAR,
        "heads": ["PBE", "r2SCAN"],
        "apply_cutoff": False,
        "distance_transform": "Soft",
        "readout": "NonLinearBiasReadoutBlock",
        "edge_irreps": "4x0e+4x1o",
        "keep_last_layer_irreps": True,
        "use_agnostic_product": True,
        "use_last_readout_only": True,
    },
    "two heads": {"heads": ["PBE", "r2SCAN"], "correlation": 3},
    # of the first releases
    "unscaled": {
        "scaled": False,
        "first": "RealAgnosticInteractionBlock",
        "hidden": "4x0e+4x1o+4x2e",
        "correlation": 1,
        "radial_type": "gaussian",
        "num_interactions": 3,
    },
    "four factors": {"correlation": 4, "max_ell": 1},
}


@functools.cache
def network(variant="residual", dtype=torch.float64, seed=0):
    """Build a model with mace-torch, random in every weight; not to be changed."""
    given = dict(VARIANTS[variant])
    with with_mace(), torch.random.fork_rng(devices=[]):
        from e3nn.o3 import Irreps
        from mace import modules

        torch.random.default_generator.manual_seed(seed)
        blocks = modules.interaction_classes
        first, later = given.pop("first", RESIDUAL), given.pop("later", RESIDUAL)
        n_heads = len(given.get("heads", [1]))
        energies = np.linspace(-3, 2, n_heads * len(NUMBERS)).reshape(n_heads, -1)
        scaled = given.pop("scaled", True)
        numbers = {
            "atomic_energies": energies if n_heads > 1 else energies[0],
            "atomic_inter_scale": [13.0, 8.0][:n_heads],
            "atomic_inter_shift": [0.2, -0.4][:n_heads],
        }
        if n_heads == 1:
            numbers |= {"atomic_inter_scale": 13.0, "atomic_inter_shift": 0.2}
        if not scaled:
            numbers = {"atomic_energies": energies[0]}
        if "edge_irreps" in given:
            given["edge_irreps"] = Irreps(given["edge_irreps"])
        return (modules.ScaleShiftMACE if scaled else modules.MACE)(
            **{
                "r_max": 4.0,
                "num_bessel": 6,
                "num_polynomial_cutoff": 5,
                "max_ell": 2,
                "correlation": 2,
                "num_interactions": 2,
                "radial_MLP": [8, 8],
                "avg_num_neighbors": 8.0,
                "gate": torch.nn.functional.silu,
                "MLP_irreps": Irreps("4x0e"),
                "hidden_irreps": Irreps(given.pop("hidden", "4x0e+4x1o")),
                "interaction_cls_first": blocks[first],
                "interaction_cls": blocks[later],
                "num_elements": len(NUMBERS),
                "atomic_numbers": list(NUMBERS),
                "readout_cls": modules.readout_classes[
                    given.pop("readout", "NonLinearReadoutBlock")
                ],
                **numbers,
                **given,
            }
        ).to(dtype)


def potential(variant="residual", dtype=torch.float64):
    """Return a variant behind our seam, its last head where it has several."""
    heads = VARIANTS[variant].get("heads")
    card = PotentialCard(
        name=variant, framework="mace", licence="none", head=heads and heads[-1]
    )
    with with_mace():
        return MacePotential(network(variant, dtype), card)


def train(folder: Path) -> Path:
    """Let mace-torch train a model on Lennard-Jones NaCl; return the file."""
    teacher = PRESETS["pair:lj-nacl"]()
    generator = numpy_generator(0, "mace frames")
    frames = [bulk("NaCl", "rocksalt", a=5.6, cubic=True) for _ in range(6)]
    for atoms in frames:
        atoms.positions += generator.normal(0, 0.1, atoms.positions.shape)
    for atoms, known in zip(frames, predict_structures(teacher, frames), strict=True):
        atoms.info["REF_energy"] = known.energy
        atoms.arrays["REF_forces"] = known.forces
    ase.io.write(folder / "train.xyz", frames)
    options = {
        "name": "nacl", "train_file": "train.xyz", "valid_fraction": 0.3,
        "E0s": "average", "model": "ScaleShiftMACE", "hidden_irreps": "4x0e+4x1o",
        "r_max": 4.0, "max_ell": 2, "correlation": 2, "radial_MLP": "[8, 8]",
        "max_num_epochs": 2, "batch_size": 2, "device": "cpu",
        "default_dtype": "float64",
    }  # fmt: skip
    arguments = [f"--{key}={value}" for key, value in options.items()]
    subprocess.run(
        [sys.executable, "-m", "mace.cli.run_train", *arguments],
        cwd=folder,
        check=True,
        capture_output=True,
    )
    return folder / "nacl.model"
