"""Phonons from Python, with objects."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, final

from ase import Atoms

from atomgraft.core.errors import BadInputError
from atomgraft.core.kernels import KernelName
from atomgraft.core.registry import unknown
from atomgraft.core.specs import checked_spec
from atomgraft.core.storage import is_file
from atomgraft.core.trust import Trust
from atomgraft.lattice.constants_files import read_params
from atomgraft.lattice.reference import read_reference
from atomgraft.phonons.page import PAGE, write_page
from atomgraft.phonons.record import REFERENCE, PhononResult
from atomgraft.phonons.spec import PhononSpec, stem_of
from atomgraft.phonons.tables import spectra_table, terminal_table
from atomgraft.phonons.wording import headline, sentences
from atomgraft.phonons.work import (
    SAVED,
    SAVED_PARAMS,
    compute_phonons,
)
from atomgraft.run.notebook import Base, Run, Source, source_of
from atomgraft.study.notebook import (
    Frames,
    Given,
    about_arguments,
    card,
    formula_of,
    frame_of,
    refuse_unknown,
)
from atomgraft.study.screen import calm, console, device_name, stage_screen

if TYPE_CHECKING:
    from atomgraft.lattice.supercells import Phonopy

OPTIONS = frozenset(PhononSpec.model_fields) - {"crystal", "models", "labels"}

TRIPLES = ("supercell", "mesh", "conductivity_mesh")
"""Options of three numbers, of which one stands for all."""


@final
@dataclasses.dataclass(frozen=True)
class Phonons:
    """Vibrations of a crystal under models.

    Parameters
    ----------
    folder
        Where they are kept.
    result
        Everything that was found.
    """

    folder: Path
    result: PhononResult = dataclasses.field(repr=False)

    @property
    def page(self) -> Path:
        """The page, one HTML file."""
        return self.folder / PAGE

    @property
    def phonopy(self) -> "Phonopy":
        """The object of phonopy, with force constants, of the last contestant."""
        return self.phonopy_of(self._contestants()[-1])

    def phonopy_of(self, contestant: str) -> "Phonopy":
        """Return the object of phonopy, with force constants, of one model.

        Parameters
        ----------
        contestant
            ``base``, ``adapted``, ``model-3`` ...: by the order of the models;
            ``base+labels`` ... and ``labels`` where there are labels.

        Raises
        ------
        BadInputError
            There is no such contestant.
        """
        with about_arguments():
            if contestant not in self._contestants():
                raise unknown("contestant", contestant, self._contestants())
            symprec = self.result.settings.symprec
            params = self.folder / SAVED_PARAMS.format(contestant)
            if is_file(params):
                return read_params(params, symprec=symprec)
            path = self.folder / SAVED.format(contestant)
            found = read_reference(path, symprec=symprec)
        return found.harmonic.phonon

    def _contestants(self) -> list[str]:
        found = [one.contestant for one in self.result.spectra]
        return [one for one in found if one != REFERENCE]

    def to_frame(self) -> Any:  # noqa: ANN401 - pandas is loaded only here
        """Return the errors against the reference as a pandas DataFrame."""
        return frame_of([one.model_dump() for one in self.result.errors])

    def _repr_html_(self) -> str:
        found = self.result
        table = terminal_table(found) if found.errors else spectra_table(found, "")
        said = (*sentences(found), f"Page: {self.page}")
        return card(headline(found), said, table.columns, table.rows)


Model = Base | Run | str | Path


def phonons(
    crystal: str | Path | Atoms | Sequence[Atoms],
    models: Model | Sequence[Model],
    *,
    out: str | Path | None = None,
    device: str = "auto",
    labels: Given | None = None,
    fresh: bool = False,
    progress: bool = True,
    **options: Any,  # noqa: ANN401 - validated by the spec
) -> Phonons:
    """Compute the vibrations of a crystal, or return those that are there.

    Parameters
    ----------
    crystal
        A structure, or a calculation of phonopy to compare with; or frames of one
        supercell, of which the first is undisplaced.
    models
        What `load` returned, runs, or names; the first is the base.
    out
        Folder of the result; none is ``phonons-NAME``, as on the command line.
    device
        ``auto``, ``cpu`` or ``cuda``.
    labels
        Labelled supercells of the crystal: structures, or files of them.
    fresh
        Throw away what an earlier call left in the folder.
    progress
        Show a bar.
    options
        Keys of :class:`PhononSpec`, such as ``supercell``, ``mesh`` and ``relax``.

    Raises
    ------
    BadInputError
        Something cannot be used as it is.
    """
    with about_arguments():
        refuse_unknown("phonons()", options, OPTIONS)
        given = [models] if isinstance(models, Base | Run | str | Path) else [*models]
        sources = [source_of(one, f"models[{i}]") for i, one in enumerate(given)]
        folder = Path(f"phonons-{_name_of(crystal)}") if out is None else Path(out)
        frames = Frames(folder)
        if isinstance(crystal, Atoms):
            file = frames.crystal(crystal, "crystal")
        else:
            file = frames.named(crystal, "crystal", stem="supercells")[0]
        named = {"crystal": file, "models": [one.name for one in sources]}
        if labels is not None:
            named["labels"] = list(frames.named(labels, "labels"))
        shared = {"head": _head_of(sources), "kernels": _kernels_of(sources)}
        settings = {**shared, **_tripled(options), **named}
        spec = checked_spec(PhononSpec, "phonons", settings)
        trust: Trust = {key: v for one in sources for key, v in one.trust.items()}
        screen = console(quiet=not progress)
        with frames.written("phonons"), calm(), stage_screen(screen) as show:
            result = compute_phonons(
                spec,
                folder,
                device=device_name(device),
                trust=trust,
                bases={one.name: one.base for one in sources if one.base},
                fresh=fresh,
                progress=show,
            )
        write_page(folder, result)
    return Phonons(folder, result)


def _name_of(crystal: object) -> str:
    if isinstance(crystal, Atoms):
        return formula_of(crystal)
    return stem_of(str(crystal)) if isinstance(crystal, str | Path) else "supercells"


def _tripled(options: dict[str, Any]) -> dict[str, Any]:
    """Return options of which one number stands for three, written out."""
    found = dict(options)
    for key in TRIPLES:
        if isinstance(found.get(key), int):
            found[key] = [found[key]] * 3
    rows = found.get("supercell")
    if isinstance(rows, list | tuple) and all(isinstance(one, int) for one in rows):
        found["supercell"] = [
            [n if i == j else 0 for j in range(len(rows))] for i, n in enumerate(rows)
        ]
    return found


def _kernels_of(sources: Sequence[Source]) -> KernelName:
    kernels: set[KernelName] = {one.kernels for one in sources if one.kernels}
    if len(kernels) > 1:
        raise BadInputError(
            "Some models were loaded with kernels='upstream', others without.",
            "One calculation computes all models alike.",
            "Load all of them with the same kernels.",
        )
    return kernels.pop() if kernels else "ours"


def _head_of(sources: Sequence[Source]) -> str | None:
    heads = {one.head for one in sources if one.head is not None}
    if len(heads) > 1:
        raise BadInputError(
            f"The models were loaded with several heads: {', '.join(sorted(heads))}.",
            "A calculation uses one head.",
            "Merge a head into its own file, or compute each head separately.",
        )
    return next(iter(heads), None)
