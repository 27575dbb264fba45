"""torch-sim makes the steps: its integrators around our forces.

torch-sim (https://github.com/TorchSim/torch-sim, MIT) is imported here alone, and only
when needed. Its unit of time is Å √(u/eV), 10.2 fs, so that its equations of motion
contain no constants; its cells are column vectors. Both are converted here. Lists of
pairs, memory limits and the check for infinite values are those of our own engine.
"""

import functools
import importlib
import importlib.util
import sys
from typing import Any

import numpy as np
import torch
from ase import units
from jaxtyping import Float
from torch import Tensor

from atomgraft.core.errors import MissingExtraError
from atomgraft.core.seeding import derived_seed
from atomgraft.dynamics.batch import Batch, Moving
from atomgraft.dynamics.mover import OWN_ENGINE, Engine
from atomgraft.dynamics.replicas import KELVIN

TORCH_SIM = "torch-sim"

FEMTOSECOND = float(units.fs)
"""1 fs in torch-sim's unit of time, which is ASE's."""

OLDEST_PYTHON = (3, 12)
"""Of torch-sim."""


def require_torch_sim() -> None:
    """Check that this Python can import torch-sim.

    Raises
    ------
    MissingExtraError
        It cannot.
    """
    spec = importlib.util.find_spec("torch_sim")
    if spec is not None and spec.origin is not None:  # a folder has no origin
        return
    is_old = sys.version_info < OLDEST_PYTHON
    python = ".".join(map(str, sys.version_info[:2]))
    where = f", and this is Python {python}" if is_old else ""
    raise MissingExtraError(
        f"The engine {TORCH_SIM} needs torch-sim, which is not installed here.",
        f"It is an extra of atomgraft for Python 3.12 or newer{where}.",
        f"{'With Python 3.12 or newer, run' if is_old else 'Run'}: "
        "pip install 'atomgraft[torch-sim]'",
    )


def torch_sim_engine() -> Engine:
    """Return the engine that makes steps by torch-sim, for a ``BatchedMover``.

    Its integrators are velocity Verlet, and BAOAB for Langevin dynamics, as ours are.
    Without a thermostat, trajectories are ours up to rounding. With one, noise is drawn
    on the device for all moving replicas at once, from their seeds and the step: a
    trajectory depends on the replicas beside it, and on the kind of device.

    Raises
    ------
    MissingExtraError
        torch-sim is not installed.
    """
    require_torch_sim()
    return Engine(name=TORCH_SIM, prepare=TorchSimSteps)


def engine_named(name: str) -> Engine:
    """Return the engine of a name: our own, or torch-sim's.

    Raises
    ------
    MissingExtraError
        torch-sim is not installed.

    Examples
    --------
    >>> engine_named("atomgraft").name
    'atomgraft'
    """
    return torch_sim_engine() if name == TORCH_SIM else OWN_ENGINE


class TorchSimSteps:
    """Steps of a batch by torch-sim.

    Parameters
    ----------
    batch
        What moves.
    """

    def __init__(self, batch: Batch) -> None:
        integrators: Any = importlib.import_module("torch_sim.integrators")
        replicas = batch.replicas
        self._key = derived_seed(0, TORCH_SIM, *(one.seed for one in replicas))
        self._momenta = batch.column(batch.masses() / FEMTOSECOND)  # of 1 Å/fs
        self._model = _interface()(batch)
        self._state = _state(batch)
        arguments: dict[str, Any] = {"dt": batch.timestep * FEMTOSECOND}
        self._step = integrators.nve_step
        if any(one.damping for one in replicas):
            self._step = integrators.nvt_langevin_step
            heat = np.array([KELVIN * (one.temperature or 0) for one in replicas])
            damping = np.array([one.damping / FEMTOSECOND for one in replicas])
            arguments |= {
                "kT": torch.as_tensor(heat).to(batch.device),
                "gamma": torch.as_tensor(damping).to(batch.device),
            }
        self._arguments = arguments

    def __call__(self, now: Moving, step: int) -> Moving:
        """Return the replicas one step later."""
        state = self._state
        state.positions, state.forces = now.positions, now.forces
        state.momenta, state.energy = self._momenta * now.velocities, now.energies
        state.rng = derived_seed(self._key, step)
        state = self._step(state, self._model, **self._arguments)
        return Moving(
            positions=state.positions,
            velocities=state.momenta / self._momenta,
            forces=state.forces,
            energies=state.energy,
        )


def _state(batch: Batch) -> Any:  # noqa: ANN401 - torch-sim's own
    """Return torch-sim's state of a batch, whose atoms get their places later."""
    md: Any = importlib.import_module("torch_sim.integrators.md")
    masses = batch.column(batch.masses())[:, 0]
    atoms = [one.atoms for one in batch.replicas]
    cells = torch.as_tensor(np.stack([one.cell.array for one in atoms]))
    numbers = torch.as_tensor(np.concatenate([one.numbers for one in atoms]))
    nowhere = masses.new_zeros(len(masses), 3)
    return md.MDState(
        positions=nowhere,
        momenta=nowhere,
        forces=nowhere,
        energy=masses.new_zeros(len(atoms)),
        masses=masses,
        cell=cells.mT.contiguous().to(batch.device),
        pbc=bool(atoms[0].pbc.all()),  # one for all; our pairs know those of each
        atomic_numbers=numbers.to(batch.device),
        system_idx=batch.owner,
    )


@functools.cache
def _interface() -> Any:  # noqa: ANN401 - a class of which torch-sim has the base
    """Return the class of models that torch-sim calls."""
    interface: Any = importlib.import_module("torch_sim.models.interface")

    class BatchModel(interface.ModelInterface):
        """Energies and forces of one batch, whose numbers and cells do not change."""

        def __init__(self, batch: Batch) -> None:
            super().__init__()
            self._batch = batch
            self._device, self._dtype = torch.device(batch.device), torch.float64
            self._compute_forces, self._compute_stress = True, False

        def forward(self, state: Any, **_: Any) -> dict[str, Float[Tensor, "..."]]:  # noqa: ANN401
            """Return energies (eV) and forces (eV/Å) where the atoms are now."""
            forces, energies = self._batch.evaluate_near(state.positions)
            return {"energy": energies, "forces": forces}

    return BatchModel
