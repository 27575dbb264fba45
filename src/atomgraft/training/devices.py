"""Devices of training: one CPU, one GPU, or the processes of a launcher."""

import os
from typing import TYPE_CHECKING, Literal

import torch

from atomgraft.core.errors import BadInputError

if TYPE_CHECKING:  # its import takes as long as that of torch: only training needs it
    from lightning_fabric import Fabric

DeviceName = Literal["auto", "cpu", "cuda"]


def make_fabric(device: DeviceName = "auto") -> "Fabric":
    """Return a launched Fabric: one process, or those of torchrun or Slurm.

    Parameters
    ----------
    device
        ``auto`` takes a GPU where there is one.

    Raises
    ------
    BadInputError
        A GPU was asked for and there is none.
    """
    from lightning_fabric import Fabric

    processes, nodes = _launched_processes()
    fabric = Fabric(
        accelerator=resolve_device(device).type,
        devices=processes,
        num_nodes=nodes,
        strategy="ddp" if processes * nodes > 1 else "auto",
    )
    fabric.launch()
    return fabric


def resolve_device(device: DeviceName) -> torch.device:
    """Return the device that a name means on this machine.

    Parameters
    ----------
    device
        ``auto`` takes a GPU where there is one.

    Raises
    ------
    BadInputError
        A GPU was asked for and there is none.

    Examples
    --------
    >>> resolve_device("cpu")
    device(type='cpu')
    """
    has_gpu = torch.cuda.is_available()
    if device == "cuda" and not has_gpu:
        raise BadInputError(
            "--device cuda was requested, but torch finds no GPU.",
            "Expected a GPU and a CUDA build of torch.",
            "Use --device cpu, or install torch for your GPU.",
        )
    return torch.device("cuda" if has_gpu and device != "cpu" else "cpu")


def _launched_processes() -> tuple[int, int]:
    """Return processes a node and nodes, as torchrun or Slurm announced them."""
    if "LOCAL_WORLD_SIZE" in os.environ and "WORLD_SIZE" in os.environ:
        local = int(os.environ["LOCAL_WORLD_SIZE"])
        return local, int(os.environ["WORLD_SIZE"]) // local
    if "SLURM_NTASKS" in os.environ and "SLURM_PROCID" in os.environ:
        nodes = int(os.environ.get("SLURM_NNODES", "1"))
        return int(os.environ["SLURM_NTASKS"]) // nodes, nodes
    return 1, 1
