"""Building SevenNet networks: of a configuration, for more elements, other lengths."""

import contextlib
import copy
import io
import warnings
from collections.abc import Mapping, Sequence
from typing import Any

from ase.data import chemical_symbols
from torch import nn

from atomgraft.core.errors import BadInputError
from atomgraft.core.kernels import KernelName

SHIFT, SCALE = "shift", "scale"


def for_elements(config: Mapping[str, Any], numbers: Sequence[int]) -> dict[str, Any]:
    """Return the configuration of a network with room for further elements.

    Parameters
    ----------
    config
        Of the network that knows fewer.
    numbers
        Atomic numbers to add, after the known ones.
    """
    known: Mapping[int, int] = config["_type_map"]
    order = [*sorted(known, key=known.__getitem__), *numbers]
    n_modalities = len(config.get("_modal_map") or {})

    def table(value: float, *, per_modality: bool) -> list[Any]:
        row = [value] * len(order)
        return [row] * n_modalities if n_modalities and per_modality else row

    changed = {
        "chemical_species": [chemical_symbols[number] for number in order],
        "_number_of_species": len(order),
        "_type_map": {number: i for i, number in enumerate(order)},
        SHIFT: table(0.0, per_modality=bool(config.get("use_modal_wise_shift"))),
        SCALE: table(1.0, per_modality=bool(config.get("use_modal_wise_scale"))),
    }
    return {**config, **changed}


def for_length(config: Mapping[str, Any], length: float) -> dict[str, Any]:
    """Return the configuration of a network whose cutoffs are multiplied.

    Parameters
    ----------
    config
        Of the network that is scaled.
    length
        Times its lengths.

    Raises
    ------
    BadInputError
        Its radial basis is not one of those that scale.
    """
    basis = config["radial_basis"]["radial_basis_name"]
    switch = dict(config["cutoff_function"])
    if basis != "bessel" or switch["cutoff_function_name"] not in {"XPLOR", "poly_cut"}:
        raise BadInputError(
            f"Lengths of a model with the radial basis {basis} and the cutoff function"
            f" {switch['cutoff_function_name']} cannot be scaled.",
            "Expected a Bessel basis, with XPLOR or poly_cut.",
            "Leave the length scale out.",
        )
    if "cutoff_on" in switch:
        switch["cutoff_on"] = length * switch["cutoff_on"]
    changed = {"cutoff": length * config["cutoff"], "cutoff_function": switch}
    return for_elements({**config, **changed}, ())


def build_network(config: Mapping[str, Any], kernels: KernelName) -> nn.Module:
    """Build the network of a configuration, with fresh weights.

    Parameters
    ----------
    config
        Not changed.
    kernels
        Whose code will evaluate it.
    """
    with quiet(), built_for(kernels):
        from sevenn.model_build import build_E3_equivariant_model

        return build_E3_equivariant_model(copy.deepcopy(dict(config)))


@contextlib.contextmanager
def built_for(kernels: KernelName) -> Any:  # noqa: ANN401 - a context manager
    """Leave out e3nn's search for contraction orders, two thirds of building, if ours.

    What it would order then are sums over atoms, too small to gain; the sums over edges
    are ours.
    """
    import e3nn

    before = e3nn.get_optimization_defaults()
    e3nn.set_optimization_defaults(optimize_einsums=kernels == "upstream")
    try:
        yield
    finally:
        e3nn.set_optimization_defaults(**before)


@contextlib.contextmanager
def quiet() -> Any:  # noqa: ANN401 - a context manager
    """Keep the framework's own chatter off the user's screen."""
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        yield
