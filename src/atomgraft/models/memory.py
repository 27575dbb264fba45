"""Memory: freed buffers on the CPU, and how many atoms fit into one call of a model."""

import contextlib
import ctypes
import os
import platform
import resource
from pathlib import Path

import numpy as np
import torch
from ase import Atoms

from atomgraft.core.errors import BadInputError
from atomgraft.core.properties import Property
from atomgraft.models.base import AbstractPotential
from atomgraft.models.graph import find_neighbours, make_graph
from atomgraft.models.prediction import predict

M_TRIM_THRESHOLD = -1
M_MMAP_MAX = -4
SETTINGS = ((M_MMAP_MAX, 0), (M_TRIM_THRESHOLD, 2**31 - 1))
"""No buffer is mapped on its own, and the heap does not shrink. Raising the size from
which buffers are mapped would do as well, but glibc before 2.35 refuses over 32 MiB."""


def keep_freed_buffers() -> bool:
    """Tell glibc to reuse large freed buffers in place of returning them.

    A training step frees and asks for the same large buffers again and again; by
    default their pages are given back and fault in anew, which costs up to a fifth of
    a step of 7net-0 on a CPU. The peak of memory stays as it is.

    Returns
    -------
    bool
        True if the C library took the setting.
    """
    if platform.libc_ver()[0] != "glibc":
        return False
    library = ctypes.CDLL(None)
    taken = [library.mallopt(kind, value) == 1 for kind, value in SETTINGS]
    return all(taken)


def peak_memory_mib(device: torch.device) -> float:
    """Return the largest memory of this process so far, MiB; on a GPU, its own."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) / 2**20
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def is_out_of_memory(error: BaseException) -> bool:
    """Return whether an error says that memory ran out, on any device."""
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    text = str(error)
    return isinstance(error, RuntimeError) and (
        "DefaultCPUAllocator: can't allocate" in text or "out of memory" in text
    )


SHARE = 0.25
"""Of the free memory that a call may take; others live on the machine too."""

MOST_ON_CPU = 512
"""Atoms beyond which a larger batch gains nothing on a CPU."""

FALLBACK = 256
"""Atoms in a call where this system cannot say what a call takes."""

LARGE = 1000
"""Atoms of a structure up to which its call is tried without an estimate."""

PART = 256
"""Atoms of the cluster from which the memory of a large structure is estimated."""

GIB = 1024**3

CPU = torch.device("cpu")

STATUS = Path("/proc/self/status")
RESET = Path("/proc/self/clear_refs")
INFO = Path("/proc/meminfo")


def batch_capacity(potential: AbstractPotential, structure: Atoms) -> int:
    """Return the number of atoms that one call may hold, as a measured call tells.

    One structure is evaluated, the memory that it took at its peak is read (from the
    kernel on Linux, from the allocator on a GPU), and as many atoms are allowed as
    take a quarter of what is free; at least those of one structure.

    Parameters
    ----------
    potential
        On its device, in its precision.
    structure
        A crystal like those to come.

    Raises
    ------
    BadInputError
        One structure alone does not fit.

    Examples
    --------
    >>> from ase.build import bulk
    >>> from atomgraft.models.pair import stillinger_weber
    >>> batch_capacity(stillinger_weber(["Si"]), bulk("Si")) >= 2
    True
    """
    require_room(potential, structure)
    taken = _bytes_of_call(potential, structure)
    free = _free_bytes(potential.device)
    if taken is None or free is None:
        return max(FALLBACK, len(structure))
    fitting = int(SHARE * free / taken * len(structure)) if taken else FALLBACK
    if potential.device.type == "cpu":
        fitting = min(fitting, MOST_ON_CPU)
    return max(fitting, len(structure))


def require_room(potential: AbstractPotential, structure: Atoms) -> None:
    """Check that a call of a model on a large structure fits in memory, without one.

    A cluster of `PART` atoms is cut from the structure and evaluated. Memory grows with
    the number of pairs, so that of the structure is the cluster's times their ratio.

    Parameters
    ----------
    potential
        On its device, in its precision.
    structure
        With at most `LARGE` atoms nothing is checked.

    Raises
    ------
    BadInputError
        It needs more than is free.
    """
    if len(structure) <= LARGE:
        return
    part = _cluster(structure, PART)
    _bytes_of_call(potential, _cluster(structure, PART // 8))  # what is loaded once
    taken = _bytes_of_call(potential, part)
    if not taken:
        return
    pairs = [
        find_neighbours(one, potential.cutoff).edges.shape[1]
        for one in (structure, part)
    ]
    require_memory(
        taken * pairs[0] / max(1, pairs[1]),
        f"A call of {potential.card.name} on {len(structure)} atoms",
        "Use a smaller supercell, or a machine with more memory.",
        potential.device,
    )


def require_memory(
    wanted: float, what: str, remedy: str, device: torch.device = CPU
) -> None:
    """Check that so much memory is free.

    Parameters
    ----------
    wanted
        Bytes.
    what
        Takes it, for the message.
    remedy
        What to do where it is not free.
    device
        Whose memory.

    Raises
    ------
    BadInputError
        It is not.
    """
    free = _free_bytes(device)
    if free is not None and wanted > free:
        raise BadInputError(
            f"{what} takes about {wanted / GIB:.3g} GiB of memory.",
            f"{free / GIB:.3g} GiB are free on this machine ({device.type}).",
            remedy,
        )


def _cluster(structure: Atoms, n_atoms: int) -> Atoms:
    """Return the atoms nearest to the first one, without images of themselves."""
    distances = structure.get_distances(0, range(len(structure)), mic=True)
    nearest = np.argsort(distances, kind="stable")[:n_atoms]
    vectors = structure.get_distances(0, nearest, mic=True, vector=True)
    return Atoms(structure.numbers[nearest], vectors)


def _bytes_of_call(potential: AbstractPotential, structure: Atoms) -> int | None:
    """Return the memory that one call takes at its peak, above what was in use."""
    graph = make_graph(
        [structure],
        [find_neighbours(structure, potential.cutoff)],
        dtype=potential.dtype,
        device=potential.device,
    )
    wanted = frozenset({Property.FORCES})
    if potential.device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(potential.device)
        before = torch.cuda.memory_allocated(potential.device)
        predict(potential, graph, wanted)
        return torch.cuda.max_memory_allocated(potential.device) - before
    before = _kernel_kib(STATUS, "VmRSS")
    if before is None or not _reset_peak():
        return None
    predict(potential, graph, wanted)
    peak = _kernel_kib(STATUS, "VmHWM")
    return None if peak is None else max(0, peak - before) * 1024


def _reset_peak() -> bool:
    """Tell the kernel to count the peak of this process anew; say if it did."""
    with contextlib.suppress(OSError):
        RESET.write_text("5")
        return True
    return False


def _free_bytes(device: torch.device) -> int | None:
    if device.type == "cuda":
        return torch.cuda.mem_get_info(device)[0]
    available = _kernel_kib(INFO, "MemAvailable")
    if available is not None:
        return available * 1024
    if "SC_AVPHYS_PAGES" in os.sysconf_names:
        return os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return None


def _kernel_kib(path: Path, key: str) -> int | None:
    """Return a number of KiB from a file of the kernel, or none."""
    with contextlib.suppress(OSError, ValueError, IndexError):
        for line in path.read_text().splitlines():
            if line.startswith(f"{key}:"):
                return int(line.split()[1])
    return None
