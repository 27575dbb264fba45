"""A SevenNet network like another one, for more elements or other lengths."""

import contextlib
import copy
import io
import warnings
from collections.abc import Mapping, Sequence
from typing import Any

from ase.data import chemical_symbols
from torch import nn

from atomgraft.core.errors import BadInputError

SHIFT, SCALE = "shift", "scale"


def for_elements(
    config: Mapping[str, Any], numbers: Sequence[int]
) -> tuple[nn.Module, dict[str, Any]]:
    """Return a network with room for further elements, and its configuration.

    Weights are those of a new network.

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
    return _built({**config, **changed})


def for_length(
    config: Mapping[str, Any], length: float
) -> tuple[nn.Module, dict[str, Any]]:
    """Return a network whose cutoffs are multiplied, and its configuration.

    Weights are those of a new network.

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
            "Expected a Bessel basis, with XPLOR or poly_cut,.",
            "Leave the length scale out.",
        )
    if "cutoff_on" in switch:
        switch["cutoff_on"] = length * switch["cutoff_on"]
    changed = {"cutoff": length * config["cutoff"], "cutoff_function": switch}
    known: Mapping[int, int] = config["_type_map"]
    network, other = for_elements({**config, **changed}, ())
    return network, {**other, "_type_map": dict(known)}


def _built(config: dict[str, Any]) -> tuple[nn.Module, dict[str, Any]]:
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        from sevenn.model_build import build_E3_equivariant_model

        return build_E3_equivariant_model(copy.deepcopy(config)), config
