"""Who is timed on MACE: mace-torch's own training step and calculator, and ours.

The model has the architecture of MACE-MP-0b3 and fresh weights, for 89 elements:
published weights are not needed to take the time.
"""

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from ase import Atoms
from contenders import (
    Clock,
    Steps,
    atomgraft_loop,
    atomgraft_predictions,
    make_frames,
)

from atomgraft.data.labels import stress_of
from atomgraft.models.base import PotentialCard
from atomgraft.models.mace.files import with_mace
from atomgraft.models.mace.potential import MacePotential

__all__ = ["make_frames", "make_steps"]

N_ELEMENTS = 89


def network() -> torch.nn.Module:
    """Return the model, float32."""
    from e3nn.o3 import Irreps
    from mace.modules import ScaleShiftMACE, interaction_classes

    block = "RealAgnosticDensity{}InteractionBlock"
    with torch.random.fork_rng(devices=[]):
        torch.random.default_generator.manual_seed(0)
        return ScaleShiftMACE(
            r_max=6.0,
            num_bessel=10,
            num_polynomial_cutoff=5,
            max_ell=3,
            interaction_cls=interaction_classes[block.format("Residual")],
            interaction_cls_first=interaction_classes[block.format("")],
            num_interactions=2,
            num_elements=N_ELEMENTS,
            hidden_irreps=Irreps("128x0e+128x1o"),
            MLP_irreps=Irreps("16x0e"),
            atomic_energies=np.zeros((1, N_ELEMENTS)),
            avg_num_neighbors=1.0,
            atomic_numbers=list(range(1, N_ELEMENTS + 1)),
            correlation=3,
            gate=torch.nn.functional.silu,
            atomic_inter_scale=0.8,
            atomic_inter_shift=0.2,
            pair_repulsion=True,
            distance_transform="Agnesi",
            radial_MLP=[64, 64, 64],
        )


def potential() -> MacePotential:
    """Return the same model behind our seam."""
    card = PotentialCard(name="MP-0b3-shaped", framework="mace", licence="none")
    return MacePotential(network(), card)


def mace_trainer(frames: Sequence[Atoms], batch_size: int) -> Steps:
    """Return the steps of ``mace.tools.train.take_step``, as ``mace_run_train`` does.

    Adam with AMSGrad and clipping at 10 are its defaults; stresses are part of the
    loss where the frames have them. Graphs are built once.
    """
    from mace import data, modules
    from mace.tools import AtomicNumberTable, torch_geometric
    from mace.tools.train import take_step

    model = network()
    has_stress = stress_of(frames[0]) is not None
    keys = data.KeySpecification(
        info_keys={"energy": "REF_energy", "stress": "REF_stress"},
        arrays_keys={"forces": "REF_forces"},
    )
    table = AtomicNumberTable(list(range(1, N_ELEMENTS + 1)))
    graphs = [
        data.AtomicData.from_config(
            data.config_from_atoms(atoms, key_specification=keys),
            z_table=table,
            cutoff=6.0,
        )
        for atoms in frames
    ]
    loader: Any = torch_geometric.dataloader.DataLoader(graphs, batch_size=batch_size)
    stream = itertools.chain.from_iterable(itertools.repeat(loader))
    loss = (
        modules.WeightedEnergyForcesStressLoss(1.0, 100.0, 1.0)
        if has_stress
        else modules.WeightedEnergyForcesLoss(1.0, 100.0)
    )
    optimiser = torch.optim.Adam(model.parameters(), lr=1e-4, amsgrad=True)
    wanted = {"forces": True, "virials": False, "stress": has_stress}

    def steps(n: int) -> list[tuple[float, float]]:
        clock = Clock()
        for batch in itertools.islice(stream, n):
            take_step(
                model, loss, batch, optimiser, None, wanted, 10.0, torch.device("cpu")
            )
            clock.take()
        return clock.times

    return steps


def mace_calculator(frames: Sequence[Atoms]) -> Steps:
    """Return predictions, one frame a step, by MACE's ASE calculator."""
    from mace.calculators import MACECalculator

    calculator = MACECalculator(models=network(), device="cpu", default_dtype="float32")

    def steps(n: int) -> list[tuple[float, float]]:
        clock = Clock()
        for atoms in itertools.islice(itertools.cycle(frames), n):
            calculator.calculate(atoms)
            clock.take()
        return clock.times

    return steps


def make_steps(name: str, frames: Sequence[Atoms], batch_size: int) -> Steps:
    """Return the steps of a contender; ``atomgraft RECIPE`` is our loop."""
    with with_mace():
        if name == "mace":
            return mace_trainer(frames, batch_size)
        if name == "mace calculator":
            return mace_calculator(frames)
        if name == "atomgraft predictions":
            return atomgraft_predictions(frames, potential())
        recipe = name.removeprefix("atomgraft ")
        return atomgraft_loop(recipe, frames, batch_size, potential())
