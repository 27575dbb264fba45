"""The conformance kit for adapters: named checks to run over any potential."""

from collections.abc import Callable, Mapping
from types import MappingProxyType

from atomgraft.models.base import AbstractPotential
from atomgraft.testing import (
    adapter_derivatives,
    adapter_elements,
    adapter_inputs,
    adapter_symmetries,
    adapter_weights,
)
from atomgraft.testing.structures import TrialStructures, structures_for
from atomgraft.testing.tolerances import Tolerances

Check = Callable[[AbstractPotential, TrialStructures, Tolerances], None]
"""Raises AssertionError with what was found; takes keyword arguments too."""

_CHECKS: tuple[Check, ...] = (
    adapter_inputs.check_inputs_untouched,
    adapter_inputs.check_batch_equals_single,
    adapter_inputs.check_structures_do_not_mix,
    adapter_inputs.check_calculator_equals_prediction,
    adapter_inputs.check_unknown_element_refused,
    adapter_inputs.check_one_atom_cell,
    adapter_inputs.check_molecule_without_cell,
    adapter_symmetries.check_lattice_translation,
    adapter_symmetries.check_rotation,
    adapter_symmetries.check_permutation,
    adapter_symmetries.check_supercell,
    adapter_derivatives.check_forces_by_difference,
    adapter_derivatives.check_stress_by_difference,
    adapter_derivatives.check_smooth_at_cutoff,
    adapter_derivatives.check_training_gradient,
    adapter_weights.check_dtype_kept,
    adapter_weights.check_roles,
    adapter_weights.check_blocks,
    adapter_weights.check_row_keys,
    adapter_weights.check_reference_shift,
    adapter_weights.check_large_references,
    adapter_weights.check_given_weights,
    adapter_elements.check_element_copied,
    adapter_elements.check_element_added,
    adapter_elements.check_rescaled,
)

ADAPTER_CHECKS: Mapping[str, Check] = MappingProxyType(
    {check.__name__.removeprefix("check_"): check for check in _CHECKS}
)
"""Every check by name, to parametrise a test over::

    @pytest.mark.parametrize("name", ADAPTER_CHECKS)
    def test_my_adapter(name):
        potential = MyPotential(...)
        ADAPTER_CHECKS[name](potential, structures_for(potential), Tolerances())
"""


def failed_checks(
    potential: AbstractPotential,
    structures: TrialStructures | None = None,
    tolerances: Tolerances | None = None,
) -> dict[str, str]:
    """Run the whole kit and return what failed, with the reason, by name.

    Parameters
    ----------
    potential
        Not changed.
    structures
        What to try it on; made for the potential unless given.
    tolerances
        The kit's own unless given.

    Examples
    --------
    >>> from atomgraft.models.pair import PRESETS
    >>> failed_checks(PRESETS["pair:lj-ar"]())
    {}
    """
    trial = structures or structures_for(potential)
    limits = tolerances or Tolerances()
    failures: dict[str, str] = {}
    for name, check in ADAPTER_CHECKS.items():
        try:
            check(potential, trial, limits)
        except AssertionError as failure:
            failures[name] = str(failure)
    return failures
