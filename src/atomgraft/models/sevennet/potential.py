"""The adapter of SevenNet: roles, blocks, modalities, export."""

import dataclasses
import io
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor, nn

from atomgraft.core.errors import BadInputError
from atomgraft.core.kernels import KernelName
from atomgraft.core.storage import with_ending, write_atomically
from atomgraft.models.base import (
    EMBEDDING,
    RADIAL_BASIS,
    READOUT,
    REFERENCE_ENERGIES,
    SCALE,
    AbstractPotential,
    Block,
    PotentialCard,
    Role,
    RowKey,
)
from atomgraft.models.elements import transfer_weights
from atomgraft.models.irreps import path_blocks, roles_of
from atomgraft.models.sevennet.building import (
    build_network,
    for_elements,
    for_length,
)
from atomgraft.models.sevennet.layers import SevenNetEnergies

READOUT_STEPS = ("input_to_hidden", "hidden_to_energy")

REFERENCE = "rescale_atomic_energy.shift"
ELEMENT_SCALE = "rescale_atomic_energy.scale"
FREQUENCIES = "edge_embedding.basis_function.coeffs"

_ROLE_PATTERNS: tuple[tuple[str, Role], ...] = (
    (r"edge_embedding\.", RADIAL_BASIS),
    (r"onehot_to_feature_x\.", EMBEDDING),
    (r"reduce_(input_to_hidden|hidden_to_energy)\.", READOUT),
    (r"readout_FCN\.", READOUT),
    (r"rescale_atomic_energy\.shift", REFERENCE_ENERGIES),
    (r"rescale_atomic_energy\.scale", SCALE),
    (r"\d+_convolution\.denominator", SCALE),
)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Source:
    """What a SevenNet model is rebuilt from: its configuration."""

    config: Mapping[str, Any]
    modalities: Mapping[str, int]


class SevenNetPotential(AbstractPotential):
    """A SevenNet model behind atomgraft's seam.

    Parameters
    ----------
    network
        The framework's model.
    source
        What it was built from.
    card
        What it says of itself; `card.head` names the modality.
    kernels
        ``upstream`` evaluates with the framework's own modules.

    Raises
    ------
    BadInputError
        The modality is missing or unknown.
    """

    def __init__(
        self,
        network: nn.Module,
        source: Source,
        card: PotentialCard,
        *,
        kernels: KernelName = "ours",
    ) -> None:
        self.source = source
        self.card, self.kernels = card, kernels
        self.modality = _modality_index(source, card)
        type_map: Mapping[int, int] = source.config["_type_map"]
        self.type_map = type_map
        self.cutoff = float(source.config["cutoff"])
        self.elements = frozenset(type_map)
        self.module = SevenNetEnergies(
            network, type_map, self.modality, kernels=kernels
        )
        # copying a compiled layer adds constants of its own to the state
        self.state_names = tuple(self.module.state_dict())
        self.module.requires_grad_(requires_grad=True)
        self.roles = roles_of(
            dict(self.module.named_parameters()),
            _ROLE_PATTERNS,
            layers=r"(\d+)_",
            expected="a model built by SevenNet 0.13",
        )

    def blocks(self, parameter: str) -> tuple[Block, ...]:
        """Return the irreps paths of a linear layer, or a radial layer as one."""
        from e3nn.o3 import FullyConnectedTensorProduct, Linear

        owner_name, _, leaf = parameter.rpartition(".")
        owner = self.module.get_submodule(owner_name)
        weight = owner.get_parameter(leaf)
        if leaf != "weight":
            return ()
        if isinstance(owner, Linear | FullyConnectedTensorProduct):
            instructions = cast("Sequence[Any]", owner.instructions)
            return path_blocks(instructions, self._row_keys(owner_name))
        if weight.dim() == 2:
            return (
                Block(
                    offset=0, rows=weight.shape[0], columns=weight.shape[1], scale=1.0
                ),
            )
        return ()

    def _row_keys(self, layer: str) -> dict[int, Sequence[RowKey]]:
        """Return what the one-hot inputs of a linear layer or a product stand for."""
        owner: Any = self.module.get_submodule(layer)
        elements = sorted(self.type_map, key=self.type_map.__getitem__)
        if hasattr(owner, "irreps_in2"):  # the self-connection: features by elements
            return {0: elements}
        keys: dict[int, Sequence[RowKey]] = {}
        if layer.startswith("onehot_to_feature_x."):
            keys[0] = elements
        wrapper = self.module.get_submodule(layer.rpartition(".")[0])
        if getattr(wrapper, "num_modalities", 0) > 1:  # appended as the last input
            modalities = self.source.modalities
            keys[len(owner.irreps_in) - 1] = sorted(
                modalities, key=modalities.__getitem__
            )
        return keys

    def reference_places(self) -> tuple[str, Mapping[int, int]]:
        """Return the place of each element in the shift, in the row of the modality."""
        shift = self.module.get_parameter(REFERENCE)
        first = 0
        if shift.dim() == 2:
            assert self.modality is not None
            first = self.modality * shift.shape[1]
        places = {number: first + column for number, column in self.type_map.items()}
        return REFERENCE, places

    def element_places(self) -> Mapping[str, Mapping[int, tuple[int, ...]]]:
        """Return the places of each element in shift and scale, of every modality."""
        found: dict[str, Mapping[int, tuple[int, ...]]] = {}
        n_elements = len(self.type_map)
        for name in (REFERENCE, ELEMENT_SCALE):
            size = self.module.get_parameter(name).numel()
            if size % n_elements:
                continue  # one number for all elements
            found[name] = {
                number: tuple(range(column, size, n_elements))
                for number, column in self.type_map.items()
            }
        return found

    def with_more_elements(self, numbers: Iterable[int]) -> "SevenNetPotential":
        """Return a model of the same function with room for further elements."""
        other = self._of(for_elements(self.source.config, sorted(numbers)))
        transfer_weights(self, other)
        return other

    def rescaled(self, *, length: float, energy: float = 1.0) -> "SevenNetPotential":
        """Return the model of corresponding states.

        Cutoffs and Bessel frequencies follow the length. The Bessel functions
        (2/cutoff) sin(f r)/r have two powers of it too many: the first radial layers
        take them up.
        """
        other = self._of(for_length(self.source.config, length))
        transfer_weights(self, other)
        with torch.no_grad():
            for name, weight in other.module.named_parameters():
                if name == FREQUENCIES:
                    weight.div_(length)
                elif re.fullmatch(r"\d+_convolution\.weight_nn\.layer0\.weight", name):
                    weight.mul_(length**2)
                elif name == ELEMENT_SCALE:
                    weight.mul_(energy)
        return other

    def _of(self, config: dict[str, Any]) -> "SevenNetPotential":
        """Return a new potential of a configuration, in this one's precision."""
        network = build_network(config, self.kernels)
        source = dataclasses.replace(self.source, config=config)
        other = SevenNetPotential(network, source, self.card, kernels=self.kernels)
        other.module.to(device=self.device, dtype=self.dtype)
        return other

    @property
    def heads(self) -> tuple[str, ...]:
        """Names of the modalities."""
        return tuple(sorted(self.source.modalities))

    def for_head(self, head: str) -> "SevenNetPotential":
        """Return a copy that predicts as another modality."""
        card = dataclasses.replace(self.card, head=head)
        modality = _modality_index(self.source, card)
        other = self.clone(device=self.device)
        other.card, other.modality = card, modality
        cast("SevenNetEnergies", other.module).modality = modality
        return other

    def readout_directions(self) -> dict[str, Tensor]:
        """Return one direction for each feature: the readout is two linear layers.

        Any linear map of the features is a change of the first layer, along what the
        second one reads.
        """
        names = [f"reduce_{step}.linear.weight" for step in READOUT_STEPS]
        known = dict(self.module.named_parameters())
        if not known.keys() >= set(names):
            return {}
        first, second = (known[name].detach() for name in names)
        [block] = self.blocks(names[0])
        directions = first.new_zeros(block.rows, block.rows, block.columns)
        places = torch.arange(block.rows)
        directions[places, places] = second / second.norm()
        return {names[0]: directions.flatten(1)}

    def export(self, path: Path) -> Path:
        """Write a checkpoint that SevenNet itself reads (ASE, LAMMPS, training).

        SevenNet takes the reference energies, in float64 where float32 would round
        them, into a parameter in float32, and adds and sums in float32.
        """
        state = self.module.state_dict()
        if self.added_references is not None:
            state[REFERENCE] = self.exact_references()
        weights = {name: state[name].detach().cpu() for name in self.state_names}
        buffer = io.BytesIO()
        torch.save(
            {
                "model_state_dict": weights,
                "optimizer_state_dict": {},
                "scheduler_state_dict": {},
                "config": dict(self.source.config),
                "epoch": 0,
                "time": "Not found",
                "hash": self.weights_hash(),
            },
            buffer,
        )
        path = with_ending(path, ".pth")
        write_atomically(path, buffer.getvalue())
        return path


def _modality_index(source: Source, card: PotentialCard) -> int | None:
    """Return the modality's index, none for a model without any."""
    if not source.modalities:
        if card.head is None:
            return None
        raise BadInputError(
            f"{card.name} has no heads, and --head {card.head} was given.",
            "Only multi-fidelity models have heads.",
            "Leave --head out.",
        )
    if card.head not in source.modalities:
        raise BadInputError(
            f"{card.name} needs --head ({' or '.join(sorted(source.modalities))}); "
            f"it was {'not given' if card.head is None else card.head}.",
            "The heads are its levels of theory.",
            "Choose the level of theory of your labels.",
        )
    return source.modalities[str(card.head)]
