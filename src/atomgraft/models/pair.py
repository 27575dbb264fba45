"""The `pair` adapter: small exact potentials without a framework."""

import functools
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Literal, cast, final

import pydantic
import safetensors
import safetensors.torch
import torch
from ase.data import atomic_numbers, chemical_symbols
from jaxtyping import Float, Int
from torch import Tensor, nn

from atomgraft.core.errors import BadInputError, reason_of
from atomgraft.core.registry import Registry
from atomgraft.core.storage import with_ending, write_atomically
from atomgraft.models.base import (
    N_ELEMENTS,
    READOUT,
    REFERENCE_ENERGIES,
    AbstractPotential,
    Block,
    PotentialCard,
    interaction,
)
from atomgraft.models.checkpoints import check_tensors
from atomgraft.models.classical import (
    AbstractLaw,
    LennardJonesLaw,
    StillingerWeberLaw,
    arithmetic_mean,
    geometric_mean,
)
from atomgraft.models.elements import transfer_weights
from atomgraft.models.graph import Graph

REFERENCES = "reference_energies"


CARD = "atomgraft.pair"
"""Where the card lies in the metadata of an exported file."""


Length = Annotated[float, pydantic.Field(gt=0, allow_inf_nan=False)]
"""Å"""


class PairCard(pydantic.BaseModel):
    """Description in an exported file.

    Parameters
    ----------
    name
        What people call it.
    licence
        Of the weights.
    kind
        The law.
    elements
        Chemical symbols, in the order of the law's parameters.
    cutoff
        Å
    onset
        Where the switching begins, Å; none for a law without.
    """

    model_config = pydantic.ConfigDict(frozen=True, extra="forbid")

    name: str
    licence: str
    kind: Literal["lennard_jones", "stillinger_weber"]
    elements: tuple[str, ...]
    cutoff: Length
    onset: Length | None


@final
class PairModule(nn.Module):
    """The energy of each atom: its element's factor times a law, plus a reference.

    Parameters
    ----------
    numbers
        Atomic number of each species, in the order of the law's parameters.
    law
        How the species interact.
    """

    species_of: Tensor
    interaction: AbstractLaw

    def __init__(self, numbers: Sequence[int], law: AbstractLaw) -> None:
        super().__init__()
        like = next(law.parameters())
        table = torch.full((N_ELEMENTS,), -1)
        table[list(numbers)] = torch.arange(len(numbers))
        self.register_buffer("species_of", table, persistent=False)
        self.interaction = law
        self.readout = nn.Parameter(like.new_ones(len(numbers)))
        self.reference_energies = nn.Parameter(
            like.new_zeros(len(numbers)), requires_grad=False
        )

    def forward(self, graph: Graph) -> Float[Tensor, " atoms"]:
        """Return the energy of each atom, eV, relative to free atoms at rest.

        Raises
        ------
        BadInputError
            An atom is of an element without parameters.
        """
        species = self._species(graph.numbers)
        bound = self.readout[species] * self.interaction(graph, species)
        return bound + self.reference_energies[species]

    def _species(self, numbers: Int[Tensor, " atoms"]) -> Int[Tensor, " atoms"]:
        species = self.species_of[numbers]
        if bool((species < 0).any()):
            unknown = numbers[species < 0].unique().tolist()
            known = torch.nonzero(self.species_of >= 0).flatten().tolist()
            raise BadInputError(
                f"The structure holds the atomic numbers {unknown}.",
                f"This potential has parameters for {known}.",
                "Choose another potential, or leave these structures out.",
            )
        return species


@final
class PairPotential(AbstractPotential):
    """A classical law with a factor and a reference energy per element.

    Parameters
    ----------
    name
        What people call it.
    elements
        Chemical symbols, in the order of the law's parameters.
    law
        How they interact.
    """

    def __init__(self, name: str, elements: Sequence[str], law: AbstractLaw) -> None:
        self.card = PotentialCard(name=name, framework="pair", licence="MIT")
        self.symbols = tuple(elements)
        self.kind: Literal["lennard_jones", "stillinger_weber"] = law.kind
        self.onset = law.onset if isinstance(law, LennardJonesLaw) else None
        numbers = _atomic_numbers(elements)
        self.cutoff = law.reach
        self.elements = frozenset(numbers)
        self.module = PairModule(numbers, law)
        self.roles = {
            interaction(0): tuple(
                f"interaction.{key}" for key, _ in law.named_parameters()
            ),
            READOUT: ("readout",),
            REFERENCE_ENERGIES: (REFERENCES,),
        }

    def blocks(self, parameter: str) -> tuple[Block, ...]:
        """Return the whole parameter as one matrix; vectors as one column."""
        value = self.module.get_parameter(parameter)
        if parameter == REFERENCES:
            return ()
        columns = value.shape[1] if value.ndim == 2 else 1
        return (
            Block(
                offset=0,
                rows=value.shape[0],
                columns=columns,
                scale=1.0,
                row_keys=_atomic_numbers(self.symbols),
                column_keys=_atomic_numbers(self.symbols) if value.ndim == 2 else (),
            ),
        )

    def with_more_elements(self, numbers: Iterable[int]) -> "PairPotential":
        """Return a model of the same function with room for further elements."""
        symbols = (*self.symbols, *(chemical_symbols[one] for one in sorted(numbers)))
        other = self._like(self._card(symbols))
        transfer_weights(self, other)
        if (cutoffs := other.cutoffs) is not None and self.cutoffs is not None:
            cutoffs.zero_()
            n_known = len(self.symbols)
            cutoffs[:n_known, :n_known] = self.cutoffs
            other.cutoff = self.cutoff
        return other

    def follow_donors(self, donors: Mapping[int, int]) -> None:
        """Copy the cutoffs of a Stillinger-Weber law, which σ has set at the start."""
        if (cutoffs := self.cutoffs) is None:
            return
        _, places = self.reference_places()
        for element, donor in donors.items():
            to, of = places[element], places[donor]
            cutoffs[to] = cutoffs[of]
            cutoffs[:, to] = cutoffs[:, of]
        self.cutoff = float(cutoffs.max())

    def rescaled(self, *, length: float, energy: float = 1.0) -> "PairPotential":
        """Return the model of corresponding states: distances and factors scale."""
        card = self._card(self.symbols)
        onset = None if card.onset is None else length * card.onset
        scaled = {"cutoff": length * card.cutoff, "onset": onset}
        other = self._like(card.model_copy(update=scaled))
        transfer_weights(self, other)
        with torch.no_grad():
            other.module.get_parameter("interaction.sigma").mul_(length)
            other.module.get_parameter("readout").mul_(energy)
        if (cutoffs := other.cutoffs) is not None and self.cutoffs is not None:
            cutoffs.copy_(length * self.cutoffs)
            other.cutoff = float(cutoffs.max())
        return other

    @property
    def cutoffs(self) -> Tensor | None:
        """Those of each pair of elements, Å; none where one holds for all."""
        law = cast("PairModule", self.module).interaction
        return law.cutoffs if isinstance(law, StillingerWeberLaw) else None

    def _like(self, card: PairCard) -> "PairPotential":
        """Return a potential of the same law; its weights are still to come."""
        law = _blank_law(card, self.dtype)
        other = PairPotential(self.card.name, card.elements, law)
        other.card = self.card
        other.module.to(self.device)
        return other

    def _card(self, symbols: Sequence[str]) -> PairCard:
        return PairCard(
            name=self.card.name,
            licence=self.card.licence,
            kind=self.kind,
            elements=tuple(symbols),
            cutoff=self.cutoff,
            onset=self.onset,
        )

    def reference_places(self) -> tuple[str, Mapping[int, int]]:
        """Return the place of each element in the order of the law's parameters."""
        numbers = _atomic_numbers(self.symbols)
        return REFERENCES, {number: row for row, number in enumerate(numbers)}

    def exported_rounding(self) -> float:
        """Return zero: the file keeps reference energies in float64."""
        return 0.0

    def export(self, path: Path) -> Path:
        """Write one safetensors file that :func:`load_pair` reads back."""
        card = self._card(self.symbols)
        state: dict[str, Tensor] = self.module.state_dict()
        if self.added_references is not None:
            state[REFERENCES] = self.exact_references()
        weights = {
            name: value.detach().cpu().contiguous() for name, value in state.items()
        }
        path = with_ending(path, ".safetensors")
        content = safetensors.torch.save(weights, {CARD: card.model_dump_json()})
        write_atomically(path, content)
        return path


def lennard_jones(
    elements: Sequence[str],
    *,
    epsilon: Sequence[float],
    sigma: Sequence[float],
    cutoff: float,
    onset: float | None = None,
    name: str = "lennard-jones",
    dtype: torch.dtype = torch.float64,
) -> PairPotential:
    """Make a Lennard-Jones potential with Lorentz-Berthelot mixing.

    Unlike pairs start at ε = √(ε₁ε₂) and σ = (σ₁+σ₂)/2; training may move them.

    Parameters
    ----------
    elements
        Chemical symbols.
    epsilon
        Depth of the well of each element, eV.
    sigma
        Distance of zero energy of each element, Å.
    cutoff
        Å
    onset
        Where the switching begins, Å; four fifths of the cutoff unless given.
    name
        What people call it.
    dtype
        Of the weights.

    Raises
    ------
    BadInputError
        An unknown or repeated element, a parameter per element missing, or an
        onset that is not between zero and the cutoff.

    Examples
    --------
    >>> argon = lennard_jones(["Ar"], epsilon=[0.0103], sigma=[3.4], cutoff=8.5)
    >>> sorted(argon.elements), argon.cutoff
    ([18], 8.5)
    """
    start = 0.8 * cutoff if onset is None else onset
    if not 0 < start < cutoff:
        raise BadInputError(
            f"The onset of the switching is {start} Å, the cutoff {cutoff} Å.",
            "The onset must lie between zero and the cutoff.",
            "Leave the onset out, or give a smaller one.",
        )
    depth = _per_element("epsilon", epsilon, elements, dtype)
    size = _per_element("sigma", sigma, elements, dtype)
    law = LennardJonesLaw(
        epsilon=geometric_mean(depth),
        sigma=arithmetic_mean(size),
        onset=start,
        cutoff=cutoff,
    )
    return PairPotential(name, elements, law)


STILLINGER_WEBER = {
    # Stillinger & Weber, Phys. Rev. B 31, 5262 (1985): 50 kcal/mol
    "Si": (2.1683, 2.0951, 21.0),
    # Ding & Andersen, Phys. Rev. B 34, 6987 (1986)
    "Ge": (1.93, 2.181, 31.0),
}
"""Published parameters: ε in eV, σ in Å, λ."""


def stillinger_weber(
    elements: Sequence[str],
    *,
    parameters: Mapping[str, tuple[float, float, float]] = STILLINGER_WEBER,
    name: str = "stillinger-weber",
    dtype: torch.dtype = torch.float64,
) -> PairPotential:
    """Make a Stillinger-Weber potential.

    Parameters
    ----------
    elements
        Chemical symbols.
    parameters
        ε (eV), σ (Å) and λ by chemical symbol; silicon and germanium are known.
    name
        What people call it.
    dtype
        Of the weights.

    Raises
    ------
    BadInputError
        A repeated element, or one without parameters.

    Examples
    --------
    >>> silicon = stillinger_weber(["Si"])
    >>> round(silicon.cutoff, 5)
    3.77118
    """
    missing = [symbol for symbol in elements if symbol not in parameters]
    if missing:
        raise BadInputError(
            f"There are no Stillinger-Weber parameters for {missing}.",
            f"Parameters are known for {sorted(parameters)}.",
            "Give ε, σ and λ of the others as `parameters`.",
        )
    epsilon, sigma, angular = (
        _per_element(
            key, [parameters[one][column] for one in elements], elements, dtype
        )
        for column, key in enumerate(("epsilon", "sigma", "lambda"))
    )
    law = StillingerWeberLaw(epsilon=epsilon, sigma=sigma, angular=angular)
    return PairPotential(name, elements, law)


def _per_element(
    name: str, values: Sequence[float], elements: Sequence[str], dtype: torch.dtype
) -> Float[Tensor, " species"]:
    if len(values) != len(elements) or min(values, default=0) <= 0:
        raise BadInputError(
            f"{name} is {list(values)} for the elements {list(elements)}.",
            "Expected one positive number per element.",
            "Give them in the order of the elements.",
        )
    return torch.tensor(list(values), dtype=dtype)


def _atomic_numbers(elements: Sequence[str]) -> tuple[int, ...]:
    unknown = [one for one in elements if atomic_numbers.get(one, 0) < 1]
    if unknown or len(set(elements)) != len(elements) or not elements:
        raise BadInputError(
            f"The elements are given as {list(elements)}.",
            "Expected different chemical symbols, at least one.",
            f"Correct {unknown}." if unknown else "Name each element once.",
        )
    return tuple(atomic_numbers[symbol] for symbol in elements)


_UNREADABLE = (
    OSError,
    safetensors.SafetensorError,
    KeyError,
    ValueError,
    BadInputError,
)


def load_pair(path: Path) -> PairPotential:
    """Read a potential that :meth:`PairPotential.export` wrote; runs no code of it.

    Parameters
    ----------
    path
        A safetensors file with a card in its metadata.

    Raises
    ------
    BadInputError
        The file is missing or broken, or holds something else.
    """
    try:
        check_tensors(path)
        with safetensors.safe_open(path, framework="pt") as stream:
            text = (stream.metadata() or {}).get(CARD, "")
            names: list[str] = stream.keys()  # not a mapping: cannot be iterated
            weights = {name: stream.get_tensor(name) for name in names}
        card = PairCard.model_validate_json(text)
        return _rebuilt(card, weights)
    except _UNREADABLE as error:
        reason = reason_of(error)
        raise BadInputError(
            f"{path} cannot be read as a pair potential: {reason}.",
            "Expected a safetensors file written by atomgraft's pair adapter.",
            "Export it again, or check the path.",
        ) from error


def _rebuilt(card: PairCard, weights: Mapping[str, Tensor]) -> PairPotential:
    """Build the potential of a card and fill in its weights."""
    if not all(bool(torch.isfinite(value).all()) for value in weights.values()):
        raise ValueError("a weight is not finite")
    law = _blank_law(card, weights["readout"].dtype)
    prefix = "interaction."
    own = {
        name.removeprefix(prefix): value
        for name, value in weights.items()
        if name.startswith(prefix)
    }
    _fill(law, own)
    potential = PairPotential(card.name, card.elements, law)
    _fill(potential.module, weights)
    potential.keep_references(weights[REFERENCES].double())
    return potential


def _blank_law(card: PairCard, dtype: torch.dtype) -> AbstractLaw:
    n = len(card.elements)
    if card.kind == "stillinger_weber":
        ones = torch.ones(n, dtype=dtype)
        return StillingerWeberLaw(epsilon=ones, sigma=ones, angular=ones)
    if card.onset is None or card.onset >= card.cutoff:
        raise ValueError(f"onset {card.onset} Å does not fit cutoff {card.cutoff} Å")
    ones = torch.ones(n, n, dtype=dtype)
    return LennardJonesLaw(
        epsilon=ones, sigma=ones, onset=card.onset, cutoff=card.cutoff
    )


def _fill(module: nn.Module, weights: Mapping[str, Tensor]) -> None:
    """Load weights; torch's own message is kept, as bad input."""
    try:
        module.load_state_dict(weights, strict=True)
    except RuntimeError as error:
        raise ValueError(str(error)) from error


PRESETS: Registry[Callable[[], PairPotential]] = Registry("pair potential")
"""Potentials that the command line knows by name."""

PRESETS.add(
    "pair:lj-ar",  # Rahman, Phys. Rev. 136, A405 (1964): ε/k = 120 K, σ = 3.4 Å
    functools.partial(
        lennard_jones,
        ["Ar"],
        epsilon=[0.010341],
        sigma=[3.4],
        cutoff=8.5,
        name="pair:lj-ar",
    ),
)
PRESETS.add(
    "pair:lj-nacl",  # a toy with two elements: no charges, no claim to be salt
    functools.partial(
        lennard_jones,
        ["Na", "Cl"],
        epsilon=[0.2, 0.2],
        sigma=[2.2, 2.8],
        cutoff=6.0,
        name="pair:lj-nacl",
    ),
)
PRESETS.add(
    "pair:sw-si", functools.partial(stillinger_weber, ["Si"], name="pair:sw-si")
)
PRESETS.add(
    "pair:sw-ge", functools.partial(stillinger_weber, ["Ge"], name="pair:sw-ge")
)
PRESETS.add(
    "pair:sw-sige",
    functools.partial(stillinger_weber, ["Si", "Ge"], name="pair:sw-sige"),
)
