"""The adapter of MACE."""

import copy
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
    NEGLIGIBLE_ROUNDING,
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
from atomgraft.models.graph import Graph
from atomgraft.models.irreps import path_blocks, roles_of
from atomgraft.models.mace.building import (
    element_constants,
    for_elements,
    for_length,
)
from atomgraft.models.mace.layers import use_own_layers

PREFIX = "network."
"""What our names of parameters have before MACE's."""

REFERENCE = f"{PREFIX}atomic_energies_fn.atomic_energies"

_ROLE_PATTERNS: tuple[tuple[str, Role], ...] = (
    (r"node_embedding\.", EMBEDDING),
    (r"(radial_embedding|pair_repulsion_fn)\.", RADIAL_BASIS),
    (r"readouts\.", READOUT),
    (r"atomic_energies_fn\.atomic_energies", REFERENCE_ENERGIES),
    (r"scale_shift\.shift", REFERENCE_ENERGIES),
    (r"scale_shift\.scale", SCALE),
)

_CONSTANTS = (
    "atomic_energies_fn.atomic_energies",
    "scale_shift.scale",
    "scale_shift.shift",
)
"""Buffers of MACE that are parameters here: they are hashed, and may be shifted."""


class MaceEnergies(nn.Module):
    """A MACE model up to the energy of each atom.

    Parameters
    ----------
    network
        The framework's model; not changed.
    head
        Index of the head.
    kernels
        ``upstream`` evaluates with the framework's own modules.
    """

    def __init__(
        self, network: nn.Module, head: int, *, kernels: KernelName = "ours"
    ) -> None:
        super().__init__()
        own = copy.deepcopy(network)
        for name in _CONSTANTS:
            _buffer_to_parameter(own, name)
        if kernels == "ours":
            use_own_layers(own)
        self.network = own.to(next(network.parameters()).dtype)
        numbers = network.get_buffer("atomic_numbers").tolist()
        index = torch.full((max(numbers) + 1,), -1, dtype=torch.int64)
        index[numbers] = torch.arange(len(numbers))
        self.register_buffer("type_index", index, persistent=False)
        self.n_elements = len(numbers)
        self.head = head

    def forward(self, graph: Graph) -> Tensor:
        """Return the energy of each atom, eV, shape (atoms,)."""
        index = self.get_buffer("type_index")[graph.numbers]
        one_hot = nn.functional.one_hot(index, self.n_elements)
        cells = graph.cells[graph.owner[graph.edges[0]]]
        n_atoms = graph.n_atoms
        data = {
            "positions": graph.positions.view_as(graph.positions),  # marked by MACE
            "cell": graph.cells.flatten(0, 1),
            "unit_shifts": graph.shifts,
            "shifts": torch.einsum("ei,eij->ej", graph.shifts, cells),
            "edge_index": graph.edges,
            "node_attrs": one_hot.to(graph.positions.dtype),
            "batch": graph.owner,
            "ptr": nn.functional.pad(n_atoms.cumsum(0), (1, 0)),
            "head": torch.full_like(n_atoms, self.head),
        }
        energies = self.network(data, compute_force=False)["node_energy"]
        return energies.to(graph.positions.dtype)  # MACE adds references in float64


class MacePotential(AbstractPotential):
    """A MACE model behind atomgraft's seam.

    Parameters
    ----------
    network
        The framework's model, in its own precision, on the CPU; not changed.
    card
        What it says of itself; `card.head` names the head.
    kernels
        ``upstream`` evaluates with the framework's own modules.

    Raises
    ------
    BadInputError
        The head is missing or unknown.
    """

    def __init__(
        self,
        network: nn.Module,
        card: PotentialCard,
        *,
        kernels: KernelName = "ours",
    ) -> None:
        self.card, self.kernels = card, kernels
        self.head = _head_index(heads_of(network), card)
        self.plain = network
        self.cutoff = float(network.get_buffer("r_max"))
        self.numbers: list[int] = network.get_buffer("atomic_numbers").tolist()
        self.elements = frozenset(self.numbers)
        self.module = MaceEnergies(network, self.head, kernels=kernels)
        self.module.requires_grad_(requires_grad=True)
        self.roles = roles_of(
            dict(self.module.named_parameters()),
            _ROLE_PATTERNS,
            layers=r"(?:interactions|products)\.(\d+)\.",
            expected="a model of energies and forces built by mace-torch 0.3.16",
            prefix=PREFIX,
        )
        self.element_constants = element_constants(network)
        energies = network.get_buffer(REFERENCE.removeprefix(PREFIX))
        self.keep_references(energies.double())  # a file may hold them alone in float64

    def blocks(self, parameter: str) -> tuple[Block, ...]:
        """Return irreps paths, radial layers, or the terms of a contraction.

        The weights of a symmetric contraction have elements and terms as rows and
        channels as columns; any such matrix keeps the layer equivariant.
        """
        name = parameter.removeprefix(PREFIX)
        owner_name, _, leaf = name.rpartition(".")
        if ".contractions." in name:
            return _contraction_block(self.plain.get_parameter(name), self.numbers)
        if leaf != "weight":
            return ()
        layer = self.plain.get_submodule(owner_name)
        return _layer_blocks(layer, self._row_keys(owner_name))

    def _row_keys(self, layer: str) -> dict[int, Sequence[RowKey]]:
        """Return what the one-hot inputs of a layer stand for."""
        if hasattr(self.plain.get_submodule(layer), "irreps_in2"):
            return {0: self.numbers}  # skip_tp: features by elements
        if re.search(r"(^node_embedding\.linear|_embedding)$", layer):
            return {0: self.numbers}
        if not re.match(r"readouts\.\d+\.linear_(mid|2)$", layer):
            return {}
        readout: Any = self.plain.get_submodule(layer.rpartition(".")[0])
        if getattr(readout, "num_heads", 1) == 1:
            return {}
        # of the hidden features each head has its share
        n_each = readout.hidden_irreps.dim // readout.num_heads
        return {0: [head for head in self.heads for _ in range(n_each)]}

    def reference_places(self) -> tuple[str, Mapping[int, int]]:
        """Return the place of each element, in the row of the head."""
        first = 0
        if self.module.get_parameter(REFERENCE).dim() == 2:
            first = self.head * len(self.numbers)
        return REFERENCE, {Z: first + column for column, Z in enumerate(self.numbers)}

    def element_places(self) -> Mapping[str, Mapping[int, tuple[int, ...]]]:
        """Return the places of each element, in the rows of all heads."""
        size = self.module.get_parameter(REFERENCE).numel()
        n_elements = len(self.numbers)
        return {
            REFERENCE: {
                number: tuple(range(column, size, n_elements))
                for column, number in enumerate(self.numbers)
            }
        }

    def with_more_elements(self, numbers: Iterable[int]) -> "MacePotential":
        """Return a model of the same function with room for further elements."""
        network = for_elements(self.plain, sorted(numbers))
        other = MacePotential(network, self.card, kernels=self.kernels)
        other.module.to(device=self.device, dtype=self.dtype)
        transfer_weights(self, other)
        return other

    def rescaled(self, *, length: float, energy: float = 1.0) -> "MacePotential":
        """Return the model of corresponding states."""
        plain = for_length(self._current(self.dtype), length)
        if energy != 1.0:
            if "scale_shift" not in dict(plain.named_modules()):
                return super().rescaled(length=length, energy=energy)
            for name in ("scale", "shift"):
                plain.get_submodule("scale_shift").get_buffer(name).mul_(energy)
        other = MacePotential(plain, self.card, kernels=self.kernels)
        other.module.to(device=self.device, dtype=self.dtype)
        other.keep_references(self.exact_references())
        return other

    def _current(self, dtype: torch.dtype) -> nn.Module:
        """Return the framework's model with today's weights and reference energies."""
        network = copy.deepcopy(self.plain).to(dtype)
        tensors = dict(network.named_parameters()) | dict(network.named_buffers())
        with torch.no_grad():
            for name, value in self.module.named_parameters():
                tensors[name.removeprefix(PREFIX)].copy_(value)
            tensors[REFERENCE.removeprefix(PREFIX)].copy_(self.exact_references())
        return network

    @property
    def heads(self) -> tuple[str, ...]:
        """Names of the heads, where there are several."""
        names = heads_of(self.plain)
        return names if len(names) > 1 else ()

    def for_head(self, head: str) -> "MacePotential":
        """Return a copy that predicts from another head."""
        card = dataclasses.replace(self.card, head=head)
        index = _head_index(heads_of(self.plain), card)
        other = self.clone(device=self.device)
        other.card, other.head = card, index
        cast("MaceEnergies", other.module).head = index
        return other

    def readout_directions(self) -> dict[str, Tensor]:
        """Return the weights of the head in the last layer of every readout."""
        places = {}
        for i, readout in enumerate(self.plain.get_submodule("readouts").children()):
            last = "linear" if hasattr(readout, "linear") else "linear_2"
            name = f"{PREFIX}readouts.{i}.{last}.weight"
            [block] = self.blocks(name)  # scalars alone become energies
            rows = self._readout_rows(readout, block.rows)
            places[name] = rows * block.columns + self.head
        n_directions = sum(map(len, places.values()))
        directions: dict[str, Tensor] = {}
        first = 0
        for name, own in places.items():
            weight = self.module.get_parameter(name)
            units = weight.new_zeros(n_directions, weight.numel())
            units[first + torch.arange(len(own)), own] = 1.0
            directions[name] = units
            first += len(own)
        return directions

    def _readout_rows(self, readout: nn.Module, n_rows: int) -> Tensor:
        """Return the inputs of a last layer that a head sees: all, or its share."""
        n_shares = getattr(readout, "num_heads", 1)
        n_own = n_rows // n_shares
        first = self.head * n_own if n_shares > 1 else 0
        return torch.arange(first, first + n_own)

    def as_exported(self) -> "MacePotential":
        """Return a copy in the precision of the file, reference energies included."""
        other = self.clone(dtype=self.exported_dtype())
        other.keep_references(self.exact_references().to(other.dtype).double())
        return other

    def exported_dtype(self) -> torch.dtype:
        """Return float64 where our precision would round reference energies."""
        is_rounded = self.rounding_in(self.dtype) > NEGLIGIBLE_ROUNDING
        return torch.float64 if is_rounded else self.dtype

    def export(self, path: Path) -> Path:
        """Write a ``.model`` file that mace-torch itself reads.

        It is in our precision, or in float64 where float32 would round reference
        energies: mace-torch evaluates a model in the precision of its weights.
        """
        network = self._current(self.exported_dtype())
        buffer = io.BytesIO()
        torch.save(network, buffer)
        path = with_ending(path, ".model")
        write_atomically(path, buffer.getvalue())
        return path


def heads_of(network: nn.Module) -> tuple[str, ...]:
    """Return the names of a MACE model's heads; files of old have none."""
    return tuple(getattr(network, "heads", None) or ("Default",))


def _head_index(heads: Sequence[str], card: PotentialCard) -> int:
    if card.head is None and len(heads) == 1:
        return 0
    if card.head not in heads:
        came = "none" if card.head is None else repr(card.head)
        raise BadInputError(
            f"{card.name} needs --head; it was {came}.",
            f"It has {', '.join(heads)}.",
            "Choose the level of theory of your labels with --head."
            if len(heads) > 1
            else "Leave --head out.",
        )
    return heads.index(card.head)


def _buffer_to_parameter(network: nn.Module, name: str) -> None:
    owner_name, _, leaf = name.rpartition(".")
    if owner_name not in dict(network.named_modules()):
        return  # a model without scale and shift
    owner = network.get_submodule(owner_name)
    value = owner.get_buffer(leaf)
    delattr(owner, leaf)
    owner.register_parameter(leaf, nn.Parameter(value))


def _contraction_block(weights: Tensor, numbers: Sequence[int]) -> tuple[Block, ...]:
    """Return one matrix; MACE draws the weights of n terms at 1/n."""
    n_elements, n_terms, n_channels = weights.shape
    # one set of weights may serve all elements
    owners = numbers if n_elements == len(numbers) else [0] * n_elements
    return (
        Block(
            offset=0,
            rows=n_elements * n_terms,
            columns=n_channels,
            scale=1 / n_terms,
            row_keys=tuple(number for number in owners for _ in range(n_terms)),
        ),
    )


def _layer_blocks(
    layer: nn.Module, keys: Mapping[int, Sequence[RowKey]]
) -> tuple[Block, ...]:
    from e3nn.o3 import FullyConnectedTensorProduct, Linear

    if isinstance(layer, Linear | FullyConnectedTensorProduct):
        return path_blocks(cast("Sequence[Any]", layer.instructions), keys)
    weight = layer.get_parameter("weight")
    if weight.dim() != 2:  # of a layer norm
        return ()
    if not isinstance(layer, nn.Linear):
        rows, columns = weight.shape
        return (Block(offset=0, rows=rows, columns=columns, scale=1.0),)
    columns, rows = weight.shape
    scale = rows**-0.5  # a dense layer of torch has no norm of its own
    return (
        Block(offset=0, rows=rows, columns=columns, scale=scale, is_transposed=True),
    )
