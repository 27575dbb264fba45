"""Loading a SevenNet model from a name, a checkpoint or a preset."""

import copy
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from ase.data import atomic_numbers
from torch import nn

from atomgraft.core.environments import require_framework
from atomgraft.core.errors import BadInputError, reason_of
from atomgraft.core.kernels import KernelName
from atomgraft.models.base import PotentialCard
from atomgraft.models.checkpoints import read_checkpoint
from atomgraft.models.levels import level_of_theory
from atomgraft.models.presets import check_preset
from atomgraft.models.sevennet.building import build_network, built_for, quiet
from atomgraft.models.sevennet.potential import (
    REFERENCE,
    SevenNetPotential,
    Source,
)

NAMES = (
    "7net-0",
    "7net-0_22may2024",
    "7net-l3i5",
    "7net-mf-0",
    "7net-mf-ompa",
    "7net-omat",
    "7net-omni",
    "7net-omni-i8",
    "7net-omni-i12",
)
"""Published potentials; the first four lie in the wheel, the others download."""

LICENCES = {
    "7net-0": "MIT",
    "7net-0_22may2024": "MIT",
    "7net-l3i5": "MIT",
    "7net-mf-0": "MIT",
}

PRESETS: Mapping[str, Mapping[str, Any]] = {
    "tiny": {"channel": 8, "lmax": 1, "num_convolution_layer": 2, "cutoff": 4.0},
    "mini": {"channel": 16, "lmax": 2, "num_convolution_layer": 2, "cutoff": 5.0},
    "small": {"channel": 32, "lmax": 2, "num_convolution_layer": 3, "cutoff": 5.0},
}
"""Architectures to train from nothing: ``sevennet:tiny:Si,Ge``."""


def load_sevennet(
    name: str,
    *,
    head: str | None = None,
    trust: bool = False,
    kernels: KernelName = "ours",
) -> SevenNetPotential:
    """Load a published SevenNet potential by name, or any checkpoint by path.

    Parameters
    ----------
    name
        One of `NAMES`, or a checkpoint file.
    head
        The modality of a multi-fidelity model.
    trust
        Allow a checkpoint that cannot be read as plain data.
    kernels
        ``upstream`` evaluates with the framework's own modules.

    Raises
    ------
    BadInputError
        The file cannot be read, or the modality is missing or unknown.
    MissingExtraError
        SevenNet is not installed.
    """
    require_framework("sevennet")
    path = _published_path(name) if name.lower() in NAMES else Path(name)
    document = read_checkpoint(path, allowed=_harmless_types(), trust=trust)
    parts = ("model_state_dict", "config")
    known = document if isinstance(document, dict) else {}
    missing = [key for key in parts if not isinstance(known.get(key), dict)]
    if missing:
        raise BadInputError(
            f"{path} is no SevenNet checkpoint: it has no {' and no '.join(missing)}.",
            "Expected a .pth file written by SevenNet.",
            "Check that this is a checkpoint and not a deployed model.",
        )
    network, config = _built(document, path, kernels)
    potential = SevenNetPotential(
        _with_species_references(network, config),
        Source(config=config, modalities=config.get("_modal_map") or {}),
        PotentialCard(
            name=name,
            framework="sevennet",
            licence=LICENCES.get(name.lower(), "not stated in the file"),
            head=head,
            level=level_of_theory(name, head),
        ),
        kernels=kernels,
    )
    shift = document["model_state_dict"].get(REFERENCE)
    if isinstance(shift, torch.Tensor) and shift.dtype == torch.float64:
        potential.keep_references(shift)  # SevenNet's model has rounded them
    return potential


def _built(
    document: Mapping[str, Any], path: Path, kernels: KernelName
) -> tuple[nn.Sequential, dict[str, Any]]:
    """Let SevenNet build the model of a checkpoint that was read as data.

    SevenNet unpickles whatever file it is given, so it is given one that holds what
    was read, written by ourselves, and never the file that came.
    """
    with quiet(), tempfile.TemporaryDirectory() as folder:
        import sevenn
        from sevenn.util import load_checkpoint

        ours = Path(folder) / "checkpoint.pth"
        torch.save({**document, "optimizer_state_dict": {}}, ours)
        checkpoint = load_checkpoint(str(ours))
        network = _network(checkpoint, path, kernels)
        # the network is in today's form, whatever version wrote the file
        return network, checkpoint.config | {"version": sevenn.__version__}


def _network(
    checkpoint: Any,  # noqa: ANN401 - sevenn's
    path: Path,
    kernels: KernelName,
) -> nn.Sequential:
    """Build the model on the plain backend, whatever it was trained with."""
    try:
        with built_for(kernels):
            return checkpoint.build_model()
    except (RuntimeError, KeyError, ValueError, AssertionError) as error:
        raise BadInputError(
            f"{path} does not build a model: {reason_of(error)}.",
            "Expected a complete checkpoint of SevenNet 0.9 to 0.13.",
            "Check the file, or write it again with 'sevenn checkpoint'.",
        ) from error


def _published_path(name: str) -> Path:
    from sevenn.util import pretrained_name_to_path

    try:
        with quiet():
            return Path(pretrained_name_to_path(name))
    except (OSError, ValueError) as error:
        raise BadInputError(
            f"The weights of {name} are not here and could not be downloaded: "
            f"{reason_of(error)}.",
            "Expected a network connection, or the checkpoint as a file.",
            "Download it by hand and give its path as --base.",
        ) from error


def _harmless_types() -> list[type | tuple[object, str]]:
    """Return what SevenNet's configurations hold besides plain values: arrays."""
    import numpy as np
    from numpy._core.multiarray import _reconstruct

    return [
        np.ndarray,
        np.dtype,
        (_reconstruct, "numpy.core.multiarray._reconstruct"),
        (_reconstruct, "numpy._core.multiarray._reconstruct"),
        *(getattr(np.dtypes, kind) for kind in ("Float32DType", "Float64DType")),
        *(getattr(np.dtypes, kind) for kind in ("Int64DType", "Int32DType")),
    ]


def _with_species_references(
    network: nn.Sequential, config: dict[str, Any]
) -> nn.Sequential:
    """Give a model with one global shift a shift for each element."""
    from sevenn.nn.scale import Rescale, SpeciesWiseRescale

    rescale = network.get_submodule("rescale_atomic_energy")
    if isinstance(rescale, Rescale):
        n_species = len(config["_type_map"])
        config["shift"] = [float(rescale.get_parameter("shift"))] * n_species
        config["scale"] = [float(rescale.get_parameter("scale"))] * n_species
        network.rescale_atomic_energy = SpeciesWiseRescale(
            config["shift"],
            config["scale"],
            data_key_in=rescale.key_input,
            data_key_out=rescale.key_output,
        )
    return network


def sevennet_from_preset(
    preset: str,
    elements: Sequence[str],
    generator: torch.Generator,
    *,
    kernels: KernelName = "ours",
) -> SevenNetPotential:
    """Build a small SevenNet model with fresh weights.

    Parameters
    ----------
    preset
        One of `PRESETS`.
    elements
        Chemical symbols it shall see.
    generator
        Source of the weights.
    kernels
        ``upstream`` evaluates with the framework's own modules.

    Raises
    ------
    BadInputError
        The preset or a symbol is unknown.
    MissingExtraError
        SevenNet is not installed.
    """
    require_framework("sevennet")
    check_preset("sevennet", preset, elements, known=PRESETS)
    config = _preset_config(preset, sorted(set(elements)))
    potential = SevenNetPotential(
        build_network(config, kernels),
        Source(config=config, modalities={}),
        PotentialCard(
            name=f"sevennet:{preset}:{','.join(elements)}",
            framework="sevennet",
            licence="yours",
            is_untrained=True,
        ),
        kernels=kernels,
    )
    potential.draw_weights(generator)
    return potential


def _preset_config(preset: str, elements: Sequence[str]) -> dict[str, Any]:
    import sevenn
    from sevenn import _const

    config = copy.deepcopy(_const.DEFAULT_E3_EQUIVARIANT_MODEL_CONFIG)
    config.update(PRESETS[preset])
    config.update(
        version=sevenn.__version__,
        is_parity=False,
        self_connection_type="linear",
        cutoff_function={"cutoff_function_name": "XPLOR", "cutoff_on": 3.5},
        radial_basis={"radial_basis_name": "bessel", "bessel_basis_num": 8},
        conv_denominator=25.0,
        shift=[0.0] * len(elements),
        scale=[1.0] * len(elements),
        chemical_species=list(elements),
        _number_of_species=len(elements),
        _type_map={atomic_numbers[symbol]: i for i, symbol in enumerate(elements)},
        _model_type="E3_equivariant_model",
    )
    return config
