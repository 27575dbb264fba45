"""The interface of a potential."""

import abc
import copy
import dataclasses
from collections.abc import Iterable, Mapping, Set
from pathlib import Path
from typing import TypeVar

import numpy as np
import torch
from ase.data import chemical_symbols
from jaxtyping import Float
from torch import Tensor, nn

from atomgraft.core.errors import BadInputError
from atomgraft.core.kernels import KernelName
from atomgraft.core.provenance import fingerprint
from atomgraft.core.registry import did_you_mean
from atomgraft.models.copies import independent_copy
from atomgraft.models.levels import LevelOfTheory

Role = str
"""The part of a model that a parameter plays; the constants below, or
``interaction.i``."""

EMBEDDING: Role = "embedding"
RADIAL_BASIS: Role = "radial_basis"
READOUT: Role = "readout"
REFERENCE_ENERGIES: Role = "reference_energies"
SCALE: Role = "scale"

N_ELEMENTS = len(chemical_symbols)
"""Atomic numbers that ASE knows, zero included."""

UNROUNDED = "reference energies beside the weights"
"""Their name in a hash of weights, where there are any."""


def interaction(i: int) -> Role:
    """Return the role of the *i*-th message-passing layer, counted from zero.

    Examples
    --------
    >>> interaction(2)
    'interaction.2'
    """
    return f"interaction.{i}"


RowKey = int | str
"""What selects a row of a matrix: an atomic number, or the name of a head."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Block:
    """A matrix inside a parameter, whatever shape the framework gives it.

    An equivariant linear layer keeps all its matrices in one flat weight, one
    after the other; each is a block. Deltas of low rank live on blocks, so
    equivariance is kept: a block mixes multiplicities only.

    Parameters
    ----------
    offset
        Where the matrix starts in the flattened parameter.
    rows
        Number of inputs.
    columns
        Number of outputs.
    scale
        Standard deviation of this weight at which the layer keeps unit variance:
        1 for layers that normalise in their forward pass (e3nn), 1/√rows for a
        plain dense layer.
    row_keys
        What selects each row, as a one-hot input does: an atomic number, or the name
        of a head; zero for a row that is always used. Empty where all rows are. No
        prediction for structures without the element, or by another head, may depend
        on a row. Columns need no such word: where nothing depends on a column, its
        gradient is zero, and training leaves it alone.
    is_transposed
        Whether the parameter stores outputs by inputs, as a dense layer of torch does.
    column_keys
        What selects each column, where columns belong to elements.
    gain
        The number by which the layer multiplies the matrix in its forward pass. Layers
        that normalise divide by the root of the number of rows: it changes where a
        table of elements grows.
    """

    offset: int
    rows: int
    columns: int
    scale: float
    row_keys: tuple[RowKey, ...] = ()
    is_transposed: bool = False
    column_keys: tuple[RowKey, ...] = ()
    gain: float = 1.0

    @property
    def size(self) -> int:
        """Number of weights."""
        return self.rows * self.columns

    def matrix(self, parameter: Float[Tensor, "..."]) -> Float[Tensor, "rows columns"]:
        """Return the matrix as a view into a parameter.

        Parameters
        ----------
        parameter
            Of any shape, contiguous.

        Examples
        --------
        >>> weight = torch.tensor([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])
        >>> Block(offset=0, rows=3, columns=2, scale=1.0, is_transposed=True).matrix(
        ...     weight
        ... ).tolist()
        [[1.0, 4.0], [2.0, 5.0], [3.0, 6.0]]
        """
        flat = parameter.view(-1)[self.offset : self.offset + self.size]
        if self.is_transposed:
            return flat.view(self.columns, self.rows).T
        return flat.view(self.rows, self.columns)

    def unused_rows(self, present: Set[RowKey]) -> list[int]:
        """Return the rows that nothing among these selects.

        Parameters
        ----------
        present
            Atomic numbers, and names of heads.

        Examples
        --------
        >>> Block(
        ...     offset=0, rows=4, columns=1, scale=1.0, row_keys=(0, 11, 17, 11)
        ... ).unused_rows({17})
        [1, 3]
        """
        return [
            row for row, key in enumerate(self.row_keys) if key and key not in present
        ]


@dataclasses.dataclass(frozen=True, kw_only=True)
class PotentialCard:
    """Description of a potential.

    Parameters
    ----------
    name
        The name or file it was asked for by.
    framework
        The adapter's name.
    licence
        Licence of the weights, as far as it is known.
    head
        The head, modality or fidelity that predictions come from.
    level
        The level of theory of its training data; none where it is unknown.
    is_untrained
        Whether the weights are fresh, so that predictions mean nothing.
    is_mapped
        Whether elements or scales were changed before training, so that predictions are
        a guess.
    untrained
        Atomic numbers that have room in the model and were never trained, as far as it
        is known.
    """

    name: str
    framework: str
    licence: str
    head: str | None = None
    level: LevelOfTheory | None = None
    is_untrained: bool = False
    is_mapped: bool = False
    untrained: frozenset[int] = frozenset()


NEGLIGIBLE_ROUNDING = 1e-5
"""eV per atom: a hundredth of what the best potentials get wrong."""

Self = TypeVar("Self", bound="AbstractPotential")
"""typing.Self is not understood by run-time type checkers."""


class AbstractPotential(abc.ABC):
    """An interatomic potential of any framework.

    `module` maps a :class:`~atomgraft.models.graph.Graph` to the energy of each
    atom (eV, the reference energies of its own weights included), differentiable in
    positions and cells and in every parameter. Forces and stresses are derived in one
    place, :mod:`atomgraft.models.prediction`, for all frameworks alike.

    A reference energy may be a million times larger than what a material changes, so
    it takes no part in single precision. `added_references` holds in float64 what a
    refit adds to the parameter of the weights, which stays as it is, and what the
    precision of that parameter rounds off; the sum of both is added to energies in
    float64, after the module was evaluated without either.

    Attributes
    ----------
    card
        Name, framework, licence, head.
    cutoff
        Å
    elements
        Atomic numbers it can see.
    module
        ``forward(graph) -> Float[Tensor, "atoms"]``, eV.
    roles
        Names of the parameters by role; each parameter plays one role.
    added_references
        eV, float64, in the shape of the parameter that holds reference energies;
        none where there is nothing to add.
    element_constants
        What a prediction takes from an atomic number besides weights, in words.
    kernels
        Whose code computes the costly layers of MACE and SevenNet.
    """

    card: PotentialCard
    cutoff: float
    elements: frozenset[int]
    module: nn.Module
    roles: Mapping[Role, tuple[str, ...]]
    added_references: Tensor | None = None
    element_constants: tuple[str, ...] = ()
    kernels: KernelName = "ours"

    @abc.abstractmethod
    def blocks(self, parameter: str) -> tuple[Block, ...]:
        """Return the matrices a parameter consists of; none if it holds no matrix."""

    @abc.abstractmethod
    def reference_places(self) -> tuple[str, Mapping[int, int]]:
        """Return where the weights hold reference energies.

        Returns
        -------
        str
            The parameter; a number in it is added to the energy of every atom of an
            element.
        Mapping[int, int]
            The place in the flattened parameter, by atomic number.
        """

    def element_places(self) -> Mapping[str, Mapping[int, tuple[int, ...]]]:
        """Return which parameters hold numbers of each element, outside any block.

        Returns
        -------
        Mapping[str, Mapping[int, tuple[int, ...]]]
            Places in the flattened parameter, by parameter and atomic number. The
            reference energies are among them; a model with several heads has one
            place for each.
        """
        name, places = self.reference_places()
        return {name: {number: (place,) for number, place in places.items()}}

    def with_more_elements(self: Self, numbers: Iterable[int]) -> Self:
        """Return a model of the same function that has room for further elements.

        What belongs to them is zero.

        Parameters
        ----------
        numbers
            Atomic numbers that the model does not know.

        Raises
        ------
        BadInputError
            The adapter, or this architecture, cannot take up an element.
        """
        symbols = ", ".join(chemical_symbols[one] for one in sorted(numbers))
        raise BadInputError(
            f"{self.card.name} does not know {symbols}.",
            f"Its adapter ({self.card.framework}) cannot add an element to a model.",
            "Start from a model that knows all elements of the structures.",
        )

    def follow_donors(  # noqa: B027 - most adapters have weights alone
        self, donors: Mapping[int, int]
    ) -> None:
        """Copy what an element has besides its weights, in place; nothing for most.

        Parameters
        ----------
        donors
            Atomic number of the donor, by that of the element.
        """

    def rescaled(self: Self, *, length: float, energy: float = 1.0) -> Self:
        """Return the model of corresponding states: E(x) = energy · E₀(x / length).

        Reference energies stay; forces and stresses follow from the energy.

        Parameters
        ----------
        length
            Lengths of the new model in units of the old one's.
        energy
            Interaction energies of the new model in units of the old one's.

        Raises
        ------
        BadInputError
            The adapter, or this architecture, has no such scaling.
        """
        raise BadInputError(
            f"{self.card.name} cannot be scaled by {length:g} (energy {energy:g}).",
            f"Its adapter ({self.card.framework}) or architecture does not allow it.",
            "Leave the length and energy scale out.",
        )

    def with_shifted_references(self, shifts: Mapping[int, float]) -> dict[str, Tensor]:
        """Return the parameter that holds reference energies with shifts added.

        It is as precise as the weights are: for what :meth:`add_references` does, no
        number of the weights changes.

        Parameters
        ----------
        shifts
            eV per atom, by atomic number, to add.

        Raises
        ------
        BadInputError
            A shift is given for an element that the potential does not know.
        """
        name, _ = self.reference_places()
        own = self.module.get_parameter(name).detach()
        values = own.clone(memory_format=torch.contiguous_format)
        self._add(values, shifts)
        return {name: values}

    def add_references(self, shifts: Mapping[int, float]) -> None:
        """Add to the reference energies, in float64 and in place; no weight changes.

        Parameters
        ----------
        shifts
            eV per atom, by atomic number.

        Raises
        ------
        BadInputError
            A shift is given for an element that the potential does not know.
        """
        if shifts:
            added = self._added().contiguous()
            self._add(added, shifts)
            self.added_references = added

    def keep_references(self, exact: Tensor) -> None:
        """Take reference energies to the last digit, whatever the weights can hold.

        Parameters
        ----------
        exact
            eV, float64, in the shape of the parameter.
        """
        own = self._own_references()
        rest = exact.to(own) - own
        self.added_references = rest if bool(rest.any()) else None

    def exact_references(self) -> Tensor:
        """Return reference energies in the shape of their parameter, eV, float64."""
        return self._own_references() + self._added()

    def reference_table(self) -> Float[Tensor, " numbers"]:
        """Return the reference energy of each element, eV, float64.

        The index is the atomic number; what the potential does not know is zero.
        """
        _, places = self.reference_places()
        exact = self.exact_references().flatten()
        table = exact.new_zeros(N_ELEMENTS)
        table[list(places)] = exact[list(places.values())]
        return table

    def _own_references(self) -> Tensor:
        name, _ = self.reference_places()
        return self.module.get_parameter(name).detach().double()

    def _added(self) -> Tensor:
        """Return a copy of what is added outside the weights, or zeros."""
        own = self._own_references()
        if self.added_references is None:
            return torch.zeros_like(own)
        return self.added_references.to(own, copy=True)

    def _add(self, values: Tensor, shifts: Mapping[int, float]) -> None:
        """Add shifts to values in the shape of the parameter, in place."""
        _, places = self.reference_places()
        unknown = sorted(shifts.keys() - places.keys())
        if unknown:
            raise BadInputError(
                f"Reference shifts are given for the atomic numbers {unknown}.",
                f"{self.card.name} supports {sorted(places)}.",
                "Leave the others out.",
            )
        flat = values.view(-1)
        for number, shift in shifts.items():
            flat[places[number]] += shift

    def readout_directions(self) -> dict[str, Tensor]:
        """Return changes of readout weights in which atom energies are linear.

        Returns
        -------
        dict[str, Tensor]
            By parameter, shape (directions, *shape of the parameter): atom energies
            are affine in the coefficients of all directions together. Directions are
            orthonormal. Empty where the model has no such readout.
        """
        return {}

    @property
    def heads(self) -> tuple[str, ...]:
        """Names of the heads, modalities or fidelities; none for a plain model."""
        return ()

    def for_head(self: Self, head: str) -> Self:
        """Return a copy that predicts from another head of the same weights.

        Raises
        ------
        BadInputError
            There is no such head.
        """
        if head != self.card.head:
            raise BadInputError(
                f"{self.card.name} has no head {head!r}.",
                f"It has {', '.join(self.heads) or 'one output and no names for it'}.",
                did_you_mean(
                    head, self.heads, "Choose one of them, or leave the head out."
                ),
            )
        return self.clone(device=self.device)

    @abc.abstractmethod
    def export(self, path: Path) -> Path:
        """Write the model as a plain file of its framework; return the file.

        Reference energies are those of :meth:`exact_references`, as precise as the
        format can hold them.
        """

    def as_exported(self: Self) -> Self:
        """Return the model that is read from an exported file: itself, if all is kept.

        Its hash is that of the file.
        """
        return self

    def exported_dtype(self) -> torch.dtype:
        """Return the precision in which a framework evaluates an exported file."""
        return self.dtype

    def exported_rounding(self) -> float:
        """Return to what a framework rounds energies from an exported file.

        Where it adds reference energies in its own precision, they are known to the
        distance between two numbers of their size; eV per atom.
        """
        return self.rounding_in(self.exported_dtype())

    def rounding_in(self, dtype: torch.dtype) -> float:
        """Return the distance between numbers as large as reference energies.

        Parameters
        ----------
        dtype
            The precision of these numbers.

        Returns
        -------
        float
            eV per atom, at the largest reference energy.
        """
        largest = self.reference_table().abs().max().cpu().to(dtype)
        return float(np.spacing(largest.numpy()))

    @property
    def dtype(self) -> torch.dtype:
        """Floating-point type of the weights."""
        return next(self.module.parameters()).dtype

    @property
    def device(self) -> torch.device:
        """Where the weights live."""
        return next(self.module.parameters()).device

    def clone(
        self: Self,
        *,
        dtype: torch.dtype | None = None,
        device: torch.device | str = "cpu",
    ) -> Self:
        """Return an independent copy, in another precision if asked."""
        other = copy.copy(self)
        other.module = independent_copy(self.module).to(
            device=device, dtype=dtype or self.dtype
        )
        if other.dtype != self.dtype:
            other.keep_references(self.exact_references())
        return other

    def parameters_of(self, role: Role) -> tuple[str, ...]:
        """Return the parameters of a role; ``interaction`` means every layer.

        Raises
        ------
        BadInputError
            The model has no such role.
        """
        names = tuple(
            name
            for known, members in self.roles.items()
            for name in members
            if known == role or known.startswith(f"{role}.")
        )
        if not names:
            raise BadInputError(
                f"{self.card.name} has no parameter with the role {role!r}.",
                f"Its roles are {', '.join(self.roles)}.",
                "Choose one of them, or leave the role out.",
            )
        return names

    def draw_weights(self, generator: torch.Generator) -> None:
        """Replace every matrix by fresh normal weights of its block's scale.

        What is no matrix (radial frequencies, reference energies) stays.

        Parameters
        ----------
        generator
            A CPU generator; the same seed gives the same weights anywhere.
        """
        for name, parameter in self.module.named_parameters():
            flat = parameter.detach().view(-1)
            for block in self.blocks(name):
                fresh = torch.randn(
                    block.size, generator=generator, dtype=torch.float64
                )
                flat[block.offset : block.offset + block.size] = (
                    fresh * block.scale
                ).to(flat)

    def weights_hash(self) -> str:
        """Return the SHA-256 of all parameters: names, shapes, types and values.

        Reference energies count in full, wherever they are kept: first as the weights
        would hold them, then what that rounds off.
        """
        weights: dict[str, Tensor] = dict(self.module.named_parameters())
        if self.added_references is not None:
            name, _ = self.reference_places()
            exact = self.exact_references()
            weights[name] = exact.to(weights[name])
            rest = exact - weights[name].double()
            weights |= {UNROUNDED: rest} if bool(rest.any()) else {}
        return weights_fingerprint(weights)


def weights_fingerprint(weights: Mapping[str, Float[Tensor, "..."]]) -> str:
    """Return the SHA-256 of named tensors; their order does not count."""

    def parts(name: str) -> bytes:
        value = weights[name].detach().cpu().contiguous()
        head = f"{name}|{tuple(value.shape)}|{value.dtype}|".encode()
        return head + value.flatten().view(torch.uint8).numpy().tobytes()

    return fingerprint(parts(name) for name in sorted(weights))
