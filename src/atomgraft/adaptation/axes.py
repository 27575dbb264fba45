"""Specs of the four axes: what is trained, pulls, replay and start."""

import math
import re
from typing import Annotated, Any, Literal

from ase.data import atomic_numbers
from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)

from atomgraft.core.errors import BadInputError

TARGET = "target"
"""The head that a run is made for; without further heads the only one."""

SOURCE = "source"
"""The head that rehearsed structures belong to: the source's own reference energies."""

Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Share = Annotated[float, Field(gt=0, lt=1)]
Count = Annotated[int, Field(ge=1)]


class _Spec(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


Roles = Annotated[tuple[str, ...], Field(min_length=1)]


class WholeWeights(_Spec):
    """Every weight of the given roles moves freely."""

    kind: Literal["whole"] = "whole"
    roles: Roles | None = None
    """``interaction`` means every layer, ``interaction.2`` the third; none means
    every role but reference energies and scales."""


class LowRankDeltas(_Spec):
    """Every matrix of the given roles moves by a product of two thin ones."""

    kind: Literal["low_rank"] = "low_rank"
    roles: Roles | None = None
    """As for whole weights; what holds no matrix stays."""
    rank: Annotated[int, Field(ge=1, le=512)] = 4
    alpha: Positive | None = None
    """Scale of the delta, ``alpha / rank``; none means `rank`, a factor of one."""


class DistanceToSource(_Spec):
    """Pull the weights back to the source's (L2-SP; Li et al., ICML 2018).

    There is no default strength: with 7net-0 none was found that is worth what it costs
    (``benchmarks/results/pulls.md``). An optimiser that divides gradients by their size
    moves weights that the data hardly need by as much as the others.
    """

    kind: Literal["l2sp"] = "l2sp"
    strength: Positive
    """Times the mean squared distance of the moved weights to the source's."""


class FisherDistance(_Spec):
    """Pull back what the source's own predictions depend on most (EWC).

    Kirkpatrick et al., PNAS 114, 3521 (2017).
    """

    kind: Literal["ewc"] = "ewc"
    strength: Positive = 100.0
    """Times the mean squared distance, each weight counted by its Fisher information
    in units of the mean."""
    count: Count = 64
    """Rehearsal structures on which the information is measured."""


class DecayToSource(_Spec):
    """After each step the moved weights go a share of the way back.

    Decoupled weight decay towards the source (Loshchilov and Hutter, ICLR 2019): it
    does not pass through the optimiser, so it does not depend on the size of gradients.
    It follows the schedule of the learning rate, from peak to zero: a pull that stayed
    while the steps shrink would undo the fit.
    """

    kind: Literal["decay"] = "decay"
    share: Share = 0.01
    """Of the way back, at the peak of the learning rate; less by the same factor where
    the rate is lower."""


class SourcePredictions(_Spec):
    """Pull the predictions on rehearsed structures back to the source's.

    The mean squared difference of forces and stresses in units of the source's own,
    and of energies in the target's: a distance between functions, not weights.
    """

    kind: Literal["predictions"] = "predictions"
    strength: Positive = 1.0


class Interpolation(_Spec):
    """After training, go a share of the way back to the source (WiSE-FT).

    Wortsman et al., CVPR 2022: weights between source and adapted ones often keep
    most of what was gained and lose little of what was known.
    """

    kind: Literal["interpolation"] = "interpolation"
    share: Share = 0.3
    """Zero would keep the adapted weights, one would give the source back."""


Pull = Annotated[
    DistanceToSource
    | FisherDistance
    | DecayToSource
    | SourcePredictions
    | Interpolation,
    Field(discriminator="kind"),
]


class PseudoLabels(_Spec):
    """Rehearse structures near and far, labelled by the source before the start."""

    kind: Literal["pseudo"] = "pseudo"
    count: Count = 64
    """Half shipped crystals, half relatives of the training structures."""
    ratio: Positive = 1.0
    """Rehearsed structures for each one of the user's, on average."""
    weight: Positive = 0.1
    """Of their loss beside that of the user's own: with one, ten frames of KCl were
    fitted worse and what lies far away was forgotten no less."""
    own_readout: bool = False
    """Give what is rehearsed the roles that a head owns (see `Axes.owns`)."""


class SourceData(_Spec):
    """Rehearse labelled structures that the source was trained on."""

    kind: Literal["data"] = "data"
    files: Annotated[tuple[str, ...], Field(min_length=1)]
    """On the source's own energy scale: their references are not refitted."""
    count: Count | None = None
    """Drawn at random where there are more; none takes all."""
    ratio: Positive = 1.0
    """Rehearsed structures for each one of the user's, on average."""
    weight: Positive = 0.1
    """Of their loss beside that of the user's own."""
    own_readout: bool = False
    """Give what is rehearsed the roles that a head owns (see `Axes.owns`)."""


AUTO = "auto"
"""The donor of an element is chosen by chemical similarity."""

FIT: Literal["fit"] = "fit"
"""A scale is fitted to the forces of the training structures."""


SCALES = {"length": (0.5, 2.0), "energy": (0.1, 10.0)}
"""Keys of an element map, and between which numbers they lie."""

LengthScale = Annotated[float, Field(ge=SCALES["length"][0], le=SCALES["length"][1])]
EnergyScale = Annotated[float, Field(ge=SCALES["energy"][0], le=SCALES["energy"][1])]


class ElementMap(_Spec):
    """Which elements take the weights of others, and on which scales.

    With scales, the model starts from corresponding states: E(x) = energy ·
    E₀(x / length), for all of its elements.
    """

    elements: dict[str, str] = {}
    """Donor by element, as chemical symbols; ``auto`` takes the most similar element
    that the base knows."""
    length: LengthScale | Literal["fit"] = 1.0
    """Lengths of the material in units of those of the donor's, such as the ratio of
    lattice constants; ``fit`` finds it from the training structures' forces."""
    energy: EnergyScale | Literal["fit"] = 1.0
    """Interaction energies in units of the donor's."""

    @field_validator("length", "energy", mode="before")
    @classmethod
    def _scale(cls, given: object, info: ValidationInfo) -> object:
        """Refuse in one sentence what neither of the two kinds of a scale takes."""
        if given == FIT:
            return given
        scale = str(info.field_name)
        low, high = SCALES[scale]
        number = _number(given)
        if not low <= number <= high:
            raise ValueError(
                f"the {scale} scale {given!r} is neither a number from {low:g} to "
                f"{high:g} nor fit"
            )
        return number

    @model_validator(mode="before")
    @classmethod
    def _from_words(cls, given: Any) -> Any:  # noqa: ANN401 - before validation
        return _parsed(given) if isinstance(given, str) else given

    @property
    def words(self) -> str:
        """The map as one writes it: ``Si:Ge@1.04``."""
        pairs = ",".join(f"{donor}:{one}" for one, donor in self.elements.items())
        scales = [self.length, self.energy]
        while scales and scales[-1] == 1.0:
            scales.pop()
        return "@".join([pairs, *(str(scale) for scale in scales)])

    def without_scales(self) -> "ElementMap | None":
        """Return the map of elements alone; none where there is none."""
        return ElementMap(elements=self.elements) if self.elements else None

    def without_fits(self) -> "ElementMap | None":
        """Return the map without scales that are fitted; none where nothing is left."""
        fitted = [key for key in ("length", "energy") if getattr(self, key) == "fit"]
        found = self.model_copy(update=dict.fromkeys(fitted, 1.0))
        is_nothing = not found.elements and (found.length, found.energy) == (1.0, 1.0)
        return None if is_nothing else found

    @model_validator(mode="after")
    def _refuse_contradictions(self) -> "ElementMap":
        named = {*self.elements, *(set(self.elements.values()) - {AUTO})}
        unknown = sorted(one for one in named if atomic_numbers.get(one, 0) < 1)
        if unknown:
            raise ValueError(f"{', '.join(unknown)} is no chemical element")
        same = sorted(one for one, donor in self.elements.items() if one == donor)
        if same:
            raise ValueError(
                f"{', '.join(same)} would start from itself, which changes nothing"
            )
        both = sorted(self.elements.keys() & set(self.elements.values()))
        if both:
            raise ValueError(
                f"{', '.join(both)} would be given away and replaced; a donor keeps its"
                " weights, so map one after the other in two runs"
            )
        if not self.elements and (self.length, self.energy) == (1.0, 1.0):
            raise ValueError("it names no element and no scale; leave it out")
        return self


def _parsed(words: str) -> dict[str, Any]:
    """Read ``DONOR:ELEMENT,DONOR:ELEMENT@length@energy``."""
    pairs, *scales = (part.strip() for part in words.split("@"))
    if len(scales) > 2:
        raise ValueError(f"'{words}' has more than a length and an energy scale")
    elements: dict[str, str] = {}
    for pair in filter(None, (one.strip() for one in pairs.split(","))):
        donor, colon, element = (part.strip() for part in pair.partition(":"))
        if not (donor and colon and element) or ":" in element:
            raise ValueError(
                f"'{pair}' is no pair of elements; write DONOR:ELEMENT, such as Si:Ge"
            )
        if elements.get(element, donor) != donor:
            raise ValueError(
                f"{element} is to start from {elements[element]} and from {donor};"
                " an element has one donor"
            )
        elements[element] = donor
    return {"elements": elements, **dict(zip(SCALES, scales, strict=False))}


def _number(given: object) -> float:
    """Return the number that is given, or that a word says; NaN where there is none."""
    if isinstance(given, str):
        return float(given) if _DECIMAL.fullmatch(given) else math.nan
    if isinstance(given, int | float) and not isinstance(given, bool):
        return float(given)
    return math.nan


_DECIMAL = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)(e[+-]?[0-9]+)?", re.IGNORECASE)
"""Python would also read 0.9_5, and digits of other scripts."""


def map_named(words: str) -> ElementMap:
    """Return the element map that somebody typed.

    Parameters
    ----------
    words
        As `ElementMap.words` gives them.

    Raises
    ------
    BadInputError
        They name no map.

    Examples
    --------
    >>> map_named("Si:Ge@1.04").elements
    {'Ge': 'Si'}
    """
    try:
        return ElementMap.model_validate(words)
    except ValidationError as error:
        reasons = [str(one.get("ctx", {}).get("error", "")) for one in error.errors()]
        raise BadInputError(
            f"The element map '{words}' cannot be used: "
            f"{'; '.join(filter(None, reasons))}.",
            "Expected pairs DONOR:ELEMENT, and behind @ a length and an energy scale "
            "where they change.",
            "Write for example --map Si:Ge@1.04",
        ) from error


REFERENCES: dict[str, bool | Literal["labels", "isolated"]] = {
    **dict.fromkeys(("residual", "true", "yes", "on", "t", "y", "1"), True),
    "labels": "labels",
    "isolated": "isolated",
    **dict.fromkeys(("none", "false", "no", "off", "f", "n", "0"), False),
}
"""What the ways to correct reference energies are in a spec, by what one may type."""


def _references(given: object) -> object:
    """Return a way to correct reference energies as specs have always held it."""
    word = str(given).strip().lower()
    if given is None or word not in REFERENCES:  # an empty key is no word
        raise ValueError("expected residual, labels, isolated or none")
    return REFERENCES[word]


References = Annotated[
    bool | Literal["residual", "labels", "isolated", "none"],
    BeforeValidator(_references),
]
"""How reference energies are corrected before the first step, in closed form:

- ``residual`` (or true): least squares of label minus base;
- ``labels``: least squares of the labels alone, in place of the base's;
- ``isolated``: those of the isolated atoms in the training files as they are, and for
  other elements as ``residual``;
- ``none`` (or false): those of the base."""


ReferenceFit = Literal["residual", "labels", "isolated"]
"""A way to fit reference energies."""


def fit_of(references: References) -> ReferenceFit | None:
    """Return the way to fit reference energies; none keeps those of the base.

    Examples
    --------
    >>> fit_of(True), fit_of("labels"), fit_of("none")
    ('residual', 'labels', None)
    """
    held = REFERENCES[str(references).lower()]
    return ("residual" if held else None) if isinstance(held, bool) else held


class Start(_Spec):
    """How the adaptation starts."""

    weights: Literal["source", "fresh"] = "source"
    references: References = True
    """How reference energies are corrected before the first step: ``residual`` (true)
    fits label minus base, ``labels`` the labels alone, ``isolated`` takes those of
    isolated atoms, ``none`` (false) keeps those of the base."""
    readout: Literal["source", "ridge", "linear"] = "source"
    """``ridge`` solves the readout in closed form on energies and forces; ``linear`` as
    well, but towards zero, not towards the source's readout."""
    map: ElementMap | None = None
    """Give elements the weights of others before anything else; fresh weights take no
    more than room for new elements."""


class Axes(_Spec):
    """A point on the four axes: one adaptation."""

    moves: Annotated[WholeWeights | LowRankDeltas, Field(discriminator="kind")]
    pulls: Pull | None = None
    rehearses: (
        Annotated[PseudoLabels | SourceData, Field(discriminator="kind")] | None
    ) = None
    starts: Start = Start()
    owns: Annotated[WholeWeights | LowRankDeltas, Field(discriminator="kind")] = (
        WholeWeights(roles=("readout",))
    )
    """What each of several heads moves for itself; reference energies always are a
    head's own. Without further heads nothing is owned."""

    @model_validator(mode="after")
    def _refuse_contradictions(self) -> "Axes":
        needs_source = self.pulls is not None or self.rehearses is not None
        if self.starts.weights == "fresh" and needs_source:
            raise ValueError("fresh weights cannot be pulled back to a source")
        scales = self.starts.map and (self.starts.map.length, self.starts.map.energy)
        if self.starts.weights == "fresh" and scales not in {None, (1.0, 1.0)}:
            raise ValueError(
                "fresh weights cannot use a scale from a donor; leave it out"
            )
        by_predictions = isinstance(self.pulls, SourcePredictions)
        if by_predictions and not isinstance(self.rehearses, PseudoLabels):
            raise ValueError(
                "a pull to the source's predictions needs structures to compare on: "
                "set rehearses to {kind: pseudo}"
            )
        is_solved = self.starts.readout != "source"
        if is_solved and not isinstance(self.moves, WholeWeights):
            raise ValueError(
                "a readout solved in closed form must be trained as a whole"
            )
        return self
