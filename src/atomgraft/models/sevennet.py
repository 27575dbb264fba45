"""SevenNet: 7net-0 and every checkpoint of the framework, and small ones by preset."""

import contextlib
import copy
import dataclasses
import io
import re
import tempfile
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import torch
from ase.data import atomic_numbers
from torch import Tensor, nn

from atomgraft.core.errors import BadInputError
from atomgraft.core.frameworks import require_framework
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
    interaction,
)
from atomgraft.models.checkpoints import read_checkpoint
from atomgraft.models.graph import Graph
from atomgraft.models.irreps import has_weight_a_channel, message_paths, path_blocks
from atomgraft.models.messages import MessagePath, SummedMessages
from atomgraft.models.presets import check_preset

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
    "small": {"channel": 32, "lmax": 2, "num_convolution_layer": 3, "cutoff": 5.0},
}
"""Architectures to train from nothing: ``sevennet:tiny:Si,Ge``."""

TAIL = ("reduce_total_enegy", "force_output")
"""Modules that sum and differentiate; atomgraft does both itself."""

READOUT_STEPS = ("input_to_hidden", "hidden_to_energy")

REFERENCE = "rescale_atomic_energy.shift"

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


class SevenNetEnergies(nn.Module):
    """The layers of a SevenNet model up to the energy of each atom.

    Parameters
    ----------
    network
        The framework's own sequence of layers; names of parameters stay the same.
    type_map
        Atomic number to index of the embedding.
    modality
        Index of the modality; none for a model without.
    """

    def __init__(
        self,
        network: nn.Module,
        type_map: Mapping[int, int],
        modality: int | None,
    ) -> None:
        super().__init__()
        for name, module in network.named_children():
            if name not in TAIL:
                self.add_module(name, _with_own_messages(module))
        index = torch.full((max(type_map) + 1,), -1, dtype=torch.int64)
        for number, position in type_map.items():
            index[number] = position
        self.register_buffer("type_index", index, persistent=False)
        self.modality = modality

    def forward(self, graph: Graph) -> Tensor:
        """Return the energy of each atom, eV, shape (atoms,)."""
        data: dict[str, Tensor] = {
            "x": self.get_buffer("type_index")[graph.numbers],
            "edge_index": graph.edges,
            "edge_vec": graph.edge_vectors(),
            "batch": graph.owner,
        }
        if self.modality is not None:
            data["modal_type"] = torch.full_like(graph.n_atoms, self.modality)
        for name, module in self.named_children():
            data = module(data)
            if name == "onehot_idx_to_onehot":  # upstream makes float32 whatever comes
                for key in ("x", "node_attr"):
                    data[key] = data[key].to(graph.positions.dtype)
        return data["atomic_energy"].squeeze(-1)


class Convolution(nn.Module):
    """The framework's convolution with our own way to sum messages.

    Its parts keep their names, so a checkpoint looks as it did.

    Parameters
    ----------
    theirs
        An ``IrrepsConvolution``.
    paths
        Those of its tensor product.
    """

    def __init__(self, theirs: nn.Module, paths: Sequence[MessagePath]) -> None:
        super().__init__()
        self.denominator = theirs.get_parameter("denominator")
        self.convolution: Any = theirs.get_submodule("convolution")
        self.weight_nn: Any = theirs.get_submodule("weight_nn")
        self.messages = SummedMessages(paths, self.convolution.irreps_in2.dim)

    def forward(self, data: dict[str, Tensor]) -> dict[str, Tensor]:
        """Replace the features of each atom by the sum of its messages."""
        *layers, last = self.weight_nn.children()
        hidden = data["edge_embedding"]
        for layer in layers:
            hidden = layer(hidden)
        variance = last.h_in * last.var_in / last.var_out
        data["x"] = (
            self.messages(
                data["x"],
                data["edge_attr"],
                hidden,
                last.weight / variance**0.5,
                data["edge_index"],
            )
            / self.denominator
        )
        return data


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

    Raises
    ------
    BadInputError
        The modality is missing or unknown.
    """

    def __init__(self, network: nn.Module, source: Source, card: PotentialCard) -> None:
        self.source = source
        self.card = card
        self.modality = _modality_index(source, card)
        type_map: Mapping[int, int] = source.config["_type_map"]
        self.type_map = type_map
        self.cutoff = float(source.config["cutoff"])
        self.elements = frozenset(type_map)
        self.module = SevenNetEnergies(network, type_map, self.modality)
        # copying a compiled layer adds constants of its own to the state
        self.state_names = tuple(self.module.state_dict())
        self.module.requires_grad_(requires_grad=True)
        self.roles = _roles(self.module)

    def blocks(self, parameter: str) -> tuple[Block, ...]:
        """Return the irreps paths of a linear layer, or a radial layer as one."""
        from e3nn.o3 import FullyConnectedTensorProduct, Linear

        owner_name, _, leaf = parameter.rpartition(".")
        owner = self.module.get_submodule(owner_name)
        weight = owner.get_parameter(leaf)
        if leaf != "weight":
            return ()
        if isinstance(owner, Linear | FullyConnectedTensorProduct):
            return path_blocks(cast("Sequence[Any]", owner.instructions))
        if weight.dim() == 2:
            return (
                Block(
                    offset=0, rows=weight.shape[0], columns=weight.shape[1], scale=1.0
                ),
            )
        return ()

    def with_shifted_references(self, shifts: Mapping[int, float]) -> dict[str, Tensor]:
        """Return the shift tensor with `shifts` (eV, by atomic number) added."""
        current = self.module.get_parameter(REFERENCE).detach().clone()
        per_modality = current.dim() == 2
        for number, shift in shifts.items():
            column = self.type_map[number]
            place = (self.modality, column) if per_modality else (column,)
            current[place] += shift
        return {REFERENCE: current}

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
        """Write a checkpoint that SevenNet itself reads (ASE, LAMMPS, training)."""
        state = self.module.state_dict()
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


def _with_own_messages(module: nn.Module) -> nn.Module:
    """Return a convolution that sums messages our way; other layers as they are."""
    from sevenn.nn.convolution import IrrepsConvolution

    if not isinstance(module, IrrepsConvolution):
        return module
    product: Any = module.convolution
    if not has_weight_a_channel(product):
        return module
    return Convolution(module, message_paths(product))


def _modality_index(source: Source, card: PotentialCard) -> int | None:
    """Return the modality's index, none for a model without any."""
    if not source.modalities:
        if card.head is None:
            return None
        raise BadInputError(
            f"{card.name} has no modalities, and {card.head!r} was asked for.",
            "A name of a modality goes with a multi-fidelity model only.",
            "Leave --head out.",
        )
    if card.head not in source.modalities:
        raise BadInputError(
            f"{card.name} needs a modality and {card.head!r} came.",
            f"It has {', '.join(sorted(source.modalities))}.",
            "Choose the one your labels belong to with --head.",
        )
    return source.modalities[str(card.head)]


def _roles(module: nn.Module) -> dict[Role, tuple[str, ...]]:
    roles: dict[Role, list[str]] = {}
    for name, _ in module.named_parameters():
        roles.setdefault(_role(name), []).append(name)
    return {role: tuple(names) for role, names in roles.items()}


def _role(name: str) -> Role:
    for pattern, role in _ROLE_PATTERNS:
        if re.match(pattern, name):
            return role
    layer = re.match(r"(\d+)_", name)
    if layer is None:
        raise BadInputError(
            f"The parameter {name!r} of this SevenNet model plays no known role.",
            "A model built by SevenNet 0.11 to 0.13 is needed.",
            "Report it with the model's name.",
        )
    return interaction(int(layer.group(1)))


def load_sevennet(
    name: str, *, head: str | None = None, trust: bool = False
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
            "A .pth file written by SevenNet is needed.",
            "Check that this is the checkpoint and not a deployed model.",
        )
    network, config = _built(document, path)
    return SevenNetPotential(
        _with_species_references(network, config),
        Source(config=config, modalities=config.get("_modal_map") or {}),
        PotentialCard(
            name=name,
            framework="sevennet",
            licence=LICENCES.get(name.lower(), "not stated by the file"),
            head=head,
        ),
    )


def _built(
    document: Mapping[str, Any], path: Path
) -> tuple[nn.Sequential, dict[str, Any]]:
    """Let SevenNet build the model of a checkpoint that was read as data.

    SevenNet unpickles whatever file it is given, so it is given one that holds what
    was read, written by ourselves, and never the file that came.
    """
    with _quiet(), tempfile.TemporaryDirectory() as folder:
        import sevenn
        from sevenn.util import load_checkpoint

        ours = Path(folder) / "checkpoint.pth"
        torch.save({**document, "optimizer_state_dict": {}}, ours)
        checkpoint = load_checkpoint(str(ours))
        network = _network(checkpoint, path)
        # the network is in today's form, whatever version wrote the file
        return network, checkpoint.config | {"version": sevenn.__version__}


def _network(checkpoint: Any, path: Path) -> nn.Sequential:  # noqa: ANN401 - sevenn's
    """Build the model on the plain backend, whatever it was trained with."""
    try:
        with _built_quickly():
            return checkpoint.build_model()
    except (RuntimeError, KeyError, ValueError, AssertionError) as error:
        raise BadInputError(
            f"{path} does not build a model: {str(error).splitlines()[0]}.",
            "A complete checkpoint of SevenNet 0.9 to 0.13 is needed.",
            "Check the file, or write it again with 'sevenn checkpoint'.",
        ) from error


def _published_path(name: str) -> Path:
    from sevenn.util import pretrained_name_to_path

    try:
        with _quiet():
            return Path(pretrained_name_to_path(name))
    except (OSError, ValueError) as error:
        raise BadInputError(
            f"The weights of {name} are not here and could not be downloaded: {error}.",
            "A network connection, or the checkpoint as a file, is needed.",
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
    preset: str, elements: Sequence[str], generator: torch.Generator
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
    with _quiet():
        from sevenn.model_build import build_E3_equivariant_model

        with _built_quickly():
            network = build_E3_equivariant_model(copy.deepcopy(config))
    potential = SevenNetPotential(
        network,
        Source(config=config, modalities={}),
        PotentialCard(
            name=f"sevennet:{preset}:{','.join(elements)}",
            framework="sevennet",
            licence="yours",
            is_untrained=True,
        ),
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


@contextlib.contextmanager
def _built_quickly() -> Any:  # noqa: ANN401 - a context manager
    """Leave out e3nn's search for contraction orders: two thirds of building.

    What it would order are sums over atoms, too small to gain; the sums over edges
    are ours.
    """
    import e3nn

    before = e3nn.get_optimization_defaults()
    e3nn.set_optimization_defaults(optimize_einsums=False)
    try:
        yield
    finally:
        e3nn.set_optimization_defaults(**before)


@contextlib.contextmanager
def _quiet() -> Any:  # noqa: ANN401 - a context manager
    """Keep the framework's own chatter off the user's screen."""
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        yield
