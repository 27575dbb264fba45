"""Provenance entries of commands."""

import dataclasses
import time

import torch

from atomgraft.core.kernels import KernelName
from atomgraft.core.provenance import command_line, machine, package_versions
from atomgraft.records.documents import Provenance


@dataclasses.dataclass(frozen=True, kw_only=True)
class Clock:
    """When a command began.

    Parameters
    ----------
    started
        UTC, ISO 8601.
    counter
        ``time.perf_counter()`` at that moment.
    """

    started: str
    counter: float


def provenance(
    verb: str,
    clock: Clock,
    device: torch.device,
    dtype: str,
    kernels: KernelName = "ours",
) -> Provenance:
    """Return where numbers came from.

    Parameters
    ----------
    verb
        What was done.
    clock
        When the command began.
    device
        Where the model ran.
    dtype
        Its precision.
    kernels
        Whose code computed its layers.
    """
    return Provenance(
        verb=verb,
        command=command_line(),
        started=clock.started,
        seconds=time.perf_counter() - clock.counter,
        versions=package_versions(),
        machine=machine(),
        device=_device_name(device),
        dtype=dtype,
        kernels=kernels,
        n_threads=torch.get_num_threads(),
    )


def _device_name(device: torch.device) -> str:
    return torch.cuda.get_device_name(device) if device.type == "cuda" else "cpu"
