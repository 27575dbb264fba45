"""Building MACE networks like another one, for more elements or other lengths."""

import copy
import re
import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import nn

from atomgraft.core.errors import BadInputError


def for_elements(network: nn.Module, numbers: Sequence[int]) -> nn.Module:
    """Return a network with room for further elements, in the same precision.

    Its table of elements is in ascending order. Weights are those of a new network.

    Parameters
    ----------
    network
        It knows fewer; not changed.
    numbers
        Atomic numbers to add.

    Raises
    ------
    BadInputError
        mace-torch cannot say how the model was built.
    """
    from mace.tools.scripts_utils import (  # pyright: ignore[reportMissingImports]
        extract_config_mace_model,
    )

    config: dict[str, Any] = extract_config_mace_model(network)
    if "error" in config:
        raise BadInputError(
            f"The model cannot be built again for more elements: {config['error']}.",
            "Expected a ScaleShiftMACE model.",
            "Start from a model that knows all elements of the structures.",
        )
    known: list[int] = network.get_buffer("atomic_numbers").tolist()
    if _shapes(_built(network, config, known)) != _shapes(network):
        raise BadInputError(
            "The model cannot be built again for more elements: mace-torch does not"
            " tell everything that it was built from.",
            "Expected a model of the kinds that mace_run_train writes by default.",
            "Start from a model that knows all elements of the structures.",
        )
    other = _built(network, config, sorted([*known, *numbers]))
    buffers = dict(other.named_buffers())
    for name, value in network.named_buffers():  # tables in the precision of then
        if name in buffers and buffers[name].shape == value.shape:
            buffers[name].copy_(value)
    return other


def _built(
    network: nn.Module, config: Mapping[str, Any], order: Sequence[int]
) -> nn.Module:
    energies = np.atleast_2d(config["atomic_energies"])
    changed = {
        "num_elements": len(order),
        "atomic_numbers": list(order),
        "atomic_energies": np.zeros((len(energies), len(order))),
    }
    with torch.random.fork_rng(devices=[]), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        other = type(network)(**{**config, **changed})
    return other.to(next(network.parameters()).dtype)


def _shapes(network: nn.Module) -> dict[str, torch.Size]:
    return {name: one.shape for name, one in network.named_parameters()}


def element_constants(network: nn.Module) -> tuple[str, ...]:
    """Return what a model takes from atomic numbers besides its weights."""
    radial = network.get_submodule("radial_embedding")
    found = {
        "nuclear charges and radii in its repulsion": hasattr(
            network, "pair_repulsion_fn"
        ),
        "covalent radii in its distances": hasattr(radial, "distance_transform"),
    }
    return tuple(what for what, is_there in found.items() if is_there)


def for_length(network: nn.Module, length: float) -> nn.Module:
    """Return a network whose lengths are multiplied; a copy.

    The cutoffs and Bessel frequencies follow the length. The Bessel functions
    √(2/cutoff) sin(f r)/r then lack a power 3/2 of it, which the layers that read
    them take up.

    Parameters
    ----------
    network
        Not changed.
    length
        Times its lengths.

    Raises
    ------
    BadInputError
        The model has lengths of its own for each element, or layers that read more
        than the distance.
    """
    other = copy.deepcopy(network)
    radial: Any = other.get_submodule("radial_embedding")
    obstacles = list(element_constants(other))
    if not hasattr(radial.bessel_fn, "bessel_weights"):
        obstacles.append("a basis other than Bessel's")
    readers = {
        name: parameter
        for name, parameter in other.named_parameters()
        if re.search(r"\.(conv_tp_weights|density_fn)\.(layer0|net\.0)\.weight$", name)
    }
    n_read = {
        weight.shape[1 if name.endswith("net.0.weight") else 0]  # torch's layers
        for name, weight in readers.items()
    }
    if n_read != {int(radial.out_dim)}:
        obstacles.append("radial layers that also read elements")
    if obstacles:
        raise BadInputError(
            f"Lengths of this MACE model cannot be scaled: it has"
            f" {', and '.join(obstacles)}.",
            "Expected a model whose layers read distances alone, in a Bessel basis.",
            "Leave the length scale out; the map of elements needs none.",
        )
    with torch.no_grad():
        for place in ("", "radial_embedding.bessel_fn", "radial_embedding.cutoff_fn"):
            other.get_submodule(place).get_buffer("r_max").mul_(length)
        radial.bessel_fn.bessel_weights.div_(length)
        radial.bessel_fn.prefactor.div_(length**0.5)
        for reader in readers.values():
            reader.mul_(length**1.5)
    return other
