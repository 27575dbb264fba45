"""Conformance kits for authors of adapters, adaptations and suites."""

from atomgraft.testing.adaptation_trials import AdaptationTrial, adaptation_trial
from atomgraft.testing.adaptations import (
    ADAPTATION_CHECKS,
    failed_adaptation_checks,
)
from atomgraft.testing.adapters import ADAPTER_CHECKS, failed_checks
from atomgraft.testing.measuring import (
    Tolerances,
    TrialStructures,
    assert_close,
    structures_for,
    trial_structures,
)
from atomgraft.testing.suites import SUITE_CHECKS, SuiteTrial, failed_suite_checks

__all__ = [
    "ADAPTATION_CHECKS",
    "ADAPTER_CHECKS",
    "SUITE_CHECKS",
    "AdaptationTrial",
    "SuiteTrial",
    "Tolerances",
    "TrialStructures",
    "adaptation_trial",
    "assert_close",
    "failed_adaptation_checks",
    "failed_checks",
    "failed_suite_checks",
    "structures_for",
    "trial_structures",
]
