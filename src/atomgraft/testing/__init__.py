"""Conformance kits for authors of adapters and adaptations."""

from atomgraft.testing.adapters import ADAPTER_CHECKS, failed_checks
from atomgraft.testing.structures import (
    TrialStructures,
    structures_for,
    trial_structures,
)
from atomgraft.testing.tolerances import Tolerances, assert_close

__all__ = [
    "ADAPTER_CHECKS",
    "Tolerances",
    "TrialStructures",
    "assert_close",
    "failed_checks",
    "structures_for",
    "trial_structures",
]
