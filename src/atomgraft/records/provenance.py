"""Provenance: one entry for each command that added numbers."""

from typing import Literal

from pydantic import BaseModel, ConfigDict

from atomgraft.core.kernels import Kernels

Verb = Literal[
    "plan", "adapt", "prove", "compare", "phonons", "stabilise", "select", "campaign"
]
"""What was done."""


class Provenance(BaseModel):
    """Where the numbers came from."""

    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_inf_nan="strings")

    verb: Verb
    """What was done; a run that was interrupted has several entries of one verb."""
    command: str
    started: str
    seconds: float
    versions: dict[str, str]
    machine: dict[str, str | int]
    device: str
    dtype: str
    kernels: Kernels = "ours"
    n_threads: int
