"""Memory: freed buffers are kept, and running out is noticed."""

import platform
import subprocess
import sys

import pytest
import torch

from atomgraft.models.memory import is_out_of_memory, peak_memory_mib

MANY_TIMES = """
import resource
import torch
from atomgraft.models.memory import keep_freed_buffers

def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(5):
        torch.ones(2**24)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

torch.set_num_threads(1)
usual = faults()
taken = keep_freed_buffers()
faults(), faults()  # the heap grows to what is needed
print(usual, taken, faults())
"""
"""A buffer of 64 MiB, asked for and freed again and again; settings stay with the
process, so it is one of its own."""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="a setting of glibc")
def test_freed_buffers_are_kept_and_their_pages_do_not_fault_again():
    done = subprocess.run(
        [sys.executable, "-c", MANY_TIMES], capture_output=True, text=True, check=True
    )
    usual, taken, kept = done.stdout.split()
    assert taken == "True"
    assert int(usual) > 100
    assert int(kept) < int(usual) / 20


def test_peak_memory_is_that_of_this_process():
    before = peak_memory_mib(torch.device("cpu"))
    assert 10 < before < 1e6
    assert peak_memory_mib(torch.device("cpu")) >= before


@pytest.mark.parametrize(
    ("error", "is_memory"),
    [
        (MemoryError(), True),
        (torch.OutOfMemoryError("CUDA out of memory."), True),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory: 8 bytes"), True),
        (RuntimeError("mat1 and mat2 shapes cannot be multiplied"), False),
        (ValueError("out of memory"), False),
    ],
)
def test_out_of_memory_is_told_from_other_errors(error, is_memory):
    assert is_out_of_memory(error) is is_memory
