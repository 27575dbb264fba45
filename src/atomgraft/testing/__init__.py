"""Conformance kits for authors of adapters and adaptations."""

from atomgraft.testing.adaptation_trials import AdaptationTrial, adaptation_trial
from atomgraft.testing.adaptations import (
    ADAPTATION_CHECKS,
    failed_adaptation_checks,
)
from atomgraft.testing.adapters import ADAPTER_CHECKS, failed_checks
from atomgraft.testing.structures import (
    TrialStructures,
    structures_for,
    trial_structures,
)
from atomgraft.testing.tolerances import Tolerances, assert_close

__all__ = [
    "ADAPTATION_CHECKS",
    "ADAPTER_CHECKS",
    "AdaptationTrial",
    "Tolerances",
    "TrialStructures",
    "adaptation_trial",
    "assert_close",
    "failed_adaptation_checks",
    "failed_checks",
    "structures_for",
    "trial_structures",
]
