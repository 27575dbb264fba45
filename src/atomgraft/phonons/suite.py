"""The test suite of phonons: base, adapted and scratch against DFT."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast, final

import numpy as np

from atomgraft.core.errors import BadInputError
from atomgraft.core.progress import Progress
from atomgraft.evaluation.deviations import sureness_fields
from atomgraft.evaluation.score_table import ScoreTable, arrow, figure
from atomgraft.evaluation.suite import (
    AbstractSuite,
    Answers,
    Contestants,
    Subject,
    SuiteOptions,
)
from atomgraft.metrics.thresholds import MIN_GAIN
from atomgraft.phonons.record import (
    FREE_ENERGY,
    FREQUENCIES,
    OWN_SCALAR,
    SUITE,
    PhononErrors,
    PhononResult,
)
from atomgraft.records.scores import ModelName, Score

if TYPE_CHECKING:
    from atomgraft.models.base import AbstractPotential
    from atomgraft.page.blocks import Section
    from atomgraft.phonons.crystals import Crystal


MODELS: tuple[ModelName, ...] = ("base", "adapted", "scratch")

Value = Callable[[PhononErrors], float | None]


def phonon_scores(
    results: Sequence[PhononResult],
) -> list[Score]:
    """Return the scores of every model over crystals with a reference.

    Free energies are over the crystals that are stable under all models, so that a
    model gains nothing by making a difficult crystal unstable.

    Parameters
    ----------
    results
        One for each crystal; those without a reference have no errors and no row.
    """
    rows: list[Score] = []
    stable = [one for one in results if _have_free_energies(one)]
    for model in MODELS:
        errors = _errors_of(model, results)
        rows += _rows(model, FREQUENCIES, "mae", "THz", (errors, _mae))
        free = _errors_of(model, stable)
        rows += _rows(model, FREE_ENERGY, "mae", "meV/atom", (free, _free_energy))
    scaled = [
        row
        for result in results
        for row in result.errors
        if row.baseline == "own scalar"
    ]
    rows += _rows("base", FREQUENCIES, OWN_SCALAR, "THz", (scaled, _mae))
    return rows


def _errors_of(model: ModelName, results: Sequence[PhononResult]) -> list[PhononErrors]:
    return [
        row
        for result in results
        for row in result.errors
        if row.contestant == model and row.baseline is None
    ]


def _have_free_energies(result: PhononResult) -> bool:
    rows = [row for row in result.errors if row.baseline is None]
    return all(row.free_energy_error is not None for row in rows)


def _mae(row: PhononErrors) -> float | None:
    return row.frequency_mae


def _free_energy(row: PhononErrors) -> float | None:
    error = row.free_energy_error
    return None if error is None else abs(error)


def _rows(
    model: ModelName,
    quantity: str,
    metric: str,
    unit: str,
    source: tuple[Sequence[PhononErrors], Value],
) -> list[Score]:
    """Return the mean over crystals, or nothing where there is none."""
    errors, value = source
    values = np.array([one for row in errors if (one := value(row)) is not None])
    if not len(values):
        return []
    return [
        Score(
            model=model,
            suite=SUITE,
            quantity=quantity,
            metric=metric,
            value=float(values.mean()),
            unit=unit,
            n=len(values),
            **sureness_fields(values, np.ones(len(values)), range(len(values)), None),
        )
    ]


CRYSTALS = "crystals"
"""The key of the details under which each crystal is kept."""

SHIPPED = {"si": "shipped:si-phonons", "ge": "shipped:ge-phonons"}
"""The calculation that goes with a shipped training set, by its element."""


def crystals_for(given: Sequence[str], trained: Sequence[str]) -> tuple[str, ...]:
    """Return the crystals whose vibrations are to be judged.

    Parameters
    ----------
    given
        What the user named; wins where there is any.
    trained
        The run's files of training and test structures: calculations of phonopy among
        them are crystals, and so are those that go with a shipped set.

    Raises
    ------
    BadInputError
        There is none.

    Examples
    --------
    >>> crystals_for([], ["shipped:si-train"])
    ('shipped:si-phonons',)
    """
    if given:
        return tuple(given)
    found = [one for name in trained if (one := _crystal_of(name)) is not None]
    if not found:
        raise BadInputError(
            "The suite 'phonons' needs a crystal, and the files of the run "
            f"({', '.join(trained)}) contain no phonopy calculation.",
            "Expected a structure or a phonopy calculation.",
            "Name it: --set phonons.crystal=phonopy.yaml",
        )
    return tuple(dict.fromkeys(found))


def _crystal_of(name: str) -> str | None:
    from atomgraft.data.force_sets import is_phonopy_calculation
    from atomgraft.data.sources import PREFIX

    plain = name.partition("@")[0]
    if plain.startswith(PREFIX):
        return SHIPPED.get(plain.removeprefix(PREFIX).partition("-")[0])
    return plain if is_phonopy_calculation(plain) else None


class PhononOptions(SuiteOptions):
    """Which crystals are judged."""

    crystal: tuple[str, ...] = ()
    """Structures and calculations of phonopy; none: those among the run's files."""


@final
class PhononSuite(AbstractSuite):
    """Frequencies and free energies of crystals, beside a DFT calculation."""

    name = SUITE
    title = "Phonons"
    caption = (
        "Errors of phonons against the reference, mean over n crystals, with 95 % "
        "intervals for five crystals or more: frequencies on the mesh, and the "
        "free energy at 300 K of crystals stable under all models. The baseline is "
        "the base's force constants times the one number that fits best; an "
        "adaptation that does not beat it has learned no more than an overall "
        "stiffness. Each crystal follows below."
    )
    Options = PhononOptions

    def __init__(self, subject: Subject, options: SuiteOptions) -> None:
        from atomgraft.lattice.forces import require_known
        from atomgraft.lattice.supercells import require_crystal
        from atomgraft.phonons.crystals import read_crystal

        given = cast("PhononOptions", options).crystal
        names = crystals_for(given, subject.files)
        self.crystals = [(name, read_crystal(name)) for name in names]
        for _, crystal in self.crystals:
            require_crystal(crystal.atoms)
        require_known(subject.base, [crystal.atoms for _, crystal in self.crystals])

    def ask(
        self, contestants: Contestants, progress: Progress | None = None
    ) -> Answers:
        """Compute the vibrations of crystals under every model, in float64."""
        import torch

        doubles = {
            str(name): one.clone(dtype=torch.float64, device=one.device)
            for name, one in contestants.models.items()
        }
        found = [
            _phonons_of(name, crystal, doubles, progress)
            for name, crystal in self.crystals
        ]
        return Answers(
            scores=tuple(phonon_scores(found)),
            details={CRYSTALS: [one.model_dump(mode="json") for one in found]},
            unanswered=tuple(
                f"{one.formula} has no reference calculation, so its phonons have "
                "no error."
                for one in found
                if not one.errors
            ),
        )

    @classmethod
    def sections(cls, details: Mapping[str, Any]) -> "list[Section]":
        """Return one section for each crystal, and one that sums several up."""
        from atomgraft.phonons.page import phonon_sections

        return phonon_sections(crystals_of(details))

    @classmethod
    def sentences(cls, scores: Sequence[Score]) -> list[str]:
        """Compare frequencies with the base's, and with the base times one number."""
        table = ScoreTable(scores)
        before = table.find("base", SUITE, FREQUENCIES, "mae")
        after = table.find("adapted", SUITE, FREQUENCIES, "mae")
        if before is None or after is None:
            return []
        n = "one crystal" if after.n == 1 else f"{after.n} crystals"
        told = f"Phonons of {n}: frequencies off by {arrow(before, after)}"
        scaled = table.find("base", SUITE, FREQUENCIES, OWN_SCALAR)
        if scaled is not None:
            one_number = (
                "the base's force constants times one fitted number give "
                f"{figure(scaled.value)}"
            )
            return [f"{told}; {one_number}, so that {_beyond(after, scaled)}."]
        return [f"{told}."]


def crystals_of(details: Mapping[str, Any]) -> tuple[PhononResult, ...]:
    """Return the vibrations of each crystal that a proof has left."""
    return tuple(PhononResult.model_validate(one) for one in details.get(CRYSTALS, ()))


def _beyond(after: Score, scaled: Score) -> str:
    """Compare with the base times one number; a small lead counts as none."""
    if after.value < (1 - MIN_GAIN) * scaled.value:
        return "the model learned more than an overall stiffness"
    if after.value < scaled.value:
        return "the model learned hardly more than that number"
    return "the model learned no more than that number"


def _phonons_of(
    name: str,
    crystal: "Crystal",
    models: "Mapping[str, AbstractPotential]",
    progress: Progress | None,
) -> PhononResult:
    from atomgraft.data.sources import PREFIX
    from atomgraft.page.wording import MODEL_NAMES
    from atomgraft.phonons.setup import BASE
    from atomgraft.phonons.spec import PhononSpec
    from atomgraft.phonons.work import phonons_of

    place = name if name.startswith(PREFIX) else Path(name).name
    spec = PhononSpec(crystal=place, models=(BASE,))
    result, _ = phonons_of(spec, crystal, models, titles=MODEL_NAMES, progress=progress)
    return result
