"""The spec of a selection."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from atomgraft.core.errors import BadInputError
from atomgraft.core.kernels import Kernels
from atomgraft.core.seeding import MAX_SEED
from atomgraft.core.specs import problems_of
from atomgraft.label.dft_inputs import PROGRAMS, DftSettings
from atomgraft.label.kinds import KINDS, Amounts, parse_kinds
from atomgraft.label.picking import Rule
from atomgraft.models.levels import LevelOfTheory


class SelectSpec(BaseModel):
    """What to choose from, how, and how many.

    ``kinds`` of one's own proposals and ``pool`` of given frames may both be there.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    structure: str
    """A crystal, in any format of ASE or phonopy."""
    model: str
    """The model that training will start from."""
    head: str | None = None
    """Modality of a multi-fidelity model."""
    kernels: Kernels = "ours"
    """``upstream`` computes with the modules of MACE and SevenNet in place of
    atomgraft's faster ones."""
    count: Annotated[int, Field(ge=1)] = 10
    """Structures to choose."""
    kinds: tuple[str, ...] = tuple(KINDS)
    """Of proposals; may be empty where there is a pool."""
    proposals: Annotated[int, Field(ge=1, le=10_000)] = 20
    """Of each kind."""
    pool: tuple[str, ...] = ()
    """Files of frames to choose from; their labels, if any, are not looked at."""
    known: tuple[str, ...] = ()
    """Files of structures that have labels: the chosen keep away from them."""
    committee: tuple[str, ...] = ()
    """Further models, for disagreement."""
    rule: Rule = "distance"
    """By which to choose: distance, disagreement, both, random or phonons."""
    target: Annotated[float, Field(gt=0)] | None = None
    """THz; with the rule phonons, the expected error of frequencies at which enough is
    chosen."""
    supercell: tuple[int, int, int] = (1, 1, 1)
    """Repeats of the structure."""
    amplitudes: tuple[float, ...] = Amounts.amplitudes
    """Å; of rattles, and along flat or imaginary modes; in turn."""
    strains: tuple[float, ...] = Amounts.strains
    """Largest entries of strains; in turn."""
    temperature: float = Amounts.temperature
    """K; of Monte Carlo and of soft modes."""
    distance: float = Amounts.distance
    """Å; displacement of one atom in the supercells of a phonon calculation."""
    inputs: tuple[str, ...] = tuple(PROGRAMS)
    """Programs to write inputs for."""
    functional: str = DftSettings.functional
    """PBE, PBEsol or LDA."""
    cutoff: float = DftSettings.cutoff
    """eV; of plane waves."""
    k_spacing: float = DftSettings.k_spacing
    """1/Å, with 2π; distance of k-points."""
    spin: bool | None = None
    """Spin-polarised inputs; none decides by elements and moments."""
    hubbard: bool | None = None
    """+U as in the Materials Project; none does as the model's own data."""
    seed: Annotated[int, Field(ge=0, lt=MAX_SEED)] = 0

    def amounts(self) -> Amounts:
        """Return how far atoms are moved."""
        return Amounts(
            amplitudes=self.amplitudes,
            strains=self.strains,
            temperature=self.temperature,
            distance=self.distance,
        )

    def settings(self, level: LevelOfTheory | None = None) -> DftSettings:
        """Return the settings of the DFT programs.

        Parameters
        ----------
        level
            Level of theory of the model's own data; none is unknown.
        """
        return DftSettings(
            functional=self.functional,
            cutoff=self.cutoff,
            k_spacing=self.k_spacing,
            spin=self.spin,
            hubbard=self.hubbard,
            level=level,
        )


def parse_select(document: dict[str, object]) -> SelectSpec:
    """Validate what was asked.

    Parameters
    ----------
    document
        Keys of `SelectSpec`.

    Raises
    ------
    BadInputError
        A key or a value cannot be used.

    Examples
    --------
    >>> parse_select({"structure": "POSCAR", "model": "7net-0"}).count
    10
    """
    try:
        spec = SelectSpec.model_validate(document)
    except ValidationError as error:
        raise BadInputError(
            f"This is no selection: {problems_of(error, SelectSpec)}.",
            "Expected known keys, and values within their ranges.",
            "See 'atomgraft select --help'.",
        ) from error
    spec.amounts()
    spec.settings()
    for name in spec.inputs:
        PROGRAMS[name]  # raises where it is unknown
    if spec.kinds or not spec.pool:
        parse_kinds(spec.kinds)
    _refuse_unused(spec)
    return spec


def _refuse_unused(spec: SelectSpec) -> None:
    """Check that a committee or a target and the rule that needs it come together."""
    if spec.target is not None and spec.rule != "phonons":
        raise BadInputError(
            f"A target of {spec.target:g} THz was given with the rule {spec.rule!r}.",
            "Only the rule 'phonons' knows what error labels will leave.",
            "Add --by phonons, or leave --target out.",
        )
    needs_others = spec.rule in {"disagreement", "both"}
    if needs_others and not spec.committee:
        raise BadInputError(
            f"The rule {spec.rule!r} was requested, but there is one model.",
            "Disagreement needs at least two models.",
            "Add models with --committee, or use --by distance.",
        )
