"""Who is timed: SevenNet's own trainer, and atomgraft's loop, on the same frames."""

import itertools
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from ase import Atoms
from ase.calculators.singlepoint import SinglePointCalculator

from atomgraft.data.labels import energy_of, forces_of, stress_of
from atomgraft.data.readers import read_structures
from atomgraft.data.sources import shipped_path
from atomgraft.models.base import AbstractPotential

BASE = "7net-0"

Steps = Callable[[int], list[tuple[float, float]]]
"""Does so many steps and returns wall and processor seconds of each."""

N_FRAMES = 16
"""A multiple of every batch size, so that each batch is full."""


def silicon(n_cells: int) -> list[Atoms]:
    """Return shipped silicon frames, repeated to `n_cells` x 8 atoms with labels."""
    frames = read_structures([f"{shipped_path('si-train')}@0:{N_FRAMES}"])
    return [_repeated(atoms, n_cells) for atoms in frames]


def _repeated(atoms: Atoms, n_cells: int) -> Atoms:
    times = {1: (1, 1, 1), 8: (2, 2, 2)}[n_cells]
    forces = forces_of(atoms)
    energy = energy_of(atoms)
    assert forces is not None
    assert energy is not None
    large = atoms.copy()
    large.arrays.pop("REF_forces")
    large = large.repeat(times)
    large.arrays["REF_forces"] = forces[None].repeat(n_cells, 0).reshape(-1, 3)
    large.info["REF_energy"] = energy * n_cells
    return large


def sodium_chloride(folder: Path) -> list[Atoms]:
    """Return 64-atom supercells of NaCl (energies and forces, no stresses)."""
    path = folder / "phonons" / "phono3py_params_NaCl.yaml.xz"
    return read_structures([f"{path}@0:{N_FRAMES}"])


def sevenn_trainer(frames: Sequence[Atoms], batch_size: int) -> Steps:
    """Return the steps of ``sevenn.train.trainer.Trainer`` as its preset sets it up.

    Loss, weights and optimiser are those of the preset ``fine_tune.yaml``: Huber
    0.01 on energy, force x 1, stress x 0.01; Adam at 0.004. Graphs are built
    once, as its ``graph`` data set does. Its error recorder is left out: a favour.
    """
    from sevenn.train.dataload import graph_build
    from sevenn.train.trainer import Trainer
    from sevenn.util import load_checkpoint
    from torch_geometric.loader import DataLoader

    checkpoint = load_checkpoint(BASE)
    config = checkpoint.config | {
        "loss": "huber",
        "loss_param": {"delta": 0.01},
        "optimizer": "adam",
        "optim_param": {"lr": 0.004},
        "force_loss_weight": 1.0,
        "stress_loss_weight": 0.01,
        "is_train_stress": True,
        "device": "cpu",
        "is_ddp": False,
    }
    trainer = Trainer.from_config(checkpoint.build_model(), config)
    graphs = graph_build(
        [_with_calculator(atoms) for atoms in frames],
        config["cutoff"],
        y_from_calc=True,
    )
    loader: Any = DataLoader(graphs, batch_size=batch_size)
    stream = itertools.chain.from_iterable(itertools.repeat(loader))

    def steps(n: int) -> list[tuple[float, float]]:
        clock = Clock()
        for _ in range(n):
            trainer.run_one_epoch(itertools.islice(stream, 1), is_train=True)
            clock.take()
        return clock.times

    return steps


def _with_calculator(atoms: Atoms) -> Atoms:
    labels: dict[str, Any] = {"energy": energy_of(atoms), "forces": forces_of(atoms)}
    stress = stress_of(atoms)
    if stress is not None:
        labels["stress"] = stress
    copy = Atoms(atoms.numbers, atoms.positions, cell=atoms.cell, pbc=atoms.pbc)
    copy.calc = SinglePointCalculator(copy, **labels)
    return copy


def atomgraft_loop(
    recipe: str,
    frames: Sequence[Atoms],
    batch_size: int,
    base: AbstractPotential | None = None,
) -> Steps:
    """Return the steps of ``atomgraft.training.loop.fit``, as users run it.

    Clipping, the running mean of the weights and the line in ``metrics.jsonl``
    are part of every step.
    """
    from atomgraft.adaptation.base import adapt_potential
    from atomgraft.adaptation.recipes import RECIPES
    from atomgraft.models.loading import load_potential
    from atomgraft.training.devices import make_fabric
    from atomgraft.training.loop import Job, fit
    from atomgraft.training.plan import Plan

    chosen = RECIPES[recipe]
    base = base or load_potential(BASE)
    adapted = adapt_potential(base, chosen.axes, reference_shifts={}, seed=0)
    fabric = make_fabric("cpu")

    def steps(n: int) -> list[tuple[float, float]]:
        clock = Clock()
        with tempfile.TemporaryDirectory() as folder:
            job = Job(
                adapted=adapted,
                train=frames,
                validation=(),
                plan=Plan(steps=n, batch_size=batch_size, checkpoint_every=10**9),
                learning_rate=chosen.learning_rate,
                seed=0,
                folder=Path(folder),
                pins={},
            )
            fit(job, fabric, clock)
        return clock.times

    return steps


class Clock:
    """Takes the time of every step, here and of the loop."""

    def __init__(self) -> None:
        self.times: list[tuple[float, float]] = []
        self._last = (time.perf_counter(), time.process_time())

    def take(self) -> None:
        """Note the time since the last step."""
        now = (time.perf_counter(), time.process_time())
        self.times.append((now[0] - self._last[0], now[1] - self._last[1]))
        self._last = now

    def on_start(self, step: int, n_steps: int) -> None:
        """Start the clock."""
        self._last = (time.perf_counter(), time.process_time())

    def on_step(self, record: dict[str, Any]) -> None:
        """Note the time since the last step."""
        self.take()

    def on_notice(self, text: str) -> None:
        """Do nothing."""


def sevenn_calculator(frames: Sequence[Atoms]) -> Steps:
    """Return predictions, one frame a step, by ``sevenn``'s ASE calculator."""
    from sevenn.calculator import SevenNetCalculator

    calculator = SevenNetCalculator(BASE, device="cpu")

    def steps(n: int) -> list[tuple[float, float]]:
        clock = Clock()
        for atoms in itertools.islice(itertools.cycle(frames), n):
            calculator.calculate(atoms)
            clock.take()
        return clock.times

    return steps


def atomgraft_predictions(
    frames: Sequence[Atoms], base: AbstractPotential | None = None
) -> Steps:
    """Return predictions, one frame a step, as evaluation makes them."""
    from atomgraft.models.loading import load_potential
    from atomgraft.models.prediction import predict_structures

    potential = base or load_potential(BASE)

    def steps(n: int) -> list[tuple[float, float]]:
        clock = Clock()
        for atoms in itertools.islice(itertools.cycle(frames), n):
            list(predict_structures(potential, [atoms]))
            clock.take()
        return clock.times

    return steps


def make_steps(name: str, frames: Sequence[Atoms], batch_size: int) -> Steps:
    """Return the steps of a contender; ``atomgraft RECIPE`` is our loop."""
    if name == "sevenn":
        return sevenn_trainer(frames, batch_size)
    if name == "sevenn calculator":
        return sevenn_calculator(frames)
    if name == "atomgraft predictions":
        return atomgraft_predictions(frames)
    return atomgraft_loop(name.removeprefix("atomgraft "), frames, batch_size)


def make_frames(name: str, data: Path) -> tuple[list[Atoms], int]:
    """Return the frames and the batch size of a case."""
    torch.set_num_interop_threads(1)
    if name == "Si 1 x 64 atoms":
        return silicon(8), 1
    if name == "Si 8 x 8 atoms":
        return silicon(1), 8
    return sodium_chloride(data), 1
