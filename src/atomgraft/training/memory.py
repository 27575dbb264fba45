"""Memory on the CPU: keep freed buffers, and notice when there is no more."""

import ctypes
import platform
import resource

import torch

M_TRIM_THRESHOLD = -1
M_MMAP_THRESHOLD = -3
KEEP_BYTES = 2**31 - 1


def keep_freed_buffers() -> bool:
    """Tell glibc to reuse large freed buffers in place of returning them.

    A training step frees and asks for the same large buffers again and again; by
    default each one is mapped fresh and its pages fault in anew, which costs up to
    a third of a step on a CPU.

    Returns
    -------
    bool
        True if the C library took the setting.
    """
    if platform.libc_ver()[0] != "glibc":
        return False
    library = ctypes.CDLL(None)
    settings = (M_MMAP_THRESHOLD, M_TRIM_THRESHOLD)
    return all(library.mallopt(kind, KEEP_BYTES) == 1 for kind in settings)


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
